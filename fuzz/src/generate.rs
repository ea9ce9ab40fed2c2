//! Random programs: valid instructions with operands that make them do something, control flow that comes back, and a
//! share of everything that leaves.

use crate::memory::TABLE;
use crate::memory::TABLE_ENTRIES;
use crate::program::{Item, PATCH_ADDRESS, PATCH_VALUE, Program, RETURN, SLOTS, immediate, register};
use crate::random::Random;
use friscy_boundary::Regs;
use friscy_isa::{COMPRESSED, Extension, Flags, Inst, Op, Row, encode};

/// Registers that are computed with: few, so that results are used.
const INTEGERS: [u8; 12] = [0, 1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 28];
/// Registers that hold addresses of data, mostly unchanged.
const POINTERS: [u8; 6] = [2, 8, 9, 18, 19, 20];
/// Floating-point registers.
const FLOATS: [u8; 10] = [0, 1, 2, 3, 8, 9, 10, 11, 12, 13];
/// Counts loops down.
const COUNTER: u8 = 27;

const NO_OPERANDS: Inst = Inst { op: Op::Addi, rd: 0, rs1: 0, rs2: 0, rs3: 0, rm: 0, imm: 0, len: 4, bits: 0 };

/// The program of a seed. One in eight has loops that only load.
pub fn generate(seed: u64) -> Program {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d);
    let most = random.pick(&[4, 12, 30, 60, 60, 200]);
    let len = 2 + random.below(most) as usize;
    let mut generator = Generator { random, len, items: Vec::new(), scans: seed % 8 == 3 };
    while generator.items.len() < len {
        generator.some();
    }
    let Generator { random, items, .. } = generator;
    surround(random, items)
}

/// A program of this code, with registers, memory and runs drawn from `random`.
pub fn surround(mut random: Random, items: Vec<Item>) -> Program {
    let mut regs = Regs::default();
    for r in 1..32 {
        regs.x[r] = random.integer();
    }
    for r in POINTERS {
        regs.x[r as usize] = random.address();
        if random.one_in(24) {
            regs.x[r as usize] |= random.bits() << 32;
        }
    }
    regs.x[COUNTER as usize] = random.below(20);
    for f in &mut regs.f {
        *f = random.float();
    }
    regs.frm = random.frm();
    regs.fflags = random.below(32) as u32;
    let slices = (0..1 + random.below(24)).map(|_| random.pick(&[0, 1, 2, 7, 40, 150, 400])).collect();
    let start = if random.one_in(3) { 0 } else { 0x1000 - 2 * random.below(40) };
    let table = (0..TABLE_ENTRIES).map(|_| random.below(items.len().max(1) as u64) as usize).collect();
    Program { start, table, fill: Some(random.bits()), regs, slices, kernel: random.bits(), items }
}

struct Generator {
    random: Random,
    /// How many items there will be, about: where branches lead.
    len: usize,
    items: Vec<Item>,
    /// Makes loops that only load.
    scans: bool,
}

/// Whether the register in a row's `rd` field is a floating-point one.
fn has_float_result(row: &Row) -> bool {
    row.asm.starts_with("fd")
}

impl Generator {
    fn some(&mut self) {
        if self.scans && self.random.one_in(6) {
            return self.scan();
        }
        match self.random.below(100) {
            0..4 => self.again(),
            4..24 => self.computation(|row| !matches!(row.extension, Extension::F | Extension::D)),
            24..46 => self.computation(|row| matches!(row.extension, Extension::F | Extension::D)),
            46..60 => self.access(),
            60..69 => self.compressed(),
            69..76 => self.branch(),
            76..80 => self.jump(),
            80..84 => self.indirect(),
            84..89 => self.csr(),
            89..94 => self.atomic(),
            94..97 => self.patched(),
            97 => self.pointer(),
            98 => self.trap(),
            _ => self.any_word(),
        }
    }

    fn raw(&mut self, inst: &Inst) {
        if let Some(bits) = encode(inst) {
            self.items.push(Item::Raw { bits, len: inst.len });
        }
    }

    fn target(&mut self) -> usize {
        // Near ones more often, so that code in between runs.
        let here = self.items.len() as u64;
        match self.random.below(3) {
            0 => self.random.below(self.len as u64) as usize,
            1 => (here + 1 + self.random.below(6)) as usize,
            _ => here.saturating_sub(self.random.below(8)) as usize,
        }
    }

    fn integer(&mut self) -> u8 {
        if self.random.one_in(30) { self.random.below(30) as u8 } else { self.random.pick(&INTEGERS) }
    }

    /// A destination: pointers and what patches need mostly stay.
    fn result(&mut self) -> u8 {
        if self.random.one_in(60) { self.random.below(30) as u8 } else { self.random.pick(&INTEGERS) }
    }

