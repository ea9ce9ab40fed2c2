//! The address spaces of a machine on a host with an MMU.

use super::sharing::Sharing;
use super::space::{Hart, NativeSpace, Pages};
use super::{Memfd, Watch, budget, fault};
use crate::lift::Translator;
use crate::run::{self, RunMemory, Stop};
use crate::tiering::{MakeCompiler, Policy};
use crate::translate::{Changed, Mark, Translations};
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
    /// Chosen when it runs next, if there are none.
    code: Option<Rc<RefCell<Translations>>>,
    /// It has run code that no other address space can have: its translations are not shared, but by forks until code
    /// changes in one of them.
    own: bool,
    /// Names the layout of its code; forks have the same until it changes.
    layout: u64,
    /// How far shared translations are known to fit.
    checked: Mark,
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
        let in_use = self.spaces.values().filter_map(|space| space.code.as_ref());
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
        let Some(space) = self.spaces.get_mut(&mm) else { return };
        space.layout = self.sharing.new_layout();
        let Some(code) = &space.code else { return };
        let users = Rc::strong_count(code);
        let mut code = code.borrow_mut();
        let holds = if code.is_shared() {
            ranges.iter().all(|range| code.fits_range(range, &space.memory))
        } else if users > 1 {
            // Forks still have the old code. What is translated from now on may differ between them.
            false
        } else {
            ranges.iter().for_each(|range| code.forget(range.clone()));
            true
        };
        drop(code);
        if !holds {
            space.code = None;
        }
    }

    fn after(&mut self, mm: MmId, changed: Changed, range: Range<u64>) {
        if changed == Changed::Code {
            self.forget(mm, slice::from_ref(&range));
        }
    }
}

/// The translations that an address space runs with now.
fn translations(space: &mut Space, sharing: &mut Sharing) -> Rc<RefCell<Translations>> {
    if let Some(code) = &space.code {
        let shared = code.borrow();
        if !shared.is_shared() || space.checked == shared.mark() {
            return code.clone();
        }
        // Others have added pages.
        if shared.fits_since(space.checked, &space.memory) {
            space.checked = shared.mark();
            return code.clone();
        }
    }
    let code = if space.own { sharing.own() } else { sharing.choose(&space.memory) };
    space.checked = code.borrow().mark();
    space.code = Some(code.clone());
    code
}

impl Cpu for NativeCpu {
    fn create(&mut self) -> Result<MmId, MemError> {
        let memory = NativeSpace::new()?;
        // SAFETY: the space keeps both, and the state has no destructor.
        let state = unsafe { memory.hart() };
        let layout = self.sharing.new_layout();
        Ok(self.add(Space { memory, state, code: None, own: false, layout, checked: Mark::default() }))
    }

    fn fork_from(&mut self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError> {
        let ranges: Vec<_> = mappings.iter().map(|mapping| mapping.addr..mapping.addr + mapping.len).collect();
        let parent = self.space(parent)?;
        let memory = parent.memory.fork(&ranges)?;
        // SAFETY: the space keeps both, and the state has no destructor.
        let state = unsafe { memory.hart() };
        let same = memory.mapped_bytes() == parent.memory.mapped_bytes();
        let (code, own, checked) = (parent.code.clone().filter(|_| same), parent.own, parent.checked);
        let layout = if same { parent.layout } else { self.sharing.new_layout() };
        Ok(self.add(Space { memory, state, code, own, layout, checked }))
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
        // What is shared comes from bytes that cannot change.
        if self.spaces.get(&mm).is_none_or(|space| !space.own) {
            return;
        }
        let end = addr.saturating_add(len).min(WINDOW_SIZE);
        if addr < end {
            self.forget(mm, slice::from_ref(&(addr..end)));
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
            let shared = translations(space, &mut self.sharing);
            let mut code = shared.borrow_mut();
            code.enter_layout(space.layout);
            // SAFETY: the state was made with the window of this memory. Every change of executable pages forgets or
            // leaves their translations, what others added was just checked, and forks share what is not shared by all
            // only while neither's code changes. The handler was installed above.
            let stop = unsafe { run::run_shared(&mut space.state, &mut code, &space.memory, &mut self.translator) };
            drop(code);
            // Who else has them is what decides whether they can change.
            drop(shared);
            match stop {
                Some(Stop::Exit(exit)) => {
                    let retired = run::store(&space.state, regs, fuel);
                    return Ran { exit, retired };
                }
                Some(Stop::FenceI) => {
                    let changeable = space.memory.changeable_code();
                    if !changeable.is_empty() {
                        self.forget(mm, &changeable);
                    }
                }
                None => {
                    space.own = true;
                    space.code = None;
                }
            }
        }
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
