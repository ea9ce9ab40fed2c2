//! The kernel's side of address spaces that live in instances of their own: objects are here, and instances hold copies
//! of their pages.
//!
//! One address space runs at a time. Before it runs, pages of shared mappings that others changed are loaded into it;
//! afterwards what it wrote to them goes back to the objects. Two shared mappings of one object in one address space
//! see each other's stores from the next run on, not at once. A private mapping shows what the object held when it was
//! mapped or last discarded.

use super::instance::{Reply, Request};
use super::objects::Object;
use friscy_boundary::{Backing, CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, Prot, Ran, Regs, WINDOW_SIZE};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// At most this many bytes of an object are loaded by one request.
const LOAD_BYTES: usize = 256 << 10;

/// A page of zeros.
const ZEROS: [u8; 4096] = [0; 4096];

/// The instances. Numbers are never used again. An instance that failed answers nothing from then on.
pub trait Pool {
    /// Makes an instance with an empty address space.
    fn create(&mut self) -> Option<u32>;

    /// Makes an instance that is a copy of another.
    fn fork(&mut self, parent: u32) -> Option<u32>;

    /// Frees an instance.
    fn destroy(&mut self, number: u32);

    /// Lets an instance answer a request.
    fn call(&mut self, number: u32, request: &[u8]) -> Option<Vec<u8>>;

    /// Copies guest memory, subject to read permission; returns how many bytes could be read.
    fn read(&mut self, number: u32, addr: u64, buf: &mut [u8]) -> usize;

    /// Copies to guest memory, subject to write permission; returns how many bytes could be written.
    fn write(&mut self, number: u32, addr: u64, bytes: &[u8]) -> usize;
}

/// A mapping of an object.
#[derive(Clone)]
struct View {
    range: Range<u64>,
    object: ObjectId,
    /// Offset of the first byte.
    offset: u64,
    shared: bool,
}

impl View {
    /// The parts of the view outside of `hole`.
    fn without(&self, hole: &Range<u64>) -> impl Iterator<Item = View> {
        let parts = [self.range.start..self.range.end.min(hole.start), self.range.start.max(hole.end)..self.range.end];
        parts.map(|range| self.cut(&range)).into_iter().filter(|view| view.range.start < view.range.end)
    }

    /// The part of the view in `range`; empty if there is none.
    fn cut(&self, range: &Range<u64>) -> View {
        let start = self.range.start.max(range.start);
        let end = self.range.end.min(range.end).max(start);
        let offset = self.offset + (start - self.range.start);
        View { range: start..end, object: self.object, offset, shared: self.shared }
    }

    /// The offsets of the object that it shows.
    fn offsets(&self) -> Range<u64> {
        self.offset..self.offset + (self.range.end - self.range.start)
    }

    fn addr_of(&self, offset: u64) -> u64 {
        self.range.start + (offset - self.offset)
    }
}

struct Space {
    instance: u32,
    views: Vec<View>,
    /// The time up to which changes of objects are in the views.
    seen: u64,
}

impl Space {
    fn remove(&mut self, range: &Range<u64>) -> Vec<View> {
        let removed = self.views.iter().map(|view| view.cut(range)).filter(|view| !view.range.is_empty()).collect();
        self.views = self.views.iter().flat_map(|view| view.without(range)).collect();
        removed
    }
}

/// An implementation of [`Cpu`] over instances that hold one address space each.
pub struct PooledCpu<P: Pool> {
    pool: P,
    spaces: BTreeMap<MmId, Space>,
    objects: BTreeMap<ObjectId, (Object, bool)>,
    /// Counts changes of objects.
    clock: u64,
    next_object: u32,
}

impl<P: Pool> PooledCpu<P> {
    /// No address spaces yet.
    pub fn new(pool: P) -> PooledCpu<P> {
        PooledCpu { pool, spaces: BTreeMap::new(), objects: BTreeMap::new(), clock: 1, next_object: 1 }
    }

    /// The instances.
    pub fn pool(&mut self) -> &mut P {
        &mut self.pool
    }

