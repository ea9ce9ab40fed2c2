//! Both implementations against the instructions themselves.

mod hard_cases;
mod instructions;
mod operands;
mod referee;
mod table;