    fn float(&mut self) -> u8 {
        self.random.pick(&FLOATS)
    }

    fn base(&mut self) -> u8 {
        if self.random.one_in(24) { self.random.pick(&INTEGERS) } else { self.random.pick(&POINTERS) }
    }

    /// Gives an instruction of a row's encoding the registers of the program.
    fn operands(&mut self, row: &Row, mut inst: Inst) -> Inst {
        let words = row.asm;
        if row.layout.rd.is_present() {
            inst.rd = if has_float_result(row) { self.float() } else { self.result() };
        }
        if row.layout.rs1.is_present() && !words.contains("zimm") {
            inst.rs1 = if words.contains("fs1") { self.float() } else { self.integer() };
        }
        if row.layout.rs2.is_present() {
            inst.rs2 = if words.contains("fs2") { self.float() } else { self.integer() };
        }
        if row.layout.rs3.is_present() {
            inst.rs3 = self.float();
        }
        inst
    }

    /// A sample of a random base row that `wanted` takes.
    fn sample(&mut self, wanted: impl Fn(&Row) -> bool) -> Inst {
        loop {
            let row = self.random.pick(&Op::ALL).info();
            if wanted(row) {
                if let Some(inst) = row.sample(self.random.bits() as u32) {
                    return self.operands(row, inst);
                }
            }
        }
    }

    /// An earlier instruction once more, with another destination: its result may be known.
    fn again(&mut self) {
        let at = self.items.len().saturating_sub(1 + self.random.below(6) as usize);
        let Some(&Item::Raw { bits, len: 4 }) = self.items.get(at) else { return };
        let Some(mut inst) = friscy_isa::decode(bits) else { return };
        let row = inst.op.info();
        if row.layout.rd.is_present() && !row.flags.intersects(Flags::CONTROL.or(Flags::CSR)) && inst.rd < 28 {
            // A result that goes nowhere may be taken for the next one's, over whatever leaves in between.
            if !has_float_result(row) && self.random.one_in(3) {
                self.raw(&Inst { rd: 0, ..inst });
                self.access();
            }
            inst.rd = if has_float_result(row) { self.float() } else { self.result() };
            self.raw(&inst);
        }
    }

    fn computation(&mut self, wanted: fn(&Row) -> bool) {
        let others = Flags::LOAD.or(Flags::STORE).or(Flags::CONTROL).or(Flags::TRAP).or(Flags::CSR);
        let mut inst = self.sample(|row| !row.flags.intersects(others) && wanted(row));
        if inst.op == Op::FenceI && !self.random.one_in(8) {
            return;
        }
        // Short immediates, shifts by little: results stay related.
        if matches!(inst.op, Op::Addi | Op::Addiw | Op::Andi | Op::Ori | Op::Xori | Op::Slti | Op::Sltiu)
            && self.random.one_in(2)
        {
            inst.imm = self.random.below(32) as i32 - 16;
        }
        if inst.op == Op::Slli && self.random.one_in(2) {
            inst.imm = self.random.below(4) as i32;
        }
        // Two instructions of which one uses the other's result at once are what handlers of pairs are about.
        if let Some(Item::Raw { bits, len: 4 }) = self.items.last().copied() {
            let before = friscy_isa::decode(bits).filter(|before| {
                let row = before.op.info();
                row.layout.rd.is_present() && !has_float_result(row) && !inst.op.info().asm.contains("fs1")
            });
            if let Some(before) = before.filter(|_| inst.op.info().layout.rs1.is_present() && self.random.one_in(2)) {
                if inst.op.info().layout.rs2.is_present() && self.random.one_in(2) {
                    inst.rs2 = before.rd;
                } else {
                    inst.rs1 = before.rd;
                }
            }
        }
        self.raw(&inst);
    }

    fn displacement(&mut self) -> i32 {
        match self.random.below(4) {
            0 => 0,
            1 | 2 => self.random.below(64) as i32 - 32,
            _ => self.random.below(4096) as i32 - 2048,
        }
    }

    fn access(&mut self) {
        let memory = Flags::LOAD.or(Flags::STORE);
        let mut inst = self.sample(|row| row.flags.intersects(memory) && row.extension != Extension::A);
        inst.rs1 = self.base();
        inst.imm = self.displacement();
        self.raw(&inst);
    }

