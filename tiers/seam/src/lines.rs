//! Jump caches: tables of lines that say where code for the targets of jumps by registers is, one line an address.
//!
//! An address has two lines where it may be: that which its bits from bit 1 on name, where code looks first, and that one's
//! neighbour. Two places whose low bits are the same, which jumps come to in turn, are found both.

/// A line of a jump cache.
pub trait Line: Copy {
    /// Whether it is this guest address's.
    fn is_of(&self, pc: u64) -> bool;
}

/// The first line of a guest address in a cache of so many lines, a power of two of at least 2.
#[inline(always)]
pub fn first_way(pc: u64, lines: usize) -> usize {
    (pc >> 1) as usize & (lines - 1)
}

/// The first and the second line of a guest address.
pub fn ways(pc: u64, lines: usize) -> [usize; 2] {
    let first = first_way(pc, lines);
    [first, first ^ 1]
}

/// The line that a guest address has, if it has one.
pub fn line_of<L: Line>(lines: &mut [L], pc: u64) -> Option<&mut L> {
    let at = ways(pc, lines.len()).into_iter().find(|&at| lines[at].is_of(pc))?;
    Some(&mut lines[at])
}

/// Puts a line where its guest address is looked for first. What is there goes to its own other line.
pub fn insert<L: Line>(lines: &mut [L], pc: u64, line: L) {
    let [first, second] = ways(pc, lines.len());
    if !lines[first].is_of(pc) {
        lines[second] = lines[first];
    }
    lines[first] = line;
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Line for (u64, u32) {
        fn is_of(&self, pc: u64) -> bool {
            self.0 == pc
        }
    }

    #[test]
    fn two_addresses_with_the_same_low_bits_are_found_both() {
        let mut lines = [(u64::MAX, 0); 8];
        insert(&mut lines, 0x1004, (0x1004, 1));
        insert(&mut lines, 0x2004, (0x2004, 2));
        assert_eq!(lines[2..4], [(0x2004, 2), (0x1004, 1)]);
        insert(&mut lines, 0x1004, (0x1004, 3));
        assert_eq!(lines[2..4], [(0x1004, 3), (0x2004, 2)]);
        assert_eq!(line_of(&mut lines, 0x2004), Some(&mut (0x2004, 2)));
        // A neighbour takes the place of what was not asked for last.
        insert(&mut lines, 0x3006, (0x3006, 4));
        assert_eq!(lines[2..4], [(0x2004, 2), (0x3006, 4)]);
        assert_eq!(line_of(&mut lines, 0x1004), None);
        assert_eq!(lines.iter().filter(|line| line.1 != 0).count(), 2);
    }
}
