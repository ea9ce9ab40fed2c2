//! Exact state at a fault: which places hold the guest registers that the state does not.

use crate::Jit;
use crate::emit::{BASE_SLOT, RESTART_FUEL_SLOT};
use crate::host::word as tier_word;
use friscy_lift_ir::Op;
use friscy_lift_ir::eval::evaluate_integer;
use friscy_seam::access::written::word;
use friscy_seam::access::{STATE_BELOW, window_offset};
use friscy_seam::{Left, MemoryFault, State};
use serde::{Deserialize, Serialize};

/// Where a value is at an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Place {
    /// A general-purpose register.
    Gpr(u8),
    /// The low half of a vector register.
    Xmm(u8),
    /// The frame, relative to the address at which the caller's frame ends, which is 16 above `rbp`.
    Frame(i32),
    /// Known.
    Const(u64),
    /// Nowhere: it is computed again, by the number of the computation.
    Computed(u32),
}

/// How a place has a register's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Form {
    /// All of it.
    Whole,
    /// Its low half, of which it is the sign extension.
    Narrow,
    /// The single that is NaN-boxed in the register.
    Boxed,
    /// A double as the host computed it.
    RawDouble,
    /// A single as the host computed it, which is NaN-boxed in the register.
    RawBoxed,
}

/// The canonical NaN of single precision (unprivileged manual, "NaN Generation and Propagation").
pub(crate) const CANONICAL_NAN_32: u32 = 0x7fc0_0000;

/// That of double precision.
pub(crate) const CANONICAL_NAN_64: u64 = 0x7ff8_0000_0000_0000;

impl Form {
    fn whole(self, bits: u64) -> u64 {
        match self {
            Form::Whole => bits,
            Form::Narrow => bits as i32 as u64,
            Form::Boxed => bits | 0xffff_ffff_0000_0000,
            Form::RawDouble if f64::from_bits(bits).is_nan() => CANONICAL_NAN_64,
            Form::RawDouble => bits,
            Form::RawBoxed if f32::from_bits(bits as u32).is_nan() => {
                0xffff_ffff_0000_0000 | u64::from(CANONICAL_NAN_32)
            }
            Form::RawBoxed => bits | 0xffff_ffff_0000_0000,
        }
    }
}

/// A value that is computed again from what it was computed from.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Computed {
    /// An integer op without effects.
    #[serde(with = "number")]
    pub(crate) op: Op,
    /// Its operands; [`Place::Const`] where there are fewer.
    pub(crate) args: [(Form, Place); 3],
}

/// An op as its number.
mod number {
    use friscy_lift_ir::Op;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(op: &Op, to: S) -> Result<S::Ok, S::Error> {
        (*op as u16).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Op, D::Error> {
        let number = u16::deserialize(from)?;
        Op::ALL.get(number as usize).copied().ok_or_else(|| D::Error::custom("no op has this number"))
    }
}

/// A guest register whose value is not in the state.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Dirty {
    /// Integer registers first, 0 to 63.
    pub(crate) register: u8,
    /// How the place has it.
    pub(crate) form: Form,
    /// Where it is.
    pub(crate) place: Place,
}

/// What the address of an access is computed from.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Base {
    /// A guest integer register, once restored.
    Register(u8),
    /// A value somewhere.
    Place(Form, Place),
    /// A scratch word of the state.
    Stored,
}

/// An access that may fault.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Where the host instruction is, relative to the code.
    pub(crate) at: u32,
    /// Guest address of the instruction.
    pub(crate) pc: u64,
    /// Instructions that retired before it since fuel was what `fuel` says.
    pub(crate) spent: i64,
    /// The fault counts as one of a write, whatever the host says.
    pub(crate) write: bool,
    /// Base of the address.
    pub(crate) base: Base,
    /// Displacement.
    pub(crate) disp: i32,
    /// Where fuel is.
    pub(crate) fuel: Place,
    /// Range in the list of dirty registers.
    pub(crate) dirty: (u32, u32),
    /// Where the loop begins that a fault restarts.
    pub(crate) restart: Option<u64>,
}

/// The accesses of a region's code that may fault.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Faults {
    /// In order of their places in the code.
    pub(crate) rows: Vec<Row>,
    /// The rows say which of these are theirs.
    pub(crate) dirty: Vec<Dirty>,
    /// By number.
    pub(crate) computed: Vec<Computed>,
}

