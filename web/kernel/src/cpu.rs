//! The kernel's end of the boundary: address spaces behind the glue, objects here.
//!
//! A mapping of an object is zero pages into which the object's bytes are loaded. Of shared mappings the object has the
//! truth: since one task runs at a time, pages that others wrote are loaded before an address space is used, and its own
//! written pages are taken back right after.

use crate::areas::{Areas, object_of};
use crate::object::Object;
use crate::profile::Profiler;
use friscy_boundary::{Backing, CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, PAGE_SIZE, Prot, Ran, Regs};
use friscy_pack::manifest::Ahead;
use friscy_web_messages::{MAX_BYTES, Reply, Request, decode, encode};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// What the glue does for the kernel's instance. Address spaces have numbers that are not zero.
pub trait Glue {
    /// Makes an empty address space; nothing if there is no memory for it.
    fn create(&mut self) -> Option<u32>;

    /// Makes a copy of an address space.
    fn fork(&mut self, parent: u32) -> Option<u32>;

    /// Frees an address space.
    fn destroy(&mut self, space: u32);

    /// Has an address space handle a request; nothing if it failed for good.
    fn call(&mut self, space: u32, request: &[u8]) -> Option<Vec<u8>>;
}

/// What is known of one address space.
#[derive(Clone, Default)]
struct Space {
    areas: Areas,
    /// Whether one of the areas is, or was, shared.
    shares: bool,
    /// The versions of the shared pages that it has, by guest address.
    seen: BTreeMap<u64, u64>,
    /// Up to when changes of shared pages by others were loaded.
    synced: u64,
}

/// [`Cpu`] over the glue.
pub struct WebCpu<G: Glue> {
    glue: G,
    spaces: BTreeMap<MmId, Space>,
    objects: BTreeMap<ObjectId, Object>,
    /// What was compiled ahead of time, by where the contents of its files begin.
    ahead: BTreeMap<u64, Ahead>,
    /// Takes samples, if a profile is recorded.
    profiler: Option<Profiler>,
    next_object: u32,
    /// Counts changes of objects.
    clock: u64,
}

impl<G: Glue> WebCpu<G> {
    /// No address spaces and no objects.
    pub fn new(glue: G) -> WebCpu<G> {
        WebCpu {
            glue,
            spaces: BTreeMap::new(),
            objects: BTreeMap::new(),
            ahead: BTreeMap::new(),
            profiler: None,
            next_object: 1,
            clock: 0,
        }
    }

    /// The same with modules that were compiled ahead of time.
    #[must_use]
    pub fn with_ahead(mut self, modules: Vec<Ahead>) -> WebCpu<G> {
        self.ahead = modules.into_iter().map(|ahead| (ahead.offset, ahead)).collect();
        self
    }

    /// Takes samples of what runs. Called before there is any address space.
    pub fn profile(&mut self) -> Profiler {
        self.profiler.get_or_insert_default().clone()
    }

    /// Tells an address space of the module that was compiled of what it has mapped executable, if there is one.
    fn attach(&mut self, mm: MmId, range: &Range<u64>, object: ObjectId, offset: u64) {
        let file = self.objects.get(&object).and_then(|object| object.file);
        let Some(ahead) = file.and_then(|file| self.ahead.get(&file)) else { return };
        let mut requests = Vec::new();
        for segment in &ahead.segments {
            let (start, len) = (u64::from(segment.offset), u64::from(segment.len));
            let (from, to) = (start.max(offset), (start + len).min(offset + (range.end - range.start)));
            // Where the file's first byte is mapped is not what its headers count from.
            let base = range.start.wrapping_sub(offset).wrapping_add(start).wrapping_sub(segment.address.into());
            if from < to && (ahead.is_relative || base == 0) {
                requests.push(Request::Attach {
                    addr: range.start + (from - offset),
                    len: to - from,
                    module: ahead.module,
                    base,
                    functions: ahead.functions,
                    places: ahead.places,
                });
            }
        }
        for request in requests {
            // It cannot fail but for an address space that failed for good.
            let _ = self.memory(mm, &request);
        }
    }

    /// The glue.
    pub fn glue(&mut self) -> &mut G {
        &mut self.glue
    }

