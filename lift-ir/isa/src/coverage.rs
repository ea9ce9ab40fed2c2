//! Choosing instructions and counting which were seen, for tests and fuzzing.

use crate::Inst;
use crate::decode::find_row;
use crate::layout::Pattern;
use crate::table::{COMPRESSED, Op, ROWS, Row};

impl Row {
    /// The encoding of this row whose free bits are those of `random`. `None` if they make a reserved encoding or one of
    /// another row; almost every other value then gives one.
    pub fn sample(&self, random: u32) -> Option<Inst> {
        let Pattern { mask, value, .. } = self.layout.pattern;
        let (len, width_mask) = if self.is_compressed() { (2, 0xffff) } else { (4, u32::MAX) };
        let bits = value | random & !mask & width_mask;
        self.layout.pattern.matches(bits).then(|| Inst::from_layout(self.op, &self.layout, len, bits))
    }

    /// Whether the row's encodings are 16 bits long.
    pub const fn is_compressed(&self) -> bool {
        self.layout.pattern.value & 3 != 3
    }
}

impl Op {
    /// An encoding of this instruction in 32 bits, its free bits taken from `random`. See [`Row::sample`].
    pub fn sample(self, random: u32) -> Option<Inst> {
        self.info().sample(random)
    }
}

/// Which rows of the table were seen, compressed ones by themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coverage {
    base: [bool; ROWS.len()],
    compressed: [bool; COMPRESSED.len()],
}

impl Coverage {
    /// Nothing seen yet.
    pub const fn new() -> Coverage {
        Coverage { base: [false; ROWS.len()], compressed: [false; COMPRESSED.len()] }
    }

    /// Marks the row that the instruction was decoded from.
    pub fn mark(&mut self, inst: &Inst) {
        match find_row(inst.bits) {
            Some(row) if row.is_compressed() => {
                for (seen, other) in self.compressed.iter_mut().zip(&COMPRESSED) {
                    *seen |= std::ptr::eq(row, other);
                }
            }
            Some(row) => self.base[row.op as usize] = true,
            None => {}
        }
    }

    /// The rows not seen, base rows first, in table order.
    pub fn missing(&self) -> impl Iterator<Item = &'static Row> {
        let base = ROWS.iter().zip(self.base);
        let compressed = COMPRESSED.iter().zip(self.compressed);
        base.chain(compressed).filter(|(_, seen)| !seen).map(|(row, _)| row)
    }

    /// The number of rows seen, and the number of rows.
    pub fn count(&self) -> (usize, usize) {
        let all = ROWS.len() + COMPRESSED.len();
        (all - self.missing().count(), all)
    }
}

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage::new()
    }
}