impl Faults {
    /// What is known of the access by the host instruction at a place in the code.
    ///
    /// # Panics
    /// If there is no such access.
    fn row(&self, at: usize) -> &Row {
        let row = self.rows.binary_search_by_key(&at, |row| row.at as usize);
        // Code with an access that has no row is not installed.
        row.map(|n| &self.rows[n]).expect("a faulting access has a row")
    }

    /// The registers that are not in the state at an access.
    fn dirty(&self, row: &Row) -> &[Dirty] {
        &self.dirty[row.dirty.0 as usize..row.dirty.1 as usize]
    }
}

/// What a place had, as the fault handler saved it.
fn read_saved(saved: &[u64], place: Place) -> u64 {
    match place {
        Place::Gpr(n) => saved[word::GPR + n as usize],
        Place::Xmm(n) => saved[word::XMM + n as usize],
        Place::Const(value) => value,
        Place::Frame(offset) => {
            let at = saved[word::GPR + 5].wrapping_add(16).wrapping_add_signed(offset as i64);
            // SAFETY: a slot of the frame that faulted, which is above the stack pointer.
            unsafe { (at as *const u64).read_unaligned() }
        }
        Place::Computed(_) => unreachable!("has no place"),
    }
}

/// Computes a value again.
fn compute(faults: &Faults, n: u32, saved: &[u64]) -> u64 {
    let Computed { op, args } = faults.computed[n as usize];
    let args = args.map(|(form, place)| match place {
        Place::Computed(n) => form.whole(compute(faults, n, saved)),
        place => form.whole(read_saved(saved, place)),
    });
    // Only such ops are computed again.
    evaluate_integer(op, args).expect("an integer op")
}

/// Makes the state exact, and returns how compiled code is left. Called on the stack of the code that faulted.
///
/// # Safety
/// `state` is that which compiled code runs with; its scratch words are as the fault handler left them.
pub(crate) unsafe extern "C" fn recover(state: *mut State) -> u64 {
    // SAFETY: compiled code, the only user of the state, has stopped; the tier that entered it lives on.
    let (state, jit) = unsafe { (&mut *state, &*((*state).tier[tier_word::TIER] as *const Jit)) };
    let saved = &state.scratch;
    let (faults, at) = jit.units.faults_at(saved[word::PC] as usize);
    let read = |place: Place| match place {
        Place::Computed(n) => compute(faults, n, saved),
        place => read_saved(saved, place),
    };
    let row = faults.row(at);
    let fuel = read(row.fuel) as i64;
    // All are read before any is written: the scratch words are not among them, but so it needs no proof.
    let (mut x, mut f) = (state.x, state.f);
    for dirty in faults.dirty(row) {
        let value = dirty.form.whole(read(dirty.place));
        match dirty.register {
            n @ 0..32 => x[n as usize] = value,
            n => f[n as usize & 31] = value,
        }
    }
    let fuel = fuel - row.spent;
    if let Some(head) = row.restart {
        let before = saved[RESTART_FUEL_SLOT] as i64;
        (state.x, state.f) = (x, f);
        (state.pc, state.fuel) = (head, before);
        return Left::Rerun(before.wrapping_sub(fuel) as u64).word();
    }
    let base = match row.base {
        Base::Register(n) => x[n as usize & 31],
        Base::Place(form, place) => form.whole(read(place)),
        Base::Stored => saved[BASE_SLOT],
    };
    let kind = saved[word::KIND];
    let seen = saved[word::ADDRESS].wrapping_sub(state as *const State as u64 + STATE_BELOW as u64) as i64;
    // What the host saw may be a later page of the same access.
    let beyond = seen.wrapping_sub(window_offset(base, row.disp));
    let addr = base.wrapping_add_signed(row.disp as i64);
    (state.x, state.f) = (x, f);
    (state.pc, state.fuel) = (row.pc, fuel);
    state.fault = MemoryFault {
        addr: if (1..8).contains(&beyond) { addr.wrapping_add(beyond as u64) } else { addr },
        write: kind & 1 != 0 || row.write,
        beyond_object: kind & 2 != 0,
        misaligned: false,
    };
    Left::Fault.word()
}