    fn ask<R>(&mut self, mm: MmId, request: &Request<'_>, read: impl FnOnce(Reply<'_>) -> Option<R>) -> Option<R> {
        let instance = self.spaces.get(&mm)?.instance;
        let request = postcard::to_allocvec(request).ok()?;
        let reply = self.pool.call(instance, &request)?;
        read(postcard::from_bytes(&reply).ok()?)
    }

    fn memory(&mut self, mm: MmId, request: &Request<'_>) -> Result<(), MemError> {
        let result = |reply: Reply<'_>| match reply {
            Reply::Memory(result) => Some(result),
            _ => None,
        };
        if !self.spaces.contains_key(&mm) {
            return Err(MemError::NoSuch);
        }
        self.ask(mm, request, result).unwrap_or(Err(MemError::NoMemory))
    }

    fn copied(&mut self, mm: MmId, request: &Request<'_>) -> Result<(), CopyFault> {
        let result = |reply: Reply<'_>| match reply {
            Reply::Copied(result) => Some(result),
            _ => None,
        };
        self.ask(mm, request, result).unwrap_or(Err(CopyFault { copied: 0 }))
    }

    /// Loads what `view` shows of its object and changed after `since`.
    fn load(&mut self, mm: MmId, view: &View, since: u64) {
        let Some((object, _)) = self.objects.get(&view.object) else { return };
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        for (offset, bytes) in object.changed_pages(view.offsets(), since) {
            let addr = view.addr_of(offset);
            let bytes = match bytes {
                Some(bytes) => bytes,
                // Pages that were just mapped are zero already.
                None if since == 0 => continue,
                None => &ZEROS,
            };
            match runs.last_mut() {
                Some((start, run)) if *start + run.len() as u64 == addr && run.len() < LOAD_BYTES => {
                    run.extend_from_slice(bytes);
                }
                _ => runs.push((addr, bytes.to_vec())),
            }
        }
        for (addr, bytes) in runs {
            // A page beyond its object's end can only be one that a failed instance does not know of.
            let _ = self.copied(mm, &Request::Load { addr, bytes: &bytes });
        }
    }

    /// Brings an address space's views up to date.
    fn refresh(&mut self, mm: MmId) {
        let Some(space) = self.spaces.get_mut(&mm) else { return };
        let since = space.seen;
        if space.views.is_empty() || since == self.clock {
            return;
        }
        space.seen = self.clock;
        for view in space.views.clone() {
            let Some((object, _)) = self.objects.get(&view.object) else { continue };
            if object.changed() <= since {
                continue;
            }
            if object.len_changed() > since {
                let end = end_addr(&view, object);
                // Without an answer the instance has failed, and its next run says so.
                let _ = self.memory(mm, &Request::ObjectEnd { range: view.range.clone(), end });
            }
            if view.shared {
                self.load(mm, &view, since);
            }
        }
    }

    /// Takes what an address space wrote to shared pages.
    fn write_back(&mut self, mm: MmId) {
        let Some(space) = self.spaces.get(&mm) else { return };
        let shared: Vec<View> = space.views.iter().filter(|view| view.shared).cloned().collect();
        for view in &shared {
            let pages = |reply: Reply<'_>| match reply {
                Reply::Dirty(pages) => Some(pages),
                _ => None,
            };
            let dirty = self.ask(mm, &Request::TakeDirty { range: view.range.clone() }, pages).unwrap_or_default();
            let Some((object, _)) = self.objects.get_mut(&view.object) else { continue };
            for (addr, bytes) in dirty {
                let offset = view.offset + (addr - view.range.start);
                // The last page may reach beyond the object, which a store there does not make longer.
                let len = object.len().saturating_sub(offset).min(bytes.len() as u64) as usize;
                self.clock += 1;
                object.write(offset, &bytes[..len], self.clock);
            }
            let views = shared.iter().filter(|other| other.object == view.object).count();
            if views == 1 {
                if let Some(space) = self.spaces.get_mut(&mm) {
                    space.seen = self.clock;
                }
            }
        }
    }

    fn release(&mut self, id: ObjectId) {
        let held = self.objects.get(&id).is_some_and(|(_, held)| *held);
        let viewed = self.spaces.values().any(|space| space.views.iter().any(|view| view.object == id));
        if !held && !viewed {
            self.objects.remove(&id);
        }
    }

    /// Forgets the views in `range`, and objects that nobody holds any more.
    fn remove_views(&mut self, mm: MmId, range: &Range<u64>) -> Vec<View> {
        let Some(space) = self.spaces.get_mut(&mm) else { return Vec::new() };
        let removed = space.remove(range);
        for view in &removed {
            self.release(view.object);
        }
        removed
    }

    fn object(&mut self, id: ObjectId) -> Result<&mut Object, MemError> {
        self.clock += 1;
        self.objects.get_mut(&id).map(|(object, _)| object).ok_or(MemError::NoSuch)
    }
}

