//! `--strace`: system calls on standard error as they end.

use crate::error::Error;
use friscy_engine::{Call, Trace};
use friscy_kernel::{Kernel, SysError, SysResult, Tid};
use friscy_syscalls::{Filter, line};
use std::collections::BTreeMap;
use std::io::Write;

/// execve(2) and execveat(2): when they have succeeded, the memory that their arguments were in is gone.
const EXEC: [u64; 2] = [221, 281];

/// Who writes system calls down.
pub struct Strace {
    filter: Filter,
    /// The end of a line: a raw terminal does not go to its beginning by itself.
    end: &'static str,
    /// Calls as they began, for those that cannot be shown when they have ended.
    begun: BTreeMap<Tid, String>,
}

impl Strace {
    /// Shows the calls of `set`: `all`, or names separated by commas, or those but `!` names.
    ///
    /// # Errors
    /// A name that is no system call.
    pub fn new(set: &str, raw_terminal: bool) -> Result<Box<Strace>, Error> {
        let list = if set == "all" { "" } else { set };
        let filter = Filter::parse(list).map_err(|name| {
            Error::Other(format!("--strace={set}: {name} is no system call; `friscy syscalls` lists them"))
        })?;
        Ok(Box::new(Strace { filter, end: if raw_terminal { "\r\n" } else { "\n" }, begun: BTreeMap::new() }))
    }

    fn print(&self, tid: Tid, text: &str) {
        // Nobody to tell is no reason to stop.
        let _ = write!(std::io::stderr(), "[{tid}] {text}{}", self.end);
    }
}

impl Trace for Strace {
    fn enter(&mut self, kernel: &mut Kernel, call: &Call) {
        if self.filter.shows(call.number) && EXEC.contains(&call.number) {
            self.begun.insert(call.tid, line(kernel, call.tid, call.number, &call.args, None));
        }
    }

    fn leave(&mut self, kernel: &mut Kernel, call: &Call, result: &SysResult) {
        if !self.filter.shows(call.number) || matches!(result, Err(SysError::Block(_))) {
            return;
        }
        let text = match (self.begun.remove(&call.tid), result) {
            (Some(begun), Ok(value)) => format!("{begun} = {value}"),
            _ => line(kernel, call.tid, call.number, &call.args, Some(result)),
        };
        self.print(call.tid, &text);
    }
}
