//! Bit strings: how an encoding is written in the table, and what the decoder and encoder read from it.
//!
//! A bit string lists the bits of an encoding from the highest to the lowest, separated by spaces, as the RISC-V manual's
//! instruction listings do. Runs of `0` and `1` are fixed bits. `rd`, `rs1`, `rs2`, `rs3` are five-bit register numbers and
//! `rd'`, `rs1'`, `rs2'` the three-bit ones of the C extension; `rd/rs1` names a register that is both. `rm` is the rounding
//! mode, `aqrl` the two ordering bits of an atomic. `imm[12|10:5]` holds the named bits of a signed immediate, `uimm[…]`
//! those of an unsigned one; missing low bits are zero.
//!
//! A second string holds what the bits alone do not say: `rs1=2` gives an operand that has no field, `rd!=2` and `imm!=0`
//! exclude encodings that belong to another row or are reserved.

/// Where an operand of at most eight bits is: `(bits >> shift & mask) | set`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    shift: u8,
    mask: u8,
    set: u8,
}

impl Field {
    /// An operand the encoding does not have; it reads as zero.
    const ABSENT: Field = Field { shift: 0, mask: 0, set: 0 };

    const fn get(self, bits: u32) -> u8 {
        ((bits >> self.shift) as u8 & self.mask) | self.set
    }

    const fn put(self, operand: u8) -> u32 {
        ((operand & self.mask) as u32) << self.shift
    }

    /// Whether the operand has bits of its own in the encoding.
    pub const fn is_present(self) -> bool {
        self.mask != 0
    }
}

/// A run of immediate bits: `width` bits at `from` in the encoding are the immediate's bits from `to` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    from: u8,
    to: u8,
    width: u8,
}

impl Part {
    const fn ones(self) -> u32 {
        (1 << self.width) - 1
    }
}

/// Encodings a row does not own although its fixed bits match: those with `bits & mask == value`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Excluded {
    mask: u32,
    value: u32,
}

impl Excluded {
    /// Excludes nothing: no bits under an empty mask equal one.
    const NOTHING: Excluded = Excluded { mask: 0, value: 1 };
}

/// An instruction's operands, as the fields of [`Inst`](crate::Inst) have them; absent ones are zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Operands {
    /// Destination register, 0 to 31.
    pub rd: u8,
    /// First source register, 0 to 31, or the five-bit immediate of `csrrwi` and its like.
    pub rs1: u8,
    /// Second source register, 0 to 31.
    pub rs2: u8,
    /// Third source register, 0 to 31.
    pub rs3: u8,
    /// Rounding mode 0 to 7, or `aq << 1 | rl`.
    pub rm: u8,
    /// The immediate.
    pub imm: i32,
}

/// Which encodings belong to a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// The fixed bits.
    pub mask: u32,
    /// The values of the fixed bits; zero outside of `mask`.
    pub value: u32,
    excluded: [Excluded; 2],
}

impl Pattern {
    /// Whether an encoding belongs to the row.
    #[inline]
    pub const fn matches(&self, bits: u32) -> bool {
        let [a, b] = self.excluded;
        bits & self.mask == self.value && bits & a.mask != a.value && bits & b.mask != b.value
    }

    /// Whether no encoding belongs to both rows: fixed bits differ, or one row excludes what the other fixes.
    pub(crate) const fn is_disjoint(&self, other: &Pattern) -> bool {
        self.mask & other.mask & (self.value ^ other.value) != 0 || self.gives_way_to(other) || other.gives_way_to(self)
    }

    const fn gives_way_to(&self, other: &Pattern) -> bool {
        let mut i = 0;
        while i < self.excluded.len() {
            let Excluded { mask, value } = self.excluded[i];
            if mask != 0 && other.mask & mask == mask && other.value & mask == value {
                return true;
            }
            i += 1;
        }
        false
    }

    const fn exclude(&mut self, mask: u32, value: u32) {
        let free = if self.excluded[0].mask == 0 { 0 } else { 1 };
        assert!(self.excluded[free].mask == 0, "no row excludes more than two patterns");
        self.excluded[free] = Excluded { mask, value };
    }
}