    /// How many objects there are.
    pub fn objects(&self) -> usize {
        self.objects.len()
    }

    fn memory(&mut self, mm: MmId, request: &Request<'_>) -> Result<(), MemError> {
        let reply = self.glue.call(mm.0, &encode(request)).ok_or(MemError::NoMemory)?;
        match decode(&reply) {
            Some(Reply::Memory(result)) => result,
            _ => Err(MemError::NoMemory),
        }
    }

    /// Reads guest memory in pieces that messages can carry; returns how many bytes could be read.
    fn read(&mut self, mm: MmId, addr: u64, buf: &mut [u8], request: impl Fn(u64, u64) -> Request<'static>) -> usize {
        let mut done = 0;
        for piece in buf.chunks_mut(MAX_BYTES) {
            let Some(at) = addr.checked_add(done as u64) else { break };
            let Some(reply) = self.glue.call(mm.0, &encode(&request(at, piece.len() as u64))) else { break };
            let Some(Reply::Bytes(bytes)) = decode(&reply) else { break };
            let n = bytes.len().min(piece.len());
            piece[..n].copy_from_slice(&bytes[..n]);
            done += n;
            if n < piece.len() {
                break;
            }
        }
        done
    }

    /// Writes guest memory in pieces that messages can carry.
    fn write<'a>(
        &mut self,
        mm: MmId,
        addr: u64,
        bytes: &'a [u8],
        request: impl Fn(u64, &'a [u8]) -> Request<'a>,
    ) -> Result<(), CopyFault> {
        let mut done = 0;
        for piece in bytes.chunks(MAX_BYTES) {
            let stopped = |more: u64| CopyFault { copied: done + more };
            let at = addr.checked_add(done).ok_or(stopped(0))?;
            let reply = self.glue.call(mm.0, &encode(&request(at, piece))).ok_or(stopped(0))?;
            match decode(&reply) {
                Some(Reply::Copied(Ok(()))) => done += piece.len() as u64,
                Some(Reply::Copied(Err(fault))) => return Err(stopped(fault.copied)),
                _ => return Err(stopped(0)),
            }
        }
        Ok(())
    }

    /// Loads what `object` holds from `offset` on into the pages of `range`; pages that nobody wrote stay zero.
    fn load(
        &mut self,
        mm: MmId,
        range: Range<u64>,
        object: ObjectId,
        offset: u64,
        shared: bool,
    ) -> Result<(), MemError> {
        let Some(held) = self.objects.get(&object) else { return Err(MemError::NoSuch) };
        let first = offset / PAGE_SIZE;
        let last = held.len().div_ceil(PAGE_SIZE).min(first + (range.end - range.start) / PAGE_SIZE);
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        let space = self.spaces.entry(mm).or_default();
        for (number, bytes, version) in held.pages(first, last) {
            let addr = range.start + (number - first) * PAGE_SIZE;
            if shared {
                space.seen.insert(addr, version);
            }
            match runs.last_mut() {
                Some((start, run)) if *start + run.len() as u64 == addr && run.len() < MAX_BYTES => {
                    run.extend_from_slice(bytes);
                }
                _ => {
                    let most = ((last - number) * PAGE_SIZE).min(MAX_BYTES as u64);
                    let mut run = Vec::with_capacity(most as usize);
                    run.extend_from_slice(bytes);
                    runs.push((addr, run));
                }
            }
        }
        for (addr, run) in runs {
            self.write(mm, addr, &run, |addr, bytes| Request::Load { addr, bytes }).map_err(|_| MemError::NoMemory)?;
        }
        Ok(())
    }

    /// Loads shared pages that others wrote since the address space was last used.
    fn refresh(&mut self, mm: MmId) {
        let Some(space) = self.spaces.get(&mm) else { return };
        if !space.shares || space.synced == self.clock {
            return;
        }
        let mut stale: Vec<(u64, Vec<u8>, u64)> = Vec::new();
        for (range, backing) in space.areas.all() {
            let Backing::Shared { object, offset } = backing else { continue };
            let Some(object) = self.objects.get(&object) else { continue };
            let first = offset / PAGE_SIZE;
            let end = (first + (range.end - range.start) / PAGE_SIZE).min(object.len().div_ceil(PAGE_SIZE));
            for (number, bytes, version) in object.pages(first, end) {
                let addr = range.start + (number - first) * PAGE_SIZE;
                if space.seen.get(&addr) != Some(&version) {
                    stale.push((addr, bytes.to_vec(), version));
                }
            }
        }
        for (addr, bytes, version) in stale {
            let loaded = self.write(mm, addr, &bytes, |addr, bytes| Request::Load { addr, bytes });
            if let (Ok(()), Some(space)) = (loaded, self.spaces.get_mut(&mm)) {
                space.seen.insert(addr, version);
            }
        }
        if let Some(space) = self.spaces.get_mut(&mm) {
            space.synced = self.clock;
        }
    }

