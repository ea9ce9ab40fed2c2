//! Exact RISC-V floating point: results, flags and rounding modes.