/// A parsed bit string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Which encodings belong to the row.
    pub pattern: Pattern,
    /// The field of the destination register.
    pub rd: Field,
    /// The field of the first source register.
    pub rs1: Field,
    /// The field of the second source register.
    pub rs2: Field,
    /// The field of the third source register.
    pub rs3: Field,
    /// The field of the rounding mode, or of the ordering bits of an atomic.
    pub rm: Field,
    parts: [Part; 8],
    part_count: u8,
    /// Left shift that brings the immediate's sign to bit 31; zero for unsigned ones.
    sign_shift: u8,
}

impl Layout {
    /// Parses a bit string of `width` bits and its notes.
    ///
    /// # Panics
    ///
    /// On a malformed string; since tables are constants, that is a compile error.
    pub(crate) const fn parse(text: &str, width: u32, notes: &str) -> Layout {
        let mut layout = Layout {
            pattern: Pattern { mask: 0, value: 0, excluded: [Excluded::NOTHING; 2] },
            rd: Field::ABSENT,
            rs1: Field::ABSENT,
            rs2: Field::ABSENT,
            rs3: Field::ABSENT,
            rm: Field::ABSENT,
            parts: [Part { from: 0, to: 0, width: 0 }; 8],
            part_count: 0,
            sign_shift: 0,
        };
        let text = text.as_bytes();
        let mut signed = false;
        let mut at = 0;
        let mut bit = width;
        while at < text.len() {
            let mut end = at;
            while end < text.len() && text[end] != b' ' {
                end += 1;
            }
            let word = slice(text, at, end);
            if word[0] == b'0' || word[0] == b'1' {
                let mut i = 0;
                while i < word.len() {
                    assert!(word[i] == b'0' || word[i] == b'1', "a run of fixed bits has another character in it");
                    bit -= 1;
                    layout.pattern.mask |= 1 << bit;
                    layout.pattern.value |= ((word[i] - b'0') as u32) << bit;
                    i += 1;
                }
            } else if starts_with(word, b"imm[") {
                signed = true;
                bit = layout.parse_parts(word, 4, bit);
            } else if starts_with(word, b"uimm[") {
                bit = layout.parse_parts(word, 5, bit);
            } else {
                bit = layout.parse_field(word, bit);
            }
            at = end + 1;
        }
        assert!(bit == 0, "the bit string has another length than the encoding");
        if signed {
            let mut top = 0;
            let mut i = 0;
            while i < layout.part_count as usize {
                let end = layout.parts[i].to + layout.parts[i].width;
                if end > top {
                    top = end;
                }
                i += 1;
            }
            layout.sign_shift = 32 - top;
        }
        layout.parse_notes(notes.as_bytes());
        layout
    }

    const fn parse_field(&mut self, word: &[u8], bit: u32) -> u32 {
        let (width, set) = if word[word.len() - 1] == b'\'' { (3, 8) } else { (5, 0) };
        let register = Field { shift: (bit - width) as u8, mask: (1 << width) - 1, set };
        if is(word, b"rd") || is(word, b"rd'") {
            self.rd = register;
        } else if is(word, b"rs1") || is(word, b"rs1'") {
            self.rs1 = register;
        } else if is(word, b"rs2") || is(word, b"rs2'") {
            self.rs2 = register;
        } else if is(word, b"rs3") {
            self.rs3 = register;
        } else if is(word, b"rd/rs1") || is(word, b"rd'/rs1'") {
            self.rd = register;
            self.rs1 = register;
        } else if is(word, b"rm") {
            self.rm = Field { shift: (bit - 3) as u8, mask: 7, set: 0 };
            // Rounding modes 5 and 6 are reserved ("Floating-Point Control and Status Register").
            self.pattern.exclude(7 << (bit - 3), 5 << (bit - 3));
            self.pattern.exclude(7 << (bit - 3), 6 << (bit - 3));
            return bit - 3;
        } else if is(word, b"aqrl") {
            self.rm = Field { shift: (bit - 2) as u8, mask: 3, set: 0 };
            return bit - 2;
        } else {
            panic!("unknown field in a bit string");
        }
        bit - width
    }