    /// Takes shared pages back that the address space wrote since it was refreshed.
    fn collect(&mut self, mm: MmId) {
        let Some(space) = self.spaces.get(&mm) else { return };
        if !space.shares {
            return;
        }
        let shared: Vec<_> = space
            .areas
            .all()
            .filter_map(|(range, backing)| match backing {
                Backing::Shared { object, offset } => Some((range, object, offset)),
                _ => None,
            })
            .collect();
        for (range, object, offset) in shared {
            let request = Request::TakeDirty { addr: range.start, len: range.end - range.start };
            let Some(reply) = self.glue.call(mm.0, &encode(&request)) else { return };
            let Some(Reply::Ranges(dirty)) = decode(&reply) else { return };
            for (addr, len) in dirty {
                self.take_back(mm, addr, len, object, offset + (addr - range.start));
            }
        }
        if let Some(space) = self.spaces.get_mut(&mm) {
            space.synced = self.clock;
        }
    }

    fn take_back(&mut self, mm: MmId, addr: u64, len: u64, object: ObjectId, offset: u64) {
        let mut bytes = vec![0; len as usize];
        let got = self.read(mm, addr, &mut bytes, |addr, len| Request::Peek { addr, len });
        self.clock += 1;
        let Some(held) = self.objects.get_mut(&object) else { return };
        // The last page may reach beyond the object's end; writing there does not make it longer.
        let inside = held.len().saturating_sub(offset).min(got as u64) as usize;
        held.write(offset, &bytes[..inside], self.clock);
        if let Some(space) = self.spaces.get_mut(&mm) {
            for page in (addr..addr + len).step_by(PAGE_SIZE as usize) {
                space.seen.insert(page, self.clock);
            }
        }
    }

    /// Forgets what is known of `range`.
    fn forget(&mut self, mm: MmId, range: Range<u64>) {
        let Some(space) = self.spaces.get_mut(&mm) else { return };
        let (parts, counts) = space.areas.remove(range);
        if space.shares {
            for (part, _) in parts {
                let seen: Vec<u64> = space.seen.range(part).map(|(&addr, _)| addr).collect();
                for addr in seen {
                    space.seen.remove(&addr);
                }
            }
        }
        self.count(counts);
    }

    fn count(&mut self, counts: Vec<(ObjectId, i32)>) {
        for (id, change) in counts {
            if let Some(object) = self.objects.get_mut(&id) {
                object.areas = object.areas.saturating_add_signed(change);
            }
            self.drop_unused(id);
        }
    }

    fn drop_unused(&mut self, id: ObjectId) {
        if self.objects.get(&id).is_some_and(|object| object.released && object.areas == 0) {
            self.objects.remove(&id);
        }
    }

    /// Where the object behind a mapping at `range` ends, if that is inside.
    fn object_end(&self, range: &Range<u64>, object: ObjectId, offset: u64) -> Option<u64> {
        let len = self.objects.get(&object)?.len().div_ceil(PAGE_SIZE) * PAGE_SIZE;
        let end = range.start + len.saturating_sub(offset);
        (end < range.end).then_some(end)
    }
}

impl<G: Glue> Cpu for WebCpu<G> {
    fn create(&mut self) -> Result<MmId, MemError> {
        let mm = MmId(self.glue.create().ok_or(MemError::NoMemory)?);
        self.spaces.insert(mm, Space::default());
        Ok(mm)
    }

