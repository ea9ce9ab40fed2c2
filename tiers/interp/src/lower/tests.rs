//! Every op in every form that lowering tells apart does what the evaluator says, and together they reach every kind of
//! instruction.

use super::*;
use crate::Interp;
use crate::testing::{Random, Window};
use friscy_lift_ir::eval::{Denied, EvalHost, Leave, Machine};
use friscy_lift_ir::op::ImmKind;
use friscy_lift_ir::{Cond, Op, RoundingClass, Type, text, verify};
use friscy_seam::EXIT_KINDS;
use friscy_seam::{Exit, Prepared, Tier};
use std::collections::BTreeSet;

const PC: u64 = 0x10000;

/// Where addresses point to, a multiple of 8.
const DATA: u64 = 0x4_0000;

impl EvalHost for Window {
    fn load(&mut self, offset: i64, len: u32) -> Result<u64, Denied> {
        Ok(self.read(offset) & u64::MAX >> (64 - 8 * len))
    }

    fn store(&mut self, offset: i64, len: u32, value: u64) -> Result<(), Denied> {
        let mask = u64::MAX >> (64 - 8 * len);
        self.write(offset, self.read(offset) & !mask | value & mask);
        Ok(())
    }
}

/// Where an operand comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    Register(i64),
    Constant(i64),
}

/// A region of one block of one guest instruction.
fn block(rounding: RoundingClass) -> (Region, Block) {
    let mut region = Region::new(PC, rounding);
    let block = region.push_block(PC);
    region.blocks[0].entry = true;
    region.blocks[0].guest_offsets.push(0);
    region.blocks[0].retired = 1;
    region.blocks[0].term = Term::Exit { kind: ExitKind::Ebreak, pc: PC };
    (region, block)
}

fn operand(region: &mut Region, block: Block, ty: Type, from: Source) -> Value {
    match (ty, from) {
        (Type::I64, Source::Register(r)) => region.push(block, Op::GetX, &[], r, 0),
        (Type::I64, Source::Constant(c)) => region.push(block, Op::Iconst, &[], c, 0),
        (Type::F64, Source::Register(r)) => region.push(block, Op::GetF, &[], r, 0),
        (Type::F64, Source::Constant(c)) => {
            let bits = region.push(block, Op::Iconst, &[], c, 0);
            region.push(block, Op::BitsF64, &[bits], 0, 0)
        }
        (Type::F32, Source::Register(r)) => {
            let v = region.push(block, Op::GetF, &[], r, 0);
            region.push(block, Op::Unbox, &[v], 0, 0)
        }
        (Type::F32, Source::Constant(c)) => {
            let bits = region.push(block, Op::Iconst, &[], c, 0);
            region.push(block, Op::BitsF32, &[bits], 0, 0)
        }
    }
}

/// Puts a result where it is seen.
fn keep(region: &mut Region, block: Block, v: Value, register: i64) {
    match region.values[v.index()].ty {
        Type::I64 => region.push(block, Op::SetX, &[v], register, 0),
        Type::F64 => region.push(block, Op::SetF, &[v], register, 0),
        Type::F32 => {
            let boxed = region.push(block, Op::Box, &[v], 0, 0);
            region.push(block, Op::SetF, &[boxed], register, 0)
        }
    };
}

/// Immediates of an op, with the class of rounding mode that they are valid in.
fn immediates(kind: ImmKind) -> Vec<(i64, RoundingClass)> {
    let rne = |imms: &[i64]| imms.iter().map(|&imm| (imm, RoundingClass::Rne)).collect();
    match kind {
        ImmKind::None => rne(&[0]),
        ImmKind::Const => rne(&[0, 1, -1, i32::MIN as i64, i32::MAX as i64 + 1, i64::MIN]),
        ImmKind::Disp => rne(&[0, 8, -2048, 2047]),
        ImmKind::Reg => rne(&[7]),
        ImmKind::Order => rne(&[3]),
        ImmKind::Rm => [0, 1, 2, 3, 4, 7].map(|rm| (rm, RoundingClass::Dynamic)).to_vec(),
    }
}

