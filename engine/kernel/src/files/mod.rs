//! Open files of a process.

/// A process's table of file descriptors.
#[derive(Clone, Debug, Default)]
pub struct FdTable;

impl FdTable {
    /// Closes descriptors with `FD_CLOEXEC`.
    pub fn close_on_exec(&mut self) {}
}

/// State of device and file drivers that belongs to the machine.
#[derive(Debug, Default)]
pub struct Drivers;