    fn compressed(&mut self) {
        let row = &COMPRESSED[self.random.below(COMPRESSED.len() as u64) as usize];
        if row.flags.contains(Flags::TRAP) && !self.random.one_in(4) {
            return;
        }
        let Some(mut inst) = row.sample(self.random.bits() as u32) else { return };
        if matches!(inst.op, Op::Beq | Op::Bne | Op::Jal) {
            let to = self.target();
            self.items.push(Item::To(inst, to));
            return;
        }
        if inst.op == Op::Jalr {
            // Through the link register, or a register with any value.
            if inst.rs1 != 1 && !self.random.one_in(8) {
                return;
            }
        } else if !row.flags.intersects(Flags::LOAD.or(Flags::STORE)) && row.layout.rd.is_present() {
            // Registers with addresses mostly stay.
            if POINTERS.contains(&inst.rd) && !self.random.one_in(12) {
                return;
            }
        }
        if inst.rd == PATCH_ADDRESS || inst.rs1 == PATCH_ADDRESS || inst.rs1 == PATCH_VALUE {
            return;
        }
        inst.bits &= 0xffff;
        self.items.push(Item::Raw { bits: inst.bits, len: 2 });
    }

    fn branch(&mut self) {
        let to = self.target();
        if self.random.one_in(4) {
            // A loop that ends.
            let back = self.items.len().saturating_sub(1 + self.random.below(10) as usize);
            self.items.push(immediate(Op::Addi, COUNTER, COUNTER, -1));
            self.items.push(Item::To(Inst { op: Op::Bne, rs1: COUNTER, ..NO_OPERANDS }, back));
            return;
        }
        let op = self.random.pick(&[Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu]);
        let inst = Inst { op, rs1: self.integer(), rs2: self.integer(), ..NO_OPERANDS };
        self.items.push(Item::To(inst, to));
    }

    /// A loop that only loads, on its way to where memory ends.
    fn scan(&mut self) {
        let others = Flags::STORE.or(Flags::CONTROL).or(Flags::TRAP).or(Flags::CSR);
        let back = self.items.len();
        let base = self.random.pick(&POINTERS);
        for _ in 0..2 + self.random.below(6) {
            let mut inst = self.sample(|row| !row.flags.intersects(others) && row.extension != Extension::A);
            if inst.op.info().flags.intersects(Flags::LOAD) {
                inst.rs1 = if self.random.one_in(6) { self.base() } else { base };
                inst.imm = self.displacement();
            }
            if inst.op != Op::FenceI && !POINTERS.contains(&inst.rd) {
                self.raw(&inst);
            }
        }
        if self.random.one_in(3) {
            // Not all of it in each round.
            let to = self.items.len() + 2 + self.random.below(2) as usize;
            let inst = Inst { op: Op::Bne, rs1: self.integer(), rs2: self.integer(), ..NO_OPERANDS };
            self.items.push(Item::To(inst, to));
            let rd = self.result();
            self.items.push(immediate(Op::Addi, rd, rd, 3));
        }
        let step = self.random.pick(&[8, 64, 512, 1024, -8, -512]);
        self.items.push(immediate(Op::Addi, base, base, step));
        let (count, over) = (self.random.pick(&[COUNTER, base]), self.random.pick(&[0, 0, 12]));
        if count == COUNTER {
            self.items.push(immediate(Op::Addi, COUNTER, COUNTER, -1));
        }
        self.items.push(Item::To(Inst { op: Op::Bne, rs1: count, rs2: over, ..NO_OPERANDS }, back));
    }

    fn jump(&mut self) {
        let to = self.target();
        let rd = self.random.pick(&[0, 1, 1, 1, 5, 7]);
        self.items.push(Item::To(Inst { op: Op::Jal, rd, ..NO_OPERANDS }, to));
    }

    fn indirect(&mut self) {
        match self.random.below(8) {
            0..3 => self.items.push(Item::Raw { bits: RETURN, len: 4 }),
            3 | 4 => {
                let to = self.target();
                self.items.push(Item::AddressOf(PATCH_VALUE, to));
                let rd = self.random.pick(&[0, 1, 5]);
                // Now and then into the middle of something, or to an odd address.
                let imm = if self.random.one_in(8) { self.random.below(8) as i32 - 2 } else { 0 };
                self.items.push(immediate(Op::Jalr, rd, PATCH_VALUE, imm));
            }
            5 | 6 => {
                let index = self.integer();
                self.items.push(immediate(Op::Andi, 29, index, TABLE_ENTRIES as i32 - 1));
                self.items.push(immediate(Op::Slli, 29, 29, 3));
                self.items.push(Item::Number(PATCH_VALUE, TABLE as u32));
                self.items.push(register(Op::Add, PATCH_VALUE, PATCH_VALUE, 29));
                self.items.push(immediate(Op::Ld, PATCH_VALUE, PATCH_VALUE, 0));
                self.items.push(immediate(Op::Jalr, 0, PATCH_VALUE, 0));
            }
            // Anywhere.
            _ => {
                let (rd, rs1) = (self.random.pick(&[0, 1, 5]), self.integer());
                let imm = self.displacement();
                if self.random.one_in(3) {
                    self.items.push(immediate(Op::Jalr, rd, rs1, imm));
                }
            }
        }
    }

