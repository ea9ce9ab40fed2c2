//! What drivers of files keep for the whole machine.

use super::effects::Effects;
use super::pipe::Pipe;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// State of device and file drivers.
#[derive(Default)]
pub struct Drivers {
    /// What file objects want done.
    pub effects: Effects,
    /// The pipes behind named pipes that are open, by device and inode.
    fifos: BTreeMap<(u64, u64), Weak<Pipe>>,
}

impl Drivers {
    /// The pipe behind a named pipe; it lives while somebody has the name open.
    pub fn fifo(&mut self, dev: u64, ino: u64, make: impl FnOnce(&Effects) -> Rc<Pipe>) -> Rc<Pipe> {
        if let Some(pipe) = self.fifos.get(&(dev, ino)).and_then(Weak::upgrade) {
            return pipe;
        }
        self.fifos.retain(|_, pipe| pipe.strong_count() > 0);
        let pipe = make(&self.effects);
        self.fifos.insert((dev, ino), Rc::downgrade(&pipe));
        pipe
    }
}
