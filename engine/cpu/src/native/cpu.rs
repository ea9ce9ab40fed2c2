//! The address spaces of a machine on a host with an MMU.

use super::code::Code;
use super::crosscheck::{Check, Crosscheck, Subject};
use super::sharing::Sharing;
use super::space::{Hart, NativeSpace, Pages};
use super::{Memfd, Profiler, Watch, budget, fault};
use crate::keep::SharedStore;
use crate::lift::Translator;
use crate::tiering::{MakeCompiler, Policy};
use crate::translate::{Changed, Rest, Translations};
use friscy_boundary::{Backing, CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, Prot, Ran, Regs, WINDOW_SIZE};
use friscy_seam::Tier;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::slice;

/// One address space with its hart and its translations.
struct Space {
    memory: NativeSpace,
    state: Hart,
    code: Code,
}

/// What the cpu side of a machine has done and holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Statistics {
    /// Regions translated so far, less those of translations that were dropped.
    pub regions: u64,
    /// Bytes of host memory that their translated code takes.
    pub code_bytes: usize,
    /// Regions compiled so far, less those of translations that were dropped.
    pub compiled_regions: u64,
    /// Bytes of host memory that compiled code takes.
    pub compiled_bytes: usize,
    /// Host mappings in use.
    pub host_mappings: usize,
}

/// The native implementation of [`Cpu`].
pub struct NativeCpu {
    sharing: Sharing,
    /// What everything is compared with.
    check: Option<Check>,
    spaces: BTreeMap<MmId, Space>,
    objects: BTreeMap<ObjectId, Rc<Memfd>>,
    translator: Translator,
    next_space: u32,
    next_object: u32,
}

impl NativeCpu {
    /// No address spaces yet; translations are made by tiers that `make_tier` makes.
    pub fn new(make_tier: Box<dyn Fn() -> Box<dyn Tier>>) -> NativeCpu {
        NativeCpu::of(make_tier, None)
    }

    /// As [`NativeCpu::new`], with hot code in tiers that `make_compiler` makes.
    pub fn with_compiler(
        make_tier: Box<dyn Fn() -> Box<dyn Tier>>,
        make_compiler: MakeCompiler,
        policy: Policy,
    ) -> NativeCpu {
        NativeCpu::of(make_tier, Some((make_compiler, policy)))
    }

    fn of(make_tier: Box<dyn Fn() -> Box<dyn Tier>>, make_compiler: Option<(MakeCompiler, Policy)>) -> NativeCpu {
        budget::raise_descriptor_limit();
        NativeCpu {
            sharing: Sharing::new(make_tier, make_compiler),
            check: None,
            spaces: BTreeMap::new(),
            objects: BTreeMap::new(),
            translator: Translator::default(),
            next_space: 1,
            next_object: 1,
        }
    }

    /// The same, which runs everything by tiers that `make_tier` makes first, and then as it would anyway. When the two
    /// come to different ends, nothing runs any more: each run is [`Exit::Poisoned`]. Made before any address space.
    #[must_use]
    pub fn with_reference(mut self, make_tier: Box<dyn Fn() -> Box<dyn Tier>>) -> NativeCpu {
        self.check = Some(Check::new(make_tier));
        self
    }

    /// Keeps compiled code in `store` for other processes, and takes what others kept there. Answers what is left to be
    /// compiled when address spaces go.
    pub fn set_store(&mut self, store: SharedStore) -> Rest {
        self.sharing.store = Some(store);
        self.sharing.rest.clone()
    }

    /// Looks at the comparisons with a reference, from outside; nothing if there is none.
    pub fn crosscheck(&self) -> Option<Crosscheck> {
        self.check.as_ref().map(Check::crosscheck)
    }