/// Regions that compute an op in each form: operands in registers, in one register, or one a constant; the result in a
/// register of its own, over an operand, or nowhere.
fn forms(op: Op) -> Vec<Region> {
    let info = op.info();
    let mut sources =
        vec![vec![Source::Register(5), Source::Register(6), Source::Register(7)], vec![Source::Register(5); 3]];
    for n in 0..info.args.len() {
        for c in [0, 1, -1, 0x7fff_ffff, -0x8000_0000, 0x8000_0000, 0x7ff0_0000_0000_0000, DATA as i64 + 64] {
            let mut source = sources[0].clone();
            source[n] = Source::Constant(c);
            sources.push(source);
        }
    }
    let faults = info.effects.contains(Effects::FAULT);
    let mut regions = Vec::new();
    for (imm, rounding) in immediates(info.imm) {
        for source in &sources {
            // The address is in a register that holds one, or is the constant that is one.
            let mut source = source.clone();
            match source[0] {
                Source::Register(_) if faults => source[0] = Source::Register(8),
                Source::Constant(c) if faults && c != DATA as i64 + 64 => continue,
                _ => {}
            }
            for kept in [Some(9), Some(5), None] {
                let (mut region, block) = block(rounding);
                let args: Vec<Value> =
                    info.args.iter().zip(&source).map(|(&ty, &from)| operand(&mut region, block, ty, from)).collect();
                let v = region.push(block, op, &args, imm, 0);
                if let Some(register) = kept.filter(|_| v != Value::NONE) {
                    keep(&mut region, block, v, register);
                }
                if op == Op::SetFrm {
                    region.blocks[0].term = Term::Exit { kind: ExitKind::ModeChange, pc: PC + 4 };
                }
                regions.push(region);
            }
        }
    }
    regions
}

/// Regions for the kinds that no op by itself leads to.
fn others() -> Vec<Region> {
    let mut regions = Vec::new();
    let edge = |pc, preempt| Edge { target: Target::Pc(pc), preempt };
    let mut end = |term: Term, rounding| {
        let (mut region, _) = block(rounding);
        region.blocks[0].term = term;
        regions.push(region);
    };
    for preempt in [false, true] {
        end(Term::Jump(edge(PC + 8, preempt)), RoundingClass::Rne);
    }
    end(Term::Call { pc: PC + 8, return_pc: PC + 4 }, RoundingClass::Rne);
    for kind in EXIT_KINDS {
        if !matches!(kind, ExitKind::ModeChange | ExitKind::FetchFault) {
            end(Term::Exit { kind, pc: PC }, RoundingClass::Rne);
        }
    }
    for class in [RoundingClass::Rne, RoundingClass::Dynamic, RoundingClass::Invalid] {
        end(Term::Exit { kind: ExitKind::ModeChange, pc: PC + 4 }, class);
    }
    let (mut region, _) = block(RoundingClass::Rne);
    region.blocks[0].guest_offsets.clear();
    region.blocks[0].retired = 0;
    region.blocks[0].term = Term::Exit { kind: ExitKind::FetchFault, pc: PC };
    regions.push(region);
    for cond in Cond::ALL {
        for (then, els) in [(false, false), (true, false), (false, true)] {
            let (mut region, block) = block(RoundingClass::Rne);
            let a = region.push(block, Op::GetX, &[], 5, 0);
            let b = region.push(block, Op::GetX, &[], 6, 0);
            let (then, els) = (edge(PC - 8, then), edge(PC + 4, els));
            region.blocks[0].term = Term::Branch { cond, args: [a, b], then, els };
            regions.push(region);
        }
    }
    let (mut region, at) = block(RoundingClass::Rne);
    let base = region.push(at, Op::GetX, &[], 5, 0);
    let kind = friscy_lift_ir::JumpKind::Jump;
    region.blocks[0].term = Term::Indirect { base, disp: -5, kind, targets: Vec::new() };
    regions.push(region);
    for (shift_first, shift) in [(true, 1), (false, 3), (true, 63)] {
        let (mut region, block) = block(RoundingClass::Rne);
        let x = region.push(block, Op::GetX, &[], 5, 0);
        let amount = region.push(block, Op::Iconst, &[], shift, 0);
        let scaled = region.push(block, Op::Shl, &[x, amount], 0, 0);
        let y = region.push(block, Op::GetX, &[], 6, 0);
        let args = if shift_first { [scaled, y] } else { [y, scaled] };
        let sum = region.push(block, Op::Add, &args, 0, 0);
        keep(&mut region, block, sum, 9);
        regions.push(region);
    }
    regions
}

