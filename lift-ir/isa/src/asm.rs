//! Assembly text of single instructions, both ways.
//!
//! The text is what GNU `objdump -d -M no-aliases` prints, without its comments and symbols: mnemonic, a tab, operands
//! separated by commas. Operand templates in the table are made of these words, and of characters that stand for themselves:
//!
//! | word | meaning |
//! |---|---|
//! | `rd` `rs1` `rs2` | integer registers by ABI name |
//! | `fd` `fs1` `fs2` `fs3` | floating-point registers by ABI name, in the fields `rd` to `rs3` |
//! | `sp` | the stack pointer, implied by the encoding |
//! | `imm` | the immediate, decimal |
//! | `shamt` | the immediate, hexadecimal |
//! | `uimm20` | bits 31:12 of the immediate, hexadecimal |
//! | `zimm` | the field `rs1` as a number, decimal |
//! | `target` | the instruction's address plus the immediate, hexadecimal |
//! | `csr` | the immediate as the name of a CSR, or hexadecimal |
//! | `pred` `succ` | bits 7:4 and 3:0 of the immediate as a set of `i`, `o`, `r`, `w` |
//! | `rm` | the rounding mode; left out with its comma if dynamic |
//! | `rm?` | the same for conversions that are always exact; left out if zero, which assemblers encode |

use std::fmt::{self, Write};

use crate::Inst;
use crate::decode::find_row;
use crate::layout::Operands;
use crate::table::{COMPRESSED, Extension, Flags, Op, ROWS, Row};

/// Names of the integer registers in the calling convention.
pub const X_NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2",
    "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];

/// Names of the floating-point registers in the calling convention.
pub const F_NAMES: [&str; 32] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5",
    "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
];

/// Names of the rounding modes; 5 and 6 are reserved.
const RM_NAMES: [&str; 8] = ["rne", "rtz", "rdn", "rup", "rmm", "", "", "dyn"];

/// Names of the unprivileged CSRs but for `hpmcounter3` to `hpmcounter31`, which start at [`HPMCOUNTER`].
const CSR_NAMES: [(i32, &str); 14] = [
    (0x001, "fflags"),
    (0x002, "frm"),
    (0x003, "fcsr"),
    (0x008, "vstart"),
    (0x009, "vxsat"),
    (0x00a, "vxrm"),
    (0x00f, "vcsr"),
    (0x015, "seed"),
    (0xc00, "cycle"),
    (0xc01, "time"),
    (0xc02, "instret"),
    (0xc20, "vl"),
    (0xc21, "vtype"),
    (0xc22, "vlenb"),
];

/// The number that `hpmcounter0` would have.
const HPMCOUNTER: i32 = 0xc00;

/// Suffixes of an atomic's mnemonic, by its ordering bits.
const ORDER_SUFFIXES: [&str; 4] = ["", ".rl", ".aq", ".aqrl"];

/// The immediate of `fence.tso`: fm is 8, both sets are `rw`.
const FENCE_TSO: i32 = 0x833;

/// Splits an operand template into words and single characters between them.
fn pieces(template: &'static str) -> impl Iterator<Item = &'static str> {
    let mut rest = template;
    std::iter::from_fn(move || {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '?').unwrap_or(rest.len());
        let (piece, tail) = rest.split_at_checked(word.max(1))?;
        rest = tail;
        Some(piece)
    })
}

/// The rounding mode that a template's last word leaves out.
fn default_rm(template: &str) -> Option<u8> {
    if template.ends_with(",rm") {
        Some(7)
    } else if template.ends_with(",rm?") {
        Some(0)
    } else {
        None
    }
}

