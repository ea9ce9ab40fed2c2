//! The RISC-V instruction table and what is generated from it: decoder, encoder, assembler, disassembler, visitor, coverage
//! list, and what a guest is told about its instruction set.
//!
//! This crate knows encodings and names. It must never know what instructions do, nor anything of tiers, memory or system
//! calls. Nothing behind [`decode`] hears of compressed encodings: they arrive as the base instruction that they expand to.
//!
//! The table holds RV64IMAFDC, Zicsr, Zifencei, Zba, Zbb and Zbs, unprivileged instructions only.

pub mod asm;
mod claims;
mod coverage;
mod decode;
pub mod layout;
mod table;

pub use asm::{AsmError, assemble, disassemble};
pub use claims::{extensions, hwcap, hwprobe_ima_ext_0, isa_string};
pub use coverage::Coverage;
pub use decode::{Inst, decode, encode, find_row, len_bytes};
pub use layout::{Field, Layout, Operands, Pattern};
pub use table::{COMPRESSED, Extension, Flags, Op, ROWS, Row, Visitor, visit};