/// Runs a region in the evaluator and in the interpreter, and compares what they leave.
fn check(region: &Region, interps: &mut [Interp], window: &mut Window, random: &mut Random) {
    let mut machine = Machine::new(PC, (random.bits() & 1) as i64);
    for r in 1..32 {
        machine.x[r] = random.operand();
    }
    for r in 0..32 {
        machine.f[r] = random.operand();
    }
    machine.x[8] = DATA + (random.bits() & 0xff8);
    machine.reservation = [u64::MAX, machine.x[8], DATA + 64][(random.bits() % 3) as usize];
    machine.reserved_value = random.operand();
    machine.frm = match region.rounding {
        RoundingClass::Rne => 0,
        RoundingClass::Dynamic => 1 + (random.bits() & 3) as u32,
        RoundingClass::Invalid => 7,
    };
    machine.fflags = (random.bits() & 31) as u32;
    // What accesses reach: the displacements and constants above.
    let area = DATA as i64 - 2048..DATA as i64 + 8192;
    let words = || area.clone().step_by(8);
    for at in words() {
        window.write(at, if random.bits() & 1 == 0 { machine.reserved_value } else { random.operand() });
    }
    let before: Vec<u64> = words().map(|at| window.read(at)).collect();
    let start = machine.clone();
    let leave = machine.run(region, window);
    let after: Vec<u64> = words().map(|at| window.read(at)).collect();
    for interp in interps {
        words().zip(&before).for_each(|(at, &v)| window.write(at, v));
        let Prepared::Ready(code) = interp.prepare(region) else { panic!("refused\n{region}") };
        let mut state = window.state();
        (state.x, state.f, state.pc, state.fuel) = (start.x, start.f, start.pc, start.fuel);
        (state.fflags, state.frm) = (start.fflags, start.frm);
        (state.reservation, state.reserved_value) = (start.reservation, start.reserved_value);
        // SAFETY: the code was made just now and every access succeeds in this window.
        let exit = unsafe { interp.enter(code, &mut state) };
        let expected = match leave {
            // The mode still fits: control goes on within the tier.
            Leave::Kind(ExitKind::ModeChange) if RoundingClass::of(machine.frm) == region.rounding => {
                "Goto".to_string()
            }
            Leave::Kind(kind) => format!("{kind:?}"),
            Leave::Fault(fault) => format!("{:#x} {}", fault.addr, fault.misaligned),
            leave => format!("{leave:?}"),
        };
        let got = match exit {
            Exit::Goto { .. } => "Goto".to_string(),
            Exit::Fuel => "Fuel".to_string(),
            Exit::Below | Exit::Rerun { .. } => format!("{exit:?}"),
            Exit::Fault => format!("{:#x} {}", state.fault.addr, state.fault.misaligned),
            Exit::Kind(kind) => format!("{kind:?}"),
        };
        assert_eq!(expected, got, "\n{region}");
        assert_eq!((machine.x, machine.f), (state.x, state.f), "{start:x?}\n{region}");
        let theirs = (state.pc, state.fuel, state.fflags, state.frm, state.reservation);
        assert_eq!((machine.pc, machine.fuel, machine.fflags, machine.frm, machine.reservation), theirs, "\n{region}");
        assert!(words().map(|at| window.read(at)).eq(after.iter().copied()), "memory differs\n{region}");
    }
}