fn without_rm(template: &'static str) -> &'static str {
    template.rsplit_once(',').map_or(template, |(head, _)| head)
}

/// The text of an instruction at address `pc`. If its length is 2, [`Inst::bits`] chooses the mnemonic. Fences with reserved
/// fields are written as data, as `objdump` does.
pub fn disassemble(inst: &Inst, pc: u64) -> String {
    let row = match find_row(inst.bits) {
        Some(row) if inst.len == 2 && row.op == inst.op => row,
        _ => inst.op.info(),
    };
    let mut text = String::from(row.name);
    if row.flags.contains(Flags::FENCE) {
        // `fence.i` has no operands to show, `fence` shows the two sets.
        let shown = if inst.op == Op::Fence { 0xff } else { 0 };
        let is_plain = inst.rd == 0 && inst.rs1 == 0;
        if is_plain && inst.op == Op::Fence && inst.imm == FENCE_TSO {
            return String::from("fence.tso");
        }
        if !is_plain || inst.imm & !shown != 0 {
            return format!(".4byte\t{:#x}", inst.bits);
        }
    }
    if row.extension == Extension::A {
        text.push_str(ORDER_SUFFIXES.get(usize::from(inst.rm)).copied().unwrap_or_default());
    }
    let template = match default_rm(row.asm) {
        Some(rm) if rm == inst.rm => without_rm(row.asm),
        _ => row.asm,
    };
    if !template.is_empty() {
        text.push('\t');
    }
    for piece in pieces(template) {
        // Writing to a string does not fail.
        let _ = write_piece(&mut text, piece, inst, pc);
    }
    text
}

fn write_piece(out: &mut String, piece: &'static str, inst: &Inst, pc: u64) -> fmt::Result {
    let name = |names: &[&'static str; 32], register: u8| names[usize::from(register & 31)];
    match piece {
        "rd" => out.write_str(name(&X_NAMES, inst.rd)),
        "rs1" => out.write_str(name(&X_NAMES, inst.rs1)),
        "rs2" => out.write_str(name(&X_NAMES, inst.rs2)),
        "fd" => out.write_str(name(&F_NAMES, inst.rd)),
        "fs1" => out.write_str(name(&F_NAMES, inst.rs1)),
        "fs2" => out.write_str(name(&F_NAMES, inst.rs2)),
        "fs3" => out.write_str(name(&F_NAMES, inst.rs3)),
        "imm" => write!(out, "{}", inst.imm),
        "shamt" => write!(out, "{:#x}", inst.imm),
        "uimm20" => write!(out, "{:#x}", inst.imm as u32 >> 12),
        "zimm" => write!(out, "{}", inst.rs1),
        "target" => write!(out, "{:#x}", pc.wrapping_add_signed(i64::from(inst.imm))),
        "csr" => match CSR_NAMES.iter().find(|(number, _)| *number == inst.imm) {
            Some((_, name)) => out.write_str(name),
            None if (HPMCOUNTER + 3..HPMCOUNTER + 32).contains(&inst.imm) => {
                write!(out, "hpmcounter{}", inst.imm - HPMCOUNTER)
            }
            None => write!(out, "{:#x}", inst.imm),
        },
        "pred" => write_fence_set(out, inst.imm >> 4),
        "succ" => write_fence_set(out, inst.imm),
        "rm" | "rm?" => out.write_str(RM_NAMES[usize::from(inst.rm & 7)]),
        text => out.write_str(text),
    }
}

fn write_fence_set(out: &mut String, set: i32) -> fmt::Result {
    if set & 15 == 0 {
        return out.write_str("unknown");
    }
    for (bit, letter) in [(8, 'i'), (4, 'o'), (2, 'r'), (1, 'w')] {
        if set & bit != 0 {
            out.write_char(letter)?;
        }
    }
    Ok(())
}

/// Why a line is not an instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AsmError {
    /// No row has this mnemonic.
    Mnemonic(String),
    /// The operands do not have the form of the template.
    Syntax {
        /// The template of the operands.
        expected: &'static str,
    },
    /// This operand is not a register, number or name of the kind that the template asks for.
    Operand(String),
    /// The encoding cannot hold these operands.
    Range,
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsmError::Mnemonic(name) => write!(f, "unknown mnemonic `{name}`"),
            AsmError::Syntax { expected: "" } => write!(f, "no operands expected"),
            AsmError::Syntax { expected } => write!(f, "operands expected: {expected}"),
            AsmError::Operand(text) => write!(f, "bad operand `{text}`"),
            AsmError::Range => write!(f, "the encoding cannot hold these operands"),
        }
    }
}

impl std::error::Error for AsmError {}

/// Assembles one line, in the form that [`disassemble`] writes; registers may also be written `x5` or `f5`, and `#` begins a
/// comment. Compressed encodings are chosen by their mnemonics and returned in the low half. Branch and jump targets are
/// relative to address 0: the line is the text of an instruction there, or holds the offset itself.
///
/// # Errors
///
/// See [`AsmError`].
pub fn assemble(line: &str) -> Result<u32, AsmError> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let (name, text) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let text = text.trim();
    if name == ".4byte" {
        return u32::try_from(number(text)?).map_err(|_| AsmError::Range);
    }
    if name == "fence.tso" && text.is_empty() {
        let operands = Operands { imm: FENCE_TSO, ..Operands::default() };
        return Op::Fence.info().layout.insert(&operands).ok_or(AsmError::Range);
    }
    if let Some(row) = find_mnemonic(name) {
        return assemble_row(row, 0, text);
    }
    for (order, suffix) in (1..).zip(&ORDER_SUFFIXES[1..]) {
        match name.strip_suffix(*suffix).and_then(find_mnemonic) {
            Some(row) if row.extension == Extension::A => return assemble_row(row, order, text),
            _ => {}
        }
    }
    Err(AsmError::Mnemonic(name.to_owned()))
}

