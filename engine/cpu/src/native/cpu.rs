//! The address spaces of a machine on a host with an MMU.

use super::space::{NativeSpace, Pages};
use super::{Memfd, fault};
use crate::lift::Translator;
use crate::run::{self, RunMemory, Stop};
use crate::translate::{Changed, Translations};
use friscy_boundary::{
    Backing, CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, Prot, Ran, Regs, WINDOW_SIZE,
};
use friscy_seam::{State, Tier};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// One address space with its hart and its translations.
struct Space {
    memory: NativeSpace,
    state: Box<State>,
    /// Shared with forked address spaces until code changes in one of them.
    code: Rc<RefCell<Translations>>,
}

/// What the cpu side of a machine has done and holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Statistics {
    /// Regions in the translations of living address spaces that were translated so far.
    pub regions: u64,
    /// Bytes of host memory that their translated code takes.
    pub code_bytes: usize,
    /// Host mappings in use.
    pub host_mappings: usize,
}

/// The native implementation of [`Cpu`].
pub struct NativeCpu {
    make_tier: Box<dyn Fn() -> Box<dyn Tier>>,
    spaces: BTreeMap<MmId, Space>,
    objects: BTreeMap<ObjectId, Rc<Memfd>>,
    translator: Translator,
    next_space: u32,
    next_object: u32,
}

impl NativeCpu {
    /// No address spaces yet; each gets the tier that `make_tier` makes.
    pub fn new(make_tier: Box<dyn Fn() -> Box<dyn Tier>>) -> NativeCpu {
        NativeCpu {
            make_tier,
            spaces: BTreeMap::new(),
            objects: BTreeMap::new(),
            translator: Translator::default(),
            next_space: 1,
            next_object: 1,
        }
    }

    /// What there is now.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::default();
        let mut seen: Vec<*const RefCell<Translations>> = Vec::new();
        for space in self.spaces.values() {
            statistics.host_mappings += space.memory.host_mappings();
            if !seen.contains(&Rc::as_ptr(&space.code)) {
                seen.push(Rc::as_ptr(&space.code));
                let mut code = space.code.borrow_mut();
                statistics.regions += code.translated();
                statistics.code_bytes += code.tier().code_bytes();
            }
        }
        statistics
    }

    fn space(&mut self, mm: MmId) -> Result<&mut Space, MemError> {
        self.spaces.get_mut(&mm).ok_or(MemError::NoSuch)
    }

    fn add(&mut self, memory: NativeSpace, code: Rc<RefCell<Translations>>) -> MmId {
        let mm = MmId(self.next_space);
        self.next_space += 1;
        let state = State::new(memory.window(), std::ptr::null_mut());
        self.spaces.insert(mm, Space { memory, state, code });
        mm
    }

    fn translations(&self) -> Rc<RefCell<Translations>> {
        Rc::new(RefCell::new(Translations::new((self.make_tier)())))
    }

    /// Forgets translations of code in `ranges` of one address space.
    fn forget(&mut self, mm: MmId, ranges: &[Range<u64>]) {
        let Some(space) = self.spaces.get(&mm) else { return };
        if Rc::strong_count(&space.code) > 1 {
            // The others still have the old code. What is translated from now on may differ between them.
            let own = self.translations();
            if let Some(space) = self.spaces.get_mut(&mm) {
                space.code = own;
            }
            return;
        }
        let mut code = space.code.borrow_mut();
        for range in ranges {
            code.forget(range.clone());
        }
    }

    fn after(&mut self, mm: MmId, changed: Changed, range: Range<u64>) {
        if changed == Changed::Code {
            self.forget(mm, &[range]);
        }
    }
}

impl Cpu for NativeCpu {
    fn create(&mut self) -> Result<MmId, MemError> {
        let memory = NativeSpace::new()?;
        let code = self.translations();
        Ok(self.add(memory, code))
    }