    fn fork_from(&mut self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError> {
        self.collect(parent);
        let known = self.spaces.get(&parent).ok_or(MemError::NoSuch)?.clone();
        let child = MmId(self.glue.fork(parent.0).ok_or(MemError::NoMemory)?);
        let counts = known.areas.all().filter_map(|(_, backing)| Some((object_of(backing)?, 1))).collect();
        // What the parent has mapped and the child does not get: usually nothing.
        let mut kept: Vec<Range<u64>> = mappings.iter().map(|m| m.addr..m.addr + m.len).collect();
        kept.sort_by_key(|range| range.start);
        let mut missing = Vec::new();
        for (range, _) in known.areas.all() {
            let mut at = range.start;
            let from = kept.partition_point(|kept| kept.end <= at);
            for kept in kept.iter().skip(from).take_while(|kept| kept.start < range.end) {
                if kept.start > at {
                    missing.push(at..kept.start);
                }
                at = at.max(kept.end);
            }
            if at < range.end {
                missing.push(at..range.end);
            }
        }
        self.spaces.insert(child, known);
        self.count(counts);
        for range in missing {
            self.unmap(child, range.start, range.end - range.start)?;
        }
        Ok(child)
    }

    fn destroy(&mut self, mm: MmId) {
        self.forget(mm, 0..u64::MAX);
        self.spaces.remove(&mm);
        self.glue.destroy(mm.0);
    }

    fn map(&mut self, mm: MmId, mapping: &Mapping) -> Result<(), MemError> {
        let Mapping { addr, len, prot, backing } = *mapping;
        let range = addr..addr + len;
        let object_end = match backing {
            Backing::Anonymous => None,
            Backing::Private { object, offset } | Backing::Shared { object, offset } => {
                if !self.objects.contains_key(&object) {
                    return Err(MemError::NoSuch);
                }
                self.object_end(&range, object, offset)
            }
        };
        self.memory(mm, &Request::Map { addr, len, prot, object_end })?;
        self.forget(mm, range.clone());
        let space = self.spaces.get_mut(&mm).ok_or(MemError::NoSuch)?;
        space.areas.insert(range.clone(), backing);
        if let Some(object) = object_of(backing) {
            self.count(vec![(object, 1)]);
        }
        match backing {
            Backing::Anonymous => Ok(()),
            Backing::Private { object, offset } => {
                self.load(mm, range.clone(), object, offset, false)?;
                if prot.exec {
                    self.attach(mm, &range, object, offset);
                }
                Ok(())
            }
            Backing::Shared { object, offset } => {
                if let Some(space) = self.spaces.get_mut(&mm) {
                    space.shares = true;
                }
                self.load(mm, range, object, offset, true)
            }
        }
    }

    fn unmap(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        self.memory(mm, &Request::Unmap { addr, len })?;
        self.forget(mm, addr..addr + len);
        Ok(())
    }

    fn protect(&mut self, mm: MmId, addr: u64, len: u64, prot: Prot) -> Result<(), MemError> {
        self.memory(mm, &Request::Protect { addr, len, prot })
    }

    fn discard(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        self.memory(mm, &Request::Discard { addr, len })?;
        let parts = self.spaces.get(&mm).ok_or(MemError::NoSuch)?.areas.within(addr..addr + len);
        for (range, backing) in parts {
            match backing {
                Backing::Anonymous => {}
                Backing::Private { object, offset } => self.load(mm, range, object, offset, false)?,
                Backing::Shared { object, offset } => self.load(mm, range, object, offset, true)?,
            }
        }
        Ok(())
    }

    fn move_pages(&mut self, mm: MmId, from: u64, to: u64, len: u64) -> Result<(), MemError> {
        self.memory(mm, &Request::MovePages { from, to, len })?;
        let parts = self.spaces.get(&mm).ok_or(MemError::NoSuch)?.areas.within(from..from + len);
        let counts = parts.iter().filter_map(|(_, backing)| Some((object_of(*backing)?, 1))).collect();
        self.count(counts);
        self.forget(mm, from..from + len);
        let clock = self.clock;
        let space = self.spaces.get_mut(&mm).ok_or(MemError::NoSuch)?;
        for (range, backing) in parts {
            space.areas.insert(range.start - from + to..range.end - from + to, backing);
        }
        // Which versions the pages have is not known any more: they are loaded again.
        space.synced = clock.wrapping_sub(1);
        Ok(())
    }

    fn copy_in(&mut self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        self.refresh(mm);
        let copied = self.read(mm, addr, buf, |addr, len| Request::CopyIn { addr, len });
        if copied < buf.len() { Err(CopyFault { copied: copied as u64 }) } else { Ok(()) }
    }

    fn copy_out(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.refresh(mm);
        let result = self.write(mm, addr, bytes, |addr, bytes| Request::CopyOut { addr, bytes });
        self.collect(mm);
        result
    }

    fn poke(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.refresh(mm);
        let result = self.write(mm, addr, bytes, |addr, bytes| Request::Poke { addr, bytes });
        self.collect(mm);
        result
    }

    fn flush_icache(&mut self, mm: MmId, addr: u64, len: u64) {
        // It cannot fail but for an address space that failed for good.
        let _ = self.memory(mm, &Request::FlushIcache { addr, len });
    }

    fn exact_faults(&mut self, mm: MmId) {
        // As above.
        let _ = self.memory(mm, &Request::ExactFaults);
    }

    fn run(&mut self, mm: MmId, regs: &mut Regs, fuel: u64) -> Ran {
        self.refresh(mm);
        let sampler = self.profiler.as_ref().map(Profiler::sampler);
        let request = encode(&Request::Run { regs: Cow::Borrowed(regs), fuel, sampler });
        let Some(reply) = self.glue.call(mm.0, &request) else { return Ran { exit: Exit::Poisoned, retired: 0 } };
        let Some(Reply::Ran { ran, regs: after, sampler }) = decode(&reply) else {
            return Ran { exit: Exit::Poisoned, retired: 0 };
        };
        *regs = after.into_owned();
        if let (Some(profiler), Some(sampler), Some(space)) = (&self.profiler, sampler, self.spaces.get(&mm)) {
            profiler.look(sampler, &space.areas, &self.objects);
        }
        self.collect(mm);
        ran
    }

    fn object_create(&mut self, len: u64) -> Result<ObjectId, MemError> {
        let id = ObjectId(self.next_object);
        self.next_object += 1;
        self.objects.insert(id, Object::new(len));
        Ok(id)
    }

    fn object_is_file(&mut self, object: ObjectId, offset: u64) {
        if let Some(object) = self.objects.get_mut(&object) {
            object.file = Some(offset);
        }
    }

    fn object_read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize {
        self.objects.get(&object).map_or(0, |object| object.read(offset, buf))
    }

    fn object_write(&mut self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        let held = self.objects.get(&object).ok_or(MemError::NoSuch)?;
        let before = held.len();
        self.clock += 1;
        let clock = self.clock;
        if let Some(held) = self.objects.get_mut(&object) {
            held.write(offset, bytes, clock);
            if held.len() != before {
                self.tell_end(object);
            }
        }
        Ok(())
    }

    fn object_resize(&mut self, object: ObjectId, len: u64) -> Result<(), MemError> {
        self.clock += 1;
        let clock = self.clock;
        let held = self.objects.get_mut(&object).ok_or(MemError::NoSuch)?;
        held.resize(len, clock);
        self.tell_end(object);
        Ok(())
    }

    fn object_release(&mut self, object: ObjectId) {
        if let Some(held) = self.objects.get_mut(&object) {
            held.released = true;
        }
        self.drop_unused(object);
    }
}

impl<G: Glue> WebCpu<G> {
    /// Tells the address spaces that map `object` where it ends now.
    fn tell_end(&mut self, object: ObjectId) {
        let Some(held) = self.objects.get(&object).filter(|held| held.areas > 0) else { return };
        let len = held.len().div_ceil(PAGE_SIZE) * PAGE_SIZE;
        let mut requests = Vec::new();
        for (&mm, space) in &self.spaces {
            for (range, backing) in space.areas.all() {
                if let Backing::Private { object: id, offset } | Backing::Shared { object: id, offset } = backing
                    && id == object
                {
                    let end = range.start + len.saturating_sub(offset);
                    requests.push((mm, Request::SetObjectEnd { addr: range.start, len: range.end - range.start, end }));
                }
            }
        }
        for (mm, request) in requests {
            // It cannot fail but for an address space that failed for good.
            let _ = self.memory(mm, &request);
        }
    }
}
