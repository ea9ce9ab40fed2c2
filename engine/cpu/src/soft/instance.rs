//! One address space with its hart and translations, as one wasm instance holds it, and the requests it answers.

use super::memory::{Committed, SoftSpace};
use crate::lift::Translator;
use crate::run::{self, RunMemory, Stop};
use crate::translate::{Changed, Translations};
use friscy_boundary::{CopyFault, MemError, PAGE_SIZE, Prot, Ran, Regs};
use friscy_seam::{State, Tier};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Range;

/// What the kernel's side asks of an instance. Addresses and lengths are as in [`SoftSpace`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request<'a> {
    Map { range: Range<u64>, prot: Prot, object_end: Option<u64> },
    ObjectEnd { range: Range<u64>, end: u64 },
    Unmap { range: Range<u64> },
    Retain { ranges: Cow<'a, [Range<u64>]> },
    Protect { range: Range<u64>, prot: Prot },
    Discard { range: Range<u64> },
    MovePages { from: Range<u64>, to: u64 },
    Poke {
        addr: u64,
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    Load {
        addr: u64,
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    TakeDirty { range: Range<u64> },
    FlushIcache { range: Range<u64> },
    Run { regs: Cow<'a, Regs>, fuel: u64 },
}

/// What an instance answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply<'a> {
    Memory(Result<(), MemError>),
    Copied(Result<(), CopyFault>),
    /// Written pages with their contents, in order.
    Dirty(Vec<(u64, serde_bytes::ByteBuf)>),
    Ran { ran: Ran, regs: Cow<'a, Regs> },
}

/// One address space with its hart and translations.
pub struct Instance<M: Committed> {
    memory: SoftSpace<M>,
    state: Box<State>,
    translations: Translations,
    translator: Translator,
}

impl<M: Committed> Instance<M> {
    /// An empty address space over `memory`, whose code `tier` translates. The tier marks the pages that it writes.
    pub fn new(memory: M, tier: Box<dyn Tier>) -> Instance<M> {
        let mut memory = SoftSpace::new(memory);
        let state = State::new(memory.window(), memory.pages());
        Instance { memory, state, translations: Translations::new(tier), translator: Translator::default() }
    }

    /// The memory, for copies that go around requests.
    pub fn memory(&mut self) -> &mut SoftSpace<M> {
        &mut self.memory
    }

    /// Answers an encoded request.
    ///
    /// # Errors
    /// When the bytes are no request: a bug of what moves them.
    pub fn handle(&mut self, request: &[u8]) -> Result<Vec<u8>, postcard::Error> {
        let reply = match postcard::from_bytes(request)? {
            Request::Map { range, prot, object_end } => {
                let changed = self.memory.map(range.clone(), prot, object_end);
                self.after(changed, range)
            }
            Request::ObjectEnd { range, end } => {
                self.memory.set_object_end(range, end);
                Reply::Memory(Ok(()))
            }
            Request::Unmap { range } => {
                let changed = self.memory.unmap(range.clone());
                self.after(Ok(changed), range)
            }
            Request::Retain { ranges } => {
                if self.memory.retain(&ranges) == Changed::Code {
                    self.translations.clear();
                }
                Reply::Memory(Ok(()))
            }
            Request::Protect { range, prot } => {
                let changed = self.memory.protect(range.clone(), prot);
                self.after(Ok(changed), range)
            }
            Request::Discard { range } => {
                let changed = self.memory.discard(range.clone());
                self.after(Ok(changed), range)
            }
            Request::MovePages { from, to } => {
                let changed = self.memory.move_pages(from.clone(), to);
                if changed == Ok(Changed::Code) {
                    self.translations.forget(to..to + (from.end - from.start));
                }
                self.after(changed, from)
            }
            Request::Poke { addr, bytes } => {
                let changed = self.memory.poke(addr, bytes);
                self.written(changed, addr, bytes.len())
            }
            Request::Load { addr, bytes } => {
                let changed = self.memory.load(addr, bytes);
                self.written(changed, addr, bytes.len())
            }
            Request::TakeDirty { range } => Reply::Dirty(self.take_dirty(range)),
            Request::FlushIcache { range } => {
                self.translations.forget(range);
                Reply::Memory(Ok(()))
            }
            Request::Run { regs, fuel } => {
                let mut regs = regs.into_owned();
                let ran = self.run(&mut regs, fuel);
                Reply::Ran { ran, regs: Cow::Owned(regs) }
            }
        };
        postcard::to_allocvec(&reply)
    }

    fn after(&mut self, changed: Result<Changed, MemError>, range: Range<u64>) -> Reply<'static> {
        if changed == Ok(Changed::Code) {
            self.translations.forget(range);
        }
        Reply::Memory(changed.map(|_| ()))
    }

    fn written(&mut self, changed: Result<Changed, CopyFault>, addr: u64, len: usize) -> Reply<'static> {
        // A fault may come after code was written.
        if changed != Ok(Changed::Data) {
            self.translations.forget(addr..addr.saturating_add(len as u64));
        }
        Reply::Copied(changed.map(|_| ()))
    }

    fn take_dirty(&mut self, range: Range<u64>) -> Vec<(u64, serde_bytes::ByteBuf)> {
        let runs = self.memory.take_dirty(range);
        let read = |run: Range<u64>| {
            let mut bytes = vec![0; (run.end - run.start) as usize];
            let read = self.memory.peek(run.start, &mut bytes).map_or_else(|fault| fault.copied as usize, |()| bytes.len());
            bytes.truncate(read - read % PAGE_SIZE as usize);
            (run.start, serde_bytes::ByteBuf::from(bytes))
        };
        runs.into_iter().map(read).collect()
    }

    fn run(&mut self, regs: &mut Regs, fuel: u64) -> Ran {
        run::load(&mut self.state, regs, fuel);
        loop {
            // SAFETY: the state was made with the window and page bytes of this memory, which never move. Every change
            // of executable pages forgets their translations. This host has no faults to handle.
            let stop =
                unsafe { run::run(&mut self.state, &mut self.translations, &self.memory, &mut self.translator) };
            match stop {
                Stop::Exit(exit) => return Ran { exit, retired: run::store(&self.state, regs, fuel) },
                Stop::FenceI => {
                    for range in self.memory.changeable_code() {
                        self.translations.forget(range);
                    }
                }
            }
        }
    }
}