/// The address behind the last page of a view that its object reaches.
fn end_addr(view: &View, object: &Object) -> u64 {
    view.range.start.saturating_add(object.end().saturating_sub(view.offset))
}

impl<P: Pool> Cpu for PooledCpu<P> {
    fn create(&mut self) -> Result<MmId, MemError> {
        let instance = self.pool.create().ok_or(MemError::NoMemory)?;
        let mm = MmId(instance);
        self.spaces.insert(mm, Space { instance, views: Vec::new(), seen: self.clock });
        Ok(mm)
    }

    fn fork_from(&mut self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError> {
        let from = self.spaces.get(&parent).ok_or(MemError::NoSuch)?;
        let (views, seen) = (from.views.clone(), from.seen);
        let instance = self.pool.fork(from.instance).ok_or(MemError::NoMemory)?;
        let mm = MmId(instance);
        self.spaces.insert(mm, Space { instance, views, seen });
        let mut ranges: Vec<_> = mappings.iter().map(|mapping| mapping.addr..mapping.addr + mapping.len).collect();
        ranges.sort_by_key(|range| range.start);
        let mut at = 0;
        for range in &ranges {
            self.remove_views(mm, &(at..range.start.max(at)));
            at = range.end;
        }
        self.remove_views(mm, &(at..u64::MAX));
        self.memory(mm, &Request::Retain { ranges: Cow::Owned(ranges) }).inspect_err(|_| self.destroy(mm))?;
        Ok(mm)
    }

    fn destroy(&mut self, mm: MmId) {
        self.remove_views(mm, &(0..u64::MAX));
        if let Some(space) = self.spaces.remove(&mm) {
            self.pool.destroy(space.instance);
        }
    }

    fn map(&mut self, mm: MmId, mapping: &Mapping) -> Result<(), MemError> {
        let range = mapping.addr..mapping.addr + mapping.len;
        let view = match mapping.backing {
            Backing::Anonymous => None,
            Backing::Private { object, offset } => Some(View { range: range.clone(), object, offset, shared: false }),
            Backing::Shared { object, offset } => Some(View { range: range.clone(), object, offset, shared: true }),
        };
        let object_end = match &view {
            None => None,
            Some(view) => {
                let (object, _) = self.objects.get(&view.object).ok_or(MemError::NoSuch)?;
                Some(end_addr(view, object))
            }
        };
        // The other views must not miss what happened up to now.
        self.refresh(mm);
        self.memory(mm, &Request::Map { range: range.clone(), prot: mapping.prot, object_end })?;
        let Some(view) = view else {
            self.remove_views(mm, &range);
            return Ok(());
        };
        // The new view first: it may be what keeps the object.
        let space = self.spaces.get_mut(&mm).ok_or(MemError::NoSuch)?;
        let replaced = space.remove(&range);
        space.views.push(view.clone());
        for old in replaced {
            self.release(old.object);
        }
        self.load(mm, &view, 0);
        Ok(())
    }

    fn unmap(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        let range = addr..addr + len;
        self.memory(mm, &Request::Unmap { range: range.clone() })?;
        self.remove_views(mm, &range);
        Ok(())
    }

    fn protect(&mut self, mm: MmId, addr: u64, len: u64, prot: Prot) -> Result<(), MemError> {
        self.memory(mm, &Request::Protect { range: addr..addr + len, prot })
    }

    fn discard(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        let range = addr..addr + len;
        let space = self.spaces.get(&mm).ok_or(MemError::NoSuch)?;
        let mut views: Vec<View> = space.views.iter().map(|view| view.cut(&range)).collect();
        views.retain(|view| !view.range.is_empty());
        views.sort_by_key(|view| view.range.start);
        // Shared pages stay as they are.
        let mut at = range.start;
        let shared = views.iter().filter(|view| view.shared).map(|view| view.range.clone());
        for kept in shared.chain([range.end..range.end]) {
            if at < kept.start {
                self.memory(mm, &Request::Discard { range: at..kept.start })?;
            }
            at = kept.end;
        }
        for view in views.iter().filter(|view| !view.shared) {
            self.load(mm, view, 0);
        }
        Ok(())
    }

    fn move_pages(&mut self, mm: MmId, from: u64, to: u64, len: u64) -> Result<(), MemError> {
        self.memory(mm, &Request::MovePages { from: from..from + len, to })?;
        let space = self.spaces.get_mut(&mm).ok_or(MemError::NoSuch)?;
        for mut view in space.remove(&(from..from + len)) {
            let size = view.range.end - view.range.start;
            view.range.start = to + (view.range.start - from);
            view.range.end = view.range.start + size;
            space.views.push(view);
        }
        Ok(())
    }

    fn copy_in(&mut self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        self.refresh(mm);
        let instance = self.spaces.get(&mm).ok_or(CopyFault { copied: 0 })?.instance;
        let copied = self.pool.read(instance, addr, buf);
        if copied < buf.len() { Err(CopyFault { copied: copied as u64 }) } else { Ok(()) }
    }

    fn copy_out(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.refresh(mm);
        let instance = self.spaces.get(&mm).ok_or(CopyFault { copied: 0 })?.instance;
        let copied = self.pool.write(instance, addr, bytes);
        self.write_back(mm);
        if copied < bytes.len() { Err(CopyFault { copied: copied as u64 }) } else { Ok(()) }
    }

    fn poke(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.refresh(mm);
        let result = self.copied(mm, &Request::Poke { addr, bytes });
        self.write_back(mm);
        result
    }

    fn flush_icache(&mut self, mm: MmId, addr: u64, len: u64) {
        let range = addr..addr.saturating_add(len).min(WINDOW_SIZE);
        if range.start < range.end {
            // Without an answer the instance has failed, and its next run says so.
            let _ = self.memory(mm, &Request::FlushIcache { range });
        }
    }

    fn run(&mut self, mm: MmId, regs: &mut Regs, fuel: u64) -> Ran {
        self.refresh(mm);
        let answer = |reply: Reply<'_>| match reply {
            Reply::Ran { ran, regs } => Some((ran, regs.into_owned())),
            _ => None,
        };
        let Some((ran, after)) = self.ask(mm, &Request::Run { regs: Cow::Borrowed(regs), fuel }, answer) else {
            return Ran { exit: Exit::Poisoned, retired: 0 };
        };
        *regs = after;
        self.write_back(mm);
        ran
    }

    fn object_create(&mut self, len: u64) -> Result<ObjectId, MemError> {
        let id = ObjectId(self.next_object);
        self.next_object += 1;
        self.clock += 1;
        self.objects.insert(id, (Object::new(len, self.clock), true));
        Ok(id)
    }

    fn object_read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize {
        self.objects.get(&object).map_or(0, |(object, _)| object.read(offset, buf))
    }

    fn object_write(&mut self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        let now = self.clock + 1;
        self.object(object)?.write(offset, bytes, now);
        Ok(())
    }

    fn object_resize(&mut self, object: ObjectId, len: u64) -> Result<(), MemError> {
        let now = self.clock + 1;
        self.object(object)?.resize(len, now);
        Ok(())
    }

    fn object_release(&mut self, object: ObjectId) {
        if let Some((_, held)) = self.objects.get_mut(&object) {
            *held = false;
        }
        self.release(object);
    }
}