    fn csr(&mut self) {
        let mut inst = self.sample(|row| row.flags.contains(Flags::CSR));
        inst.imm = self.random.pick(&[1, 1, 1, 1, 2, 2, 3, 3, 0xc00, 0xc01, 0xc02, 0x342]);
        if inst.imm >= 0xc00 {
            inst = Inst { op: Op::Csrrs, rs1: 0, ..inst };
        }
        if inst.imm >= 0x300 && !self.random.one_in(3) {
            return;
        }
        if inst.op.info().asm.contains("zimm") && inst.imm == 2 {
            inst.rs1 = self.random.frm() as u8;
        }
        self.raw(&inst);
    }

    fn atomic(&mut self) {
        let base = self.random.pick(&POINTERS);
        if !self.random.one_in(8) {
            self.items.push(immediate(Op::Andi, base, base, -8));
        }
        if self.random.one_in(2) {
            let mut inst = self.sample(|row| row.extension == Extension::A);
            inst.rs1 = base;
            self.raw(&inst);
            return;
        }
        let load = self.random.pick(&[Op::LrW, Op::LrD]);
        let store = match self.random.one_in(4) {
            true => self.random.pick(&[Op::ScW, Op::ScD]),
            false if load == Op::LrW => Op::ScW,
            false => Op::ScD,
        };
        let rd = self.result();
        let rm = self.random.below(4) as u8;
        self.raw(&Inst { op: load, rd, rs1: base, rm, ..NO_OPERANDS });
        for _ in 0..self.random.below(3) {
            self.some();
        }
        if self.random.one_in(3) {
            let op = self.random.pick(&[Op::Sb, Op::Sw, Op::Sd]);
            let (rs2, imm) = (self.integer(), self.random.below(8) as i32);
            self.raw(&Inst { op, rs1: base, rs2, imm, ..NO_OPERANDS });
        }
        let (rd, rs2) = (self.result(), self.integer());
        let rs1 = if self.random.one_in(8) { self.base() } else { base };
        let rm = self.random.below(4) as u8;
        self.raw(&Inst { op: store, rd, rs1, rs2, rm, ..NO_OPERANDS });
    }

    fn patched(&mut self) {
        let slot = self.random.below(SLOTS.len() as u64) as u8;
        let call = if self.random.one_in(2) { Item::CallPatched(slot) } else { Item::CallPatchedDirectly(slot) };
        let here = self.items.len();
        let before = self.random.one_in(2);
        if before {
            self.items.push(call);
        }
        if self.random.one_in(2) {
            let others = Flags::LOAD.or(Flags::STORE).or(Flags::CONTROL).or(Flags::TRAP).or(Flags::CSR);
            let inst = self.sample(|row| !row.flags.intersects(others) && row.op != Op::FenceI && row.op != Op::Auipc);
            if inst.rd != 1 {
                self.items.push(Item::Patch(slot, inst.bits_of()));
            }
        }
        if !before {
            self.items.push(call);
        } else if self.random.one_in(2) {
            // The same call once more after the change.
            self.items.push(immediate(Op::Addi, COUNTER, COUNTER, -1));
            self.items.push(Item::To(Inst { op: Op::Bne, rs1: COUNTER, ..NO_OPERANDS }, here));
        }
    }

    fn pointer(&mut self) {
        let (rd, address) = (self.random.pick(&POINTERS), self.random.address());
        self.items.push(Item::Number(rd, address as u32));
    }

    fn trap(&mut self) {
        let bits = self.random.pick(&[0x0000_0073, 0x0010_0073, 0x0000_100f]);
        self.items.push(Item::Raw { bits, len: 4 });
    }

    /// Any bits at all, or ones that are close to an instruction.
    fn any_word(&mut self) {
        let bits = match self.random.below(3) {
            0 => self.random.bits() as u32,
            1 => self.sample(|row| !row.flags.contains(Flags::STORE)).bits_of() ^ 1 << self.random.below(32),
            _ => {
                self.sample(|row| row.asm.contains("rm")).bits_of() & !(7 << 12)
                    | (5 + self.random.below(2) as u32) << 12
            }
        };
        // Nothing here may write where patches do.
        let bits = if bits & 3 == 3 && bits & 0x7b == 0x23 { 0xffff_ffff } else { bits };
        self.items.push(Item::Raw { bits, len: if bits & 3 == 3 { 4 } else { 2 } });
    }
}

trait Bits {
    /// The encoding with the operands that the instruction has now.
    fn bits_of(&self) -> u32;
}

impl Bits for Inst {
    fn bits_of(&self) -> u32 {
        encode(self).unwrap_or(self.bits)
    }
}