    fn fork_from(&mut self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError> {
        let ranges: Vec<_> = mappings.iter().map(|mapping| mapping.addr..mapping.addr + mapping.len).collect();
        let parent = self.space(parent)?;
        let memory = parent.memory.fork(&ranges)?;
        let code = parent.code.clone();
        Ok(self.add(memory, code))
    }

    fn destroy(&mut self, mm: MmId) {
        self.spaces.remove(&mm);
    }

    fn map(&mut self, mm: MmId, mapping: &Mapping) -> Result<(), MemError> {
        let object = |id: ObjectId| self.objects.get(&id).cloned().ok_or(MemError::NoSuch);
        let pages = match mapping.backing {
            Backing::Anonymous => Pages::Anonymous,
            Backing::Private { object: id, offset } => Pages::Private(object(id)?, offset),
            Backing::Shared { object: id, offset } => Pages::Shared(object(id)?, offset),
        };
        let range = mapping.addr..mapping.addr + mapping.len;
        let changed = self.space(mm)?.memory.map(range.clone(), mapping.prot, pages)?;
        self.after(mm, changed, range);
        Ok(())
    }

    fn unmap(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        let range = addr..addr + len;
        let changed = self.space(mm)?.memory.unmap(range.clone())?;
        self.after(mm, changed, range);
        Ok(())
    }

    fn protect(&mut self, mm: MmId, addr: u64, len: u64, prot: Prot) -> Result<(), MemError> {
        let range = addr..addr + len;
        let changed = self.space(mm)?.memory.protect(range.clone(), prot)?;
        self.after(mm, changed, range);
        Ok(())
    }

    fn discard(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        let range = addr..addr + len;
        let changed = self.space(mm)?.memory.discard(range.clone())?;
        self.after(mm, changed, range);
        Ok(())
    }

    fn move_pages(&mut self, mm: MmId, from: u64, to: u64, len: u64) -> Result<(), MemError> {
        let changed = self.space(mm)?.memory.move_pages(from..from + len, to)?;
        if changed == Changed::Code {
            self.forget(mm, &[from..from + len, to..to + len]);
        }
        Ok(())
    }

    fn copy_in(&mut self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        let space = self.spaces.get(&mm).ok_or(CopyFault { copied: 0 })?;
        space.memory.copy_in(addr, buf)
    }

    fn copy_out(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        let space = self.spaces.get(&mm).ok_or(CopyFault { copied: 0 })?;
        space.memory.copy_out(addr, bytes)
    }

    fn poke(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        let space = self.spaces.get_mut(&mm).ok_or(CopyFault { copied: 0 })?;
        let changed = space.memory.poke(addr, bytes)?;
        self.after(mm, changed, addr..addr + bytes.len() as u64);
        Ok(())
    }

    fn flush_icache(&mut self, mm: MmId, addr: u64, len: u64) {
        let end = addr.saturating_add(len).min(WINDOW_SIZE);
        if addr < end {
            self.forget(mm, &[addr..end]);
        }
    }

    fn run(&mut self, mm: MmId, regs: &mut Regs, fuel: u64) -> Ran {
        fault::install();
        let Some(space) = self.spaces.get_mut(&mm) else {
            return Ran { exit: Exit::Poisoned, retired: 0 };
        };
        run::load(&mut space.state, regs, fuel);
        loop {
            let Some(space) = self.spaces.get_mut(&mm) else {
                return Ran { exit: Exit::Poisoned, retired: 0 };
            };
            let mut code = space.code.borrow_mut();
            // SAFETY: the state was made with the window of this memory. Every change of executable pages forgets
            // their translations, and forked address spaces share translations only while neither's code changes. The
            // handler was installed above.
            let stop = unsafe { run::run(&mut space.state, &mut code, &space.memory, &mut self.translator) };
            drop(code);
            match stop {
                Stop::Exit(exit) => {
                    let retired = run::store(&space.state, regs, fuel);
                    return Ran { exit, retired };
                }
                Stop::FenceI => {
                    let changeable = space.memory.changeable_code();
                    if !changeable.is_empty() {
                        self.forget(mm, &changeable);
                    }
                }
            }
        }
    }

    fn object_create(&mut self, len: u64) -> Result<ObjectId, MemError> {
        let file = Rc::new(Memfd::new(c"friscy-object", len)?);
        let id = ObjectId(self.next_object);
        self.next_object += 1;
        self.objects.insert(id, file);
        Ok(id)
    }

    fn object_read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize {
        self.objects.get(&object).map_or(0, |file| file.read(offset, buf))
    }

    fn object_write(&mut self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        self.objects.get(&object).ok_or(MemError::NoSuch)?.write(offset, bytes)
    }

    fn object_resize(&mut self, object: ObjectId, len: u64) -> Result<(), MemError> {
        self.objects.get(&object).ok_or(MemError::NoSuch)?.resize(len)
    }

    fn object_release(&mut self, object: ObjectId) {
        self.objects.remove(&object);
    }
}
