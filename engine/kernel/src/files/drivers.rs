//! What drivers of files keep for the whole machine.

use super::effects::Effects;
use super::tty::Terminal;
use crate::Tid;
use crate::fs::ProcWrite;
use friscy_abi::layout::makedev;
use friscy_vfs::{FileSystem, NewNode};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// State of device and file drivers.
#[derive(Default)]
pub struct Drivers {
    /// What file objects want done.
    pub effects: Effects,
    /// The task on whose behalf generated files are looked at: who /proc/self is.
    pub current: Cell<Tid>,
    /// How often each system call was made, by number; empty before the first.
    pub call_counts: Vec<u64>,
    /// Numbers of system calls that there are not, each once, in the order of their first use.
    pub unknown_calls: Vec<u64>,
    /// Sockets with abstract names.
    pub(super) socket_names: BTreeMap<Vec<u8>, Weak<super::socket::Socket>>,
    /// Who watches files.
    pub watchers: super::Watchers,
    /// Which sockets have which ports.
    pub(super) ports: super::Ports,
    /// POSIX message queues by name, without the slash.
    pub mqueues: BTreeMap<Vec<u8>, Rc<super::Mqueue>>,
    /// Those whose names were removed while they were open.
    pub unlinked_mqueues: Vec<std::rc::Weak<super::Mqueue>>,
    /// What was written into /proc and is not applied yet.
    pub(crate) proc_writes: RefCell<Vec<ProcWrite>>,
    /// The file system of /dev/pts, in which terminals get their nodes.
    pub devpts: Option<Rc<FileSystem>>,
    /// /proc/sys/kernel/random/boot_id: random bytes.
    pub boot_id: [u8; 16],
    /// How many random ids were given out.
    uuids: Cell<u64>,
    /// Named pipes whose opening waits for the other end.
    pub(super) opening: Vec<super::open::OpeningFifo>,
    /// Descriptions with `O_ASYNC`.
    pub(super) asynchronous: Vec<super::asynchronous::Asynchronous>,
    /// Advisory locks.
    pub(super) locks: super::locks::Locks,
    /// Bytes on their way between a file and guest memory.
    buffer: Vec<u8>,
    /// Terminals by their number in /dev/pts.
    terminals: BTreeMap<u32, Weak<Terminal>>,
    /// The machine's terminal, number 0, lives as long as the machine.
    console: Option<Rc<Terminal>>,
}

impl Drivers {
    /// A buffer of at least `len` bytes, to be given back with [`Drivers::return_buffer`].
    #[must_use]
    pub fn take_buffer(&mut self, len: usize) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.buffer);
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        buffer
    }

    /// Gives a buffer back for the next transfer.
    pub fn return_buffer(&mut self, buffer: Vec<u8>) {
        self.buffer = buffer;
    }

    /// Whether any description may have `O_ASYNC`.
    pub(super) fn has_asynchronous(&self) -> bool {
        !self.asynchronous.is_empty()
    }

    /// A terminal by its number.
    #[must_use]
    pub fn terminal(&self, index: u32) -> Option<Rc<Terminal>> {
        self.terminals.get(&index).and_then(Weak::upgrade)
    }

    /// The numbers of all terminals, ascending: what /dev/pts lists.
    pub fn terminal_numbers(&self) -> impl Iterator<Item = u32> {
        self.terminals.iter().filter(|(_, terminal)| terminal.strong_count() > 0).map(|(&index, _)| index)
    }

    /// Makes the machine's terminal, /dev/pts/0 and /dev/console. `id` names its wait point.
    pub fn add_console(&mut self, id: u64) -> Rc<Terminal> {
        let terminal = Terminal::new(0, true, id, &self.effects);
        self.terminals.insert(0, Rc::downgrade(&terminal));
        self.console = Some(terminal.clone());
        self.add_pts_node(0);
        terminal
    }

    /// Makes a pseudoterminal with the lowest free number.
    pub fn add_terminal(&mut self, id: u64) -> Rc<Terminal> {
        self.terminals.retain(|_, terminal| terminal.strong_count() > 0);
        let index = (0..).find(|index| !self.terminals.contains_key(index)).unwrap_or(u32::MAX);
        let terminal = Terminal::new(index, false, id, &self.effects);
        self.terminals.insert(index, Rc::downgrade(&terminal));
        self.add_pts_node(index);
        terminal
    }

    fn add_pts_node(&self, index: u32) {
        if let Some(devpts) = &self.devpts {
            // A node of a terminal that is gone may still be there: it has the same number.
            let device = NewNode::CharDevice(makedev(super::tty::PTS_MAJOR, index));
            let _ = devpts.add(index.to_string().as_bytes(), device, 0o620);
        }
    }

    /// Bytes for /proc/sys/kernel/random/uuid: different each time, from the boot id.
    #[must_use]
    pub(crate) fn next_uuid(&self) -> [u8; 16] {
        let count = self.uuids.get() + 1;
        self.uuids.set(count);
        let mut bytes = self.boot_id;
        let mut seed = u64::from_le_bytes(bytes.first_chunk::<8>().copied().unwrap_or_default());
        for chunk in bytes.chunks_mut(8) {
            seed = (seed ^ count).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ seed >> 31;
            for (slot, byte) in chunk.iter_mut().zip(seed.to_le_bytes()) {
                *slot ^= byte;
            }
        }
        bytes
    }
}