    /// What there is now, without the reference's.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::default();
        let mut seen: Vec<*const RefCell<Translations>> = Vec::new();
        let in_use = self.spaces.values().filter_map(|space| space.code.translations());
        for code in self.sharing.kept().chain(in_use) {
            if !seen.contains(&Rc::as_ptr(code)) {
                seen.push(Rc::as_ptr(code));
                let mut code = code.borrow_mut();
                statistics.regions += code.translated();
                statistics.code_bytes += code.tier().code_bytes();
                let (regions, bytes) = code.compiled();
                statistics.compiled_regions += regions;
                statistics.compiled_bytes += bytes;
            }
        }
        statistics.host_mappings = self.spaces.values().map(|space| space.memory.host_mappings()).sum();
        statistics
    }

    /// Looks at what the compiled tiers do, from outside.
    pub fn watch(&self) -> Watch {
        self.sharing.watch()
    }

    /// Takes samples of what runs from now on.
    pub fn profile(&mut self) -> Profiler {
        self.sharing.profiler.get_or_insert_default().clone()
    }

    fn space(&mut self, mm: MmId) -> Result<&mut Space, MemError> {
        self.spaces.get_mut(&mm).ok_or(MemError::NoSuch)
    }

    fn add_object(&mut self, file: Memfd) -> ObjectId {
        let id = ObjectId(self.next_object);
        self.next_object += 1;
        self.objects.insert(id, Rc::new(file));
        id
    }

    fn add(&mut self, space: Space) -> MmId {
        let mm = MmId(self.next_space);
        self.next_space += 1;
        self.spaces.insert(mm, space);
        mm
    }

    /// Drops or leaves translations of one address space that do not hold any more after changes in `ranges`.
    fn forget(&mut self, mm: MmId, ranges: &[Range<u64>]) {
        self.forget_code(mm, ranges, |_| true);
    }

    /// The same for the code that is `wanted`.
    fn forget_code(&mut self, mm: MmId, ranges: &[Range<u64>], wanted: impl Fn(&Code) -> bool) {
        let Some(Space { memory, code, .. }) = self.spaces.get_mut(&mm) else { return };
        let reference = self.check.as_mut().and_then(|check| check.code(mm));
        for (code, sharing) in [(code, &mut self.sharing)].into_iter().chain(reference) {
            if wanted(code) {
                code.forget(ranges, memory, sharing);
            }
        }
    }

    fn after(&mut self, mm: MmId, changed: Changed, range: Range<u64>) {
        if changed == Changed::Code {
            self.forget(mm, slice::from_ref(&range));
        }
    }
}

impl Cpu for NativeCpu {
    fn create(&mut self) -> Result<MmId, MemError> {
        let memory = NativeSpace::new()?;
        // SAFETY: the space keeps both, and the state has no destructor.
        let state = unsafe { memory.hart() };
        let code = Code::new(&mut self.sharing);
        Ok(self.add(Space { memory, state, code }))
    }

    fn fork_from(&mut self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError> {
        let ranges: Vec<_> = mappings.iter().map(|mapping| mapping.addr..mapping.addr + mapping.len).collect();
        let space = self.spaces.get_mut(&parent).ok_or(MemError::NoSuch)?;
        let memory = space.memory.fork(&ranges)?;
        // SAFETY: the space keeps both, and the state has no destructor.
        let state = unsafe { memory.hart() };
        let same = memory.mapped_bytes() == space.memory.mapped_bytes();
        let code = space.code.fork(same, &mut self.sharing);
        let child = self.add(Space { memory, state, code });
        if let Some(check) = &mut self.check {
            check.fork(parent, child, same);
        }
        Ok(child)
    }

    fn destroy(&mut self, mm: MmId) {
        if let Some(Space { memory, mut code, .. }) = self.spaces.remove(&mm) {
            code.leave(&memory, &mut self.sharing);
        }
        if let Some(check) = &mut self.check {
            check.destroy(mm);
        }
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
            self.forget_code(mm, slice::from_ref(&(addr..end)), Code::may_change);
        }
    }

    fn run(&mut self, mm: MmId, regs: &mut Regs, fuel: u64) -> Ran {
        fault::install();
        let Some(Space { memory, state, code }) = self.spaces.get_mut(&mm) else {
            return Ran { exit: Exit::Poisoned, retired: 0 };
        };
        let (sharing, translator) = (&mut self.sharing, &mut self.translator);
        // SAFETY: the state was made with the window of this memory, whose code this is. The handler was installed above.
        let ran = unsafe {
            match &mut self.check {
                None => code.run((memory, state), sharing, translator, regs, fuel),
                Some(check) => check.run(mm, Subject { memory, state, code, sharing, translator }, regs, fuel),
            }
        };
        if let (Some(profiler), Some(space)) = (&self.sharing.profiler, self.spaces.get(&mm)) {
            profiler.look(&space.memory, &self.objects);
        }
        ran
    }

    fn object_create(&mut self, len: u64) -> Result<ObjectId, MemError> {
        Ok(self.add_object(Memfd::new(c"friscy-object", len)?))
    }

    fn object_of_file(&mut self, file: i32, len: u64) -> Result<ObjectId, MemError> {
        Ok(self.add_object(Memfd::of_file(file, len)?))
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
