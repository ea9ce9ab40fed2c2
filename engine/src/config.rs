//! What a machine is made of.

use friscy_boundary::Cpu;
use friscy_kernel::KernelConfig;
use friscy_kernel::ports::{Clock, Entropy, Terminal};
use friscy_vfs::{FixedClock, Vfs};
use std::rc::Rc;

/// The least fuel of a turn, in guest instructions: some milliseconds in an interpreter.
const FUEL: u64 = 1 << 20;

/// What is decided before the machine starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the kernel is told.
    pub kernel: KernelConfig,
    /// Guest instructions that a task may run before it is another one's turn; more where code is quick.
    pub fuel: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { kernel: KernelConfig::default(), fuel: FUEL }
    }
}

/// What the machine is given of the world.
pub struct Ports {
    /// The address spaces.
    pub cpu: Box<dyn Cpu>,
    /// The tree of files. Its file systems stamp times from `file_clock`.
    pub vfs: Rc<Vfs>,
    /// The clock that the machine sets for the file systems, at every turn.
    pub file_clock: Rc<FixedClock>,
    /// Time. Not asked in a deterministic machine.
    pub clock: Box<dyn Clock>,
    /// Random bytes. Not asked in a deterministic machine.
    pub entropy: Box<dyn Entropy>,
    /// The terminal, or the standard streams.
    pub terminal: Box<dyn Terminal>,
}