fn find_mnemonic(name: &str) -> Option<&'static Row> {
    ROWS.iter().chain(&COMPRESSED).find(|row| row.name == name)
}

fn assemble_row(row: &'static Row, order: u8, mut text: &str) -> Result<u32, AsmError> {
    let layout = &row.layout;
    let syntax = || AsmError::Syntax { expected: row.asm };
    // Operands that the template does not show are those that the encoding implies.
    let mut operands = layout.extract(layout.pattern.value);
    operands.rm = order;
    let mut template = row.asm;
    if let Some(rm) = default_rm(template) {
        let short = without_rm(template);
        if text.matches(',').count() == short.matches(',').count() {
            template = short;
            operands.rm = rm;
        }
    }
    for piece in pieces(template) {
        text = text.trim_start();
        if !piece.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            text = text.strip_prefix(piece).ok_or_else(syntax)?;
            continue;
        }
        let end = text.find([',', '(', ')']).unwrap_or(text.len());
        let (operand, rest) = text.split_at(end);
        text = rest;
        let operand = operand.trim();
        if operand.is_empty() {
            return Err(syntax());
        }
        read_piece(&mut operands, piece, operand)?;
    }
    if !text.is_empty() {
        return Err(syntax());
    }
    if layout.rs1.is_present() && layout.rs1 == layout.rd {
        operands.rs1 = operands.rd;
    }
    layout.insert(&operands).ok_or(AsmError::Range)
}

fn read_piece(operands: &mut Operands, piece: &str, text: &str) -> Result<(), AsmError> {
    let bad = || AsmError::Operand(text.to_owned());
    match piece {
        "rd" => operands.rd = x_register(text)?,
        "rs1" => operands.rs1 = x_register(text)?,
        "rs2" => operands.rs2 = x_register(text)?,
        "fd" => operands.rd = f_register(text)?,
        "fs1" => operands.rs1 = f_register(text)?,
        "fs2" => operands.rs2 = f_register(text)?,
        "fs3" => operands.rs3 = f_register(text)?,
        "sp" if x_register(text)? == 2 => {}
        "imm" | "shamt" | "target" => operands.imm = i32::try_from(number(text)?).map_err(|_| AsmError::Range)?,
        "uimm20" => match number(text)? {
            value @ 0..=0xf_ffff => operands.imm = (value << 12) as i32,
            _ => return Err(AsmError::Range),
        },
        "zimm" => operands.rs1 = u8::try_from(number(text)?).map_err(|_| AsmError::Range)?,
        "csr" => operands.imm = csr_number(text)?,
        "pred" => operands.imm |= fence_set(text).ok_or_else(bad)? << 4,
        "succ" => operands.imm |= fence_set(text).ok_or_else(bad)?,
        "rm" | "rm?" => {
            let mode = RM_NAMES.iter().position(|name| *name == text).ok_or_else(bad)?;
            operands.rm = mode as u8;
        }
        _ => return Err(bad()),
    }
    Ok(())
}

/// A number from -2^63 to 2^64 - 1; those from 2^63 up are taken modulo 2^64, which is how targets below address 0 are written.
fn number(text: &str) -> Result<i64, AsmError> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let magnitude = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let value = magnitude.map_err(|_| AsmError::Operand(text.to_owned()))? as i64;
    Ok(if negative { value.wrapping_neg() } else { value })
}

fn register(text: &str, names: &[&str; 32], prefix: char) -> Result<u8, AsmError> {
    let by_number = || text.strip_prefix(prefix)?.parse().ok().filter(|number| *number < 32);
    let number = names.iter().position(|name| *name == text).map(|number| number as u8).or_else(by_number);
    number.ok_or_else(|| AsmError::Operand(text.to_owned()))
}

fn x_register(text: &str) -> Result<u8, AsmError> {
    register(if text == "fp" { "s0" } else { text }, &X_NAMES, 'x')
}

fn f_register(text: &str) -> Result<u8, AsmError> {
    register(text, &F_NAMES, 'f')
}

fn csr_number(text: &str) -> Result<i32, AsmError> {
    if let Some((number, _)) = CSR_NAMES.iter().find(|(_, name)| *name == text) {
        return Ok(*number);
    }
    if let Some(counter) = text.strip_prefix("hpmcounter").and_then(|digits| digits.parse().ok()) {
        if (3..32).contains(&counter) {
            return Ok(HPMCOUNTER + counter);
        }
    }
    i32::try_from(number(text)?).map_err(|_| AsmError::Range)
}

fn fence_set(text: &str) -> Option<i32> {
    if text == "unknown" {
        return Some(0);
    }
    text.chars().try_fold(0, |set, letter| {
        let bit = match letter {
            'i' => 8,
            'o' => 4,
            'r' => 2,
            'w' => 1,
            _ => return None,
        };
        Some(set | bit)
    })
}
