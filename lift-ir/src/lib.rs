//! The shared SSA IR: its ops, regions, text form, verifier and evaluator; the lifter that makes it from RISC-V
//! code and the passes that improve it.
//!
//! This crate knows RISC-V and the IR. It must never know tiers, the layout of guest memory on a host, or system
//! calls.

pub mod cfg;
pub mod eval;
pub mod held;
pub mod ir;
pub mod lift;
pub mod loops;
pub mod op;
pub mod passes;
pub mod registers;
pub mod sem;
pub mod text;
pub mod verify;
pub mod width;

pub use ir::*;
pub use lift::{CodeSource, FetchFault, Lifter, Limits};
pub use op::{Cond, Op, Type};