    /// Parses `hi:lo|n|…]` from `at` on; the parts fill the encoding downwards from below `bit`.
    const fn parse_parts(&mut self, word: &[u8], mut at: usize, mut bit: u32) -> u32 {
        loop {
            let (high, next) = number(word, at);
            let (low, next) = if word[next] == b':' { number(word, next + 1) } else { (high, next) };
            let width = high - low + 1;
            bit -= width;
            self.parts[self.part_count as usize] = Part { from: bit as u8, to: low as u8, width: width as u8 };
            self.part_count += 1;
            at = next + 1;
            if word[next] == b']' {
                return bit;
            }
            assert!(word[next] == b'|', "parts of an immediate are separated by a bar");
        }
    }

    const fn parse_notes(&mut self, notes: &[u8]) {
        let mut at = 0;
        while at < notes.len() {
            let mut end = at;
            while end < notes.len() && notes[end] != b' ' {
                end += 1;
            }
            let mut name_end = at;
            while notes[name_end] != b'=' && notes[name_end] != b'!' {
                name_end += 1;
            }
            let name = slice(notes, at, name_end);
            if notes[name_end] == b'!' {
                let (value, _) = number(notes, name_end + 2);
                if is(name, b"imm") {
                    assert!(value == 0, "only zero can be excluded from an immediate");
                    let mut mask = 0;
                    let mut i = 0;
                    while i < self.part_count as usize {
                        mask |= self.parts[i].ones() << self.parts[i].from;
                        i += 1;
                    }
                    self.pattern.exclude(mask, 0);
                } else {
                    let field = *self.operand_mut(name);
                    assert!(field.mask == 31, "only five-bit registers can be excluded");
                    self.pattern.exclude(31 << field.shift, value << field.shift);
                }
            } else {
                let (value, _) = number(notes, name_end + 1);
                let field = self.operand_mut(name);
                assert!(!field.is_present() && value < 32, "an operand is given twice");
                field.set = value as u8;
            }
            at = end + 1;
        }
    }

    const fn operand_mut(&mut self, name: &[u8]) -> &mut Field {
        if is(name, b"rd") {
            &mut self.rd
        } else if is(name, b"rs1") {
            &mut self.rs1
        } else if is(name, b"rs2") {
            &mut self.rs2
        } else {
            panic!("unknown operand in a note")
        }
    }

    /// Reads the operands from an encoding that [matches](Pattern::matches).
    #[inline(always)]
    pub fn extract(&self, bits: u32) -> Operands {
        let mut imm = 0;
        for part in self.parts.iter().take(usize::from(self.part_count)) {
            imm |= ((bits >> part.from) & part.ones()) << part.to;
        }
        Operands {
            rd: self.rd.get(bits),
            rs1: self.rs1.get(bits),
            rs2: self.rs2.get(bits),
            rs3: self.rs3.get(bits),
            rm: self.rm.get(bits),
            imm: ((imm << self.sign_shift) as i32) >> self.sign_shift,
        }
    }

    /// The encoding with these operands, or `None` if the row cannot express them: an immediate out of range or not a
    /// multiple of its unit, a register without encoding, an operand that the row does not have and that is not zero, or a
    /// combination that is reserved.
    pub fn insert(&self, operands: &Operands) -> Option<u32> {
        let mut bits = self.pattern.value
            | self.rd.put(operands.rd)
            | self.rs1.put(operands.rs1)
            | self.rs2.put(operands.rs2)
            | self.rs3.put(operands.rs3)
            | self.rm.put(operands.rm);
        for part in self.parts.iter().take(usize::from(self.part_count)) {
            bits |= ((operands.imm as u32 >> part.to) & part.ones()) << part.from;
        }
        (self.pattern.matches(bits) && self.extract(bits) == *operands).then_some(bits)
    }

    /// Whether the encoding has an immediate.
    pub const fn has_imm(&self) -> bool {
        self.part_count != 0
    }
}

const fn slice(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.split_at(end).0.split_at(start).1
}

const fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.len() >= prefix.len() && is(slice(text, 0, prefix.len()), prefix)
}

const fn is(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Reads decimal digits from `at` on; returns the number and where it ends.
const fn number(text: &[u8], mut at: usize) -> (u32, usize) {
    let start = at;
    let mut value = 0;
    while at < text.len() && text[at].is_ascii_digit() {
        value = value * 10 + (text[at] - b'0') as u32;
        at += 1;
    }
    assert!(at > start, "a number is missing in a bit string");
    (value, at)
}