/// Every kind that has a handler.
fn all_kinds() -> Vec<Kind> {
    let mut kinds = vec![
        Kind::Move,
        Kind::Const,
        Kind::Const64,
        Kind::ShlAdd,
        Kind::Select,
        Kind::Canonical,
        Kind::GetFflags,
        Kind::SetFflags,
        Kind::GetFrm,
        Kind::SetFrm,
        Kind::Indirect,
        Kind::Stub,
    ];
    for wide in [false, true] {
        kinds.extend([Kind::Lr(wide), Kind::Sc(wide), Kind::Jump(wide)]);
        kinds.extend(Cond::ALL.map(|cond| Kind::Branch(cond, wide)));
    }
    kinds.extend(
        (0..EXIT_KINDS.len() as u8)
            .map(Kind::Exit)
            .filter(|&kind| kind != Kind::Exit(number_of(ExitKind::ModeChange) as u8)),
    );
    kinds.extend((0..3).map(Kind::ModeChange));
    let forms: [fn(Op) -> Kind; 12] = [
        Kind::Rr,
        Kind::Ri,
        Kind::Un,
        Kind::Load,
        Kind::Store,
        Kind::Amo,
        Kind::Fp2,
        Kind::Fp2Rm,
        Kind::Fp3,
        Kind::Fp3Rm,
        Kind::Fp1,
        Kind::Fp1Rm,
    ];
    kinds.extend(Op::ALL.iter().flat_map(|&op| forms.map(|form| form(op))).filter(|kind| kind.handler().is_some()));
    kinds
}

#[test]
fn every_op_in_every_form() {
    let mut window = Window::new();
    let mut random = Random(7);
    let mut interps = [Interp::new(1 << 20), Interp::without_pairs(1 << 20)];
    let mut lower = Lower::default();
    let mut seen = BTreeSet::new();
    // Code that is compiled ahead of time never comes here.
    for region in Op::ALL.iter().filter(|op| **op != Op::Addr).flat_map(|&op| forms(op)).chain(others()) {
        if let Err(broken) = verify::verify(&region) {
            panic!("{broken}\n{region}");
        }
        lower.lower(&region, std::ptr::null()).expect("an op in a form of its own can be lowered");
        seen.extend(lower.kinds.iter().map(|kind| kind.key()));
        for interp in &mut interps {
            interp.clear();
        }
        for _ in 0..6 {
            check(&region, &mut interps, &mut window, &mut random);
        }
    }
    let missing: Vec<_> = all_kinds().into_iter().filter(|kind| !seen.contains(&kind.key())).collect();
    assert_eq!(missing, [], "kinds that no region leads to");
}

/// A region in its text form, run with random registers.
fn check_text(source: &str) {
    let region = text::parse(source).expect("the text is a region");
    verify::verify(&region).expect("the region is well-formed");
    let mut window = Window::new();
    let mut random = Random(3);
    let mut interps = [Interp::new(1 << 20), Interp::without_pairs(1 << 20)];
    for _ in 0..64 {
        check(&region, &mut interps, &mut window, &mut random);
    }
}

#[test]
fn a_store_conditional_fails_after_a_store_that_changed_the_reserved_value() {
    check_text(
        "region 0x10000 rne
block0 @0x10000 entry [0 4 8 12]:
    +0 v0 = get.x x8
    +0 v1 = lr.i32 v0, 0
    +0 set.x x11, v1
    +4 v2 = get.x x7
    +4 store.i8 v0, v2, 1
    +8 v3 = sc.i32 v0, v2, 0
    +8 set.x x12, v3
    exit.ebreak 0x1000c
",
    );
}

#[test]
fn a_result_does_not_reach_its_register_before_what_may_leave() {
    check_text(
        "region 0x10000 rne
block0 @0x10000 entry [0 4 8]:
    +0 v0 = get.x x5
    +0 v1 = get.x x6
    +0 v2 = add.i64 v0, v1
    +4 v3 = get.x x9
    +4 v4 = lr.i64 v3, 0
    +4 set.x x11, v4
    +8 set.x x7, v2
    exit.ebreak 0x10008
",
    );
}
