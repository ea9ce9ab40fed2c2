//! From guest bytes to a region that a tier can translate.

use crate::translate::{CodeMemory, Key};
use friscy_lift_ir::lift::{CodeSource, FetchFault, Lifter, Limits};
use friscy_lift_ir::passes::{Inlining, Simplifier, inline_calls, optimise};
use friscy_lift_ir::{Region, RoundingClass};

/// Bytes of code that are copied out of guest memory at once: most blocks are shorter.
const CHUNK_BYTES: usize = 64;

/// The lifter with its buffers, and the region it works on.
pub struct Translator {
    lifter: Lifter,
    region: Region,
    simplifier: Simplifier,
}

impl Default for Translator {
    fn default() -> Translator {
        let region = Region::new(0, RoundingClass::Rne);
        Translator { lifter: Lifter::new(), region, simplifier: Simplifier::new() }
    }
}

impl Translator {
    /// How many instructions long blocks may be, in the order in which it is tried: when a tier refuses a block, one
    /// of a single instruction is.
    pub fn lengths(&self) -> [u32; 2] {
        [Limits::COLD.max_insts, 1]
    }

    /// Lifts the block that `key` names, of at most `max_insts` instructions, and simplifies it.
    pub fn lift(&mut self, key: Key, memory: &dyn CodeMemory, max_insts: u32) -> &Region {
        let mut source = Chunk { memory, start: key.pc, len: 0, bytes: [0; CHUNK_BYTES] };
        self.lifter.lift_simplified(key.pc, key.rounding, &mut source, max_insts, &mut self.region);
        &self.region
    }
}

impl Translator {
    /// Lifts the function that `key` is in, from there and from `entries` on, and improves it as compiled tiers want it.
    /// Code that has not run (`has_run`) is left out. Jumps by registers may lead to the entries, and
    /// to `key` if `is_led_to`.
    pub(crate) fn lift_function(
        &mut self,
        key: Key,
        entries: &[u64],
        is_led_to: bool,
        memory: &dyn CodeMemory,
        has_run: &dyn Fn(u64) -> bool,
    ) -> Region {
        let mut source = Warm {
            code: Chunk { memory, start: key.pc, len: 0, bytes: [0; CHUNK_BYTES] },
            entries,
            key: is_led_to.then_some(key.pc),
            has_run,
        };
        let (pc, rounding) = (key.pc, key.rounding);
        let mut function = Region::new(pc, rounding);
        self.lifter.lift_with_entries(pc, entries, rounding, &mut source, &Limits::COMPILED, &mut function);
        inline_calls(&mut function, entries, &Inlining::COMPILED, &mut self.lifter, &mut source);
        optimise(&mut function, &mut self.simplifier);
        function
    }
}

/// Instruction fetch through a copy of a chunk of guest memory.
struct Chunk<'a> {
    memory: &'a dyn CodeMemory,
    start: u64,
    len: usize,
    bytes: [u8; CHUNK_BYTES],
}

impl Chunk<'_> {
    /// The four bytes at `pc`, if the copy has them.
    #[inline]
    fn word(&self, pc: u64) -> Option<u32> {
        let at = usize::try_from(pc.wrapping_sub(self.start)).ok()?;
        match self.bytes[..self.len].get(at..at.checked_add(4)?) {
            Some(&[a, b, c, d]) => Some(u32::from_le_bytes([a, b, c, d])),
            _ => None,
        }
    }

    fn half(&mut self, pc: u64) -> Result<u16, FetchFault> {
        if pc < self.start || pc - self.start + 2 > self.len as u64 {
            self.start = pc;
            self.len = self.memory.fetch(pc, &mut self.bytes);
        }
        let at = (pc - self.start) as usize;
        match self.bytes[..self.len].get(at..at + 2) {
            Some(&[low, high]) => Ok(u16::from_le_bytes([low, high])),
            _ => Err(FetchFault),
        }
    }
}

/// Code of which only that is wanted that has run.
struct Warm<'a> {
    code: Chunk<'a>,
    entries: &'a [u64],
    /// The entry at which it begins, if jumps by registers lead there.
    key: Option<u64>,
    has_run: &'a dyn Fn(u64) -> bool,
}

impl CodeSource for Warm<'_> {
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault> {
        self.code.fetch(pc)
    }

    fn is_wanted(&mut self, pc: u64) -> bool {
        (self.has_run)(pc)
    }

    fn jump_targets(&mut self, _: &Region) -> Vec<u64> {
        // Where control comes from outside, a table has led mostly.
        self.entries.iter().copied().chain(self.key).collect()
    }
}

impl CodeSource for Chunk<'_> {
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault> {
        if let Some(bits) = self.word(pc) {
            return Ok(if bits & 3 == 3 { bits } else { bits & 0xffff });
        }
        let low = u32::from(self.half(pc)?);
        if low & 3 != 3 {
            return Ok(low);
        }
        Ok(low | u32::from(self.half(pc.wrapping_add(2))?) << 16)
    }
}

/// The bits of the instruction at `pc`: 16 valid ones if the low two are not both set, else 32.
///
/// # Errors
/// The address of the first half that cannot be fetched.
pub fn fetch_bits(memory: &dyn CodeMemory, pc: u64) -> Result<u32, u64> {
    let mut bytes = [0; 4];
    let n = memory.fetch(pc, &mut bytes);
    let bits = u32::from_le_bytes(bytes);
    match (n, bits & 3 == 3) {
        (0 | 1, _) => Err(pc),
        (2 | 3, true) => Err(pc.wrapping_add(2)),
        (_, false) => Ok(bits & 0xffff),
        (_, true) => Ok(bits),
    }
}
