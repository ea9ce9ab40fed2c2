//! Constants and layouts of the Linux riscv64 system-call interface.
