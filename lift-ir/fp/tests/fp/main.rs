//! Every implementation against the instructions themselves.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod berkeley;
mod hard_cases;
mod instructions;
mod operands;
mod referee;
mod table;
