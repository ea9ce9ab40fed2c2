//! mmap, munmap, mprotect, madvise and brk on the list, with the cpu told of each change.

use super::{Mm, Vma, VmaBacking, VmaFlags, page_up};
use crate::cpu::CpuRef;
use friscy_abi::Errno;
use friscy_boundary::{HIGHEST_ADDRESS, LOWEST_ADDRESS, MemError, PAGE_SIZE, Prot};

/// A mapping that is wanted.
#[derive(Clone, Debug)]
pub struct MapRequest {
    /// Where: a hint, or the place when `fixed`.
    pub addr: u64,
    /// Bytes; rounded up to pages.
    pub len: u64,
    /// Protections.
    pub prot: Prot,
    /// Properties.
    pub flags: VmaFlags,
    /// Where pages come from.
    pub backing: VmaBacking,
    /// `MAP_FIXED`.
    pub fixed: bool,
    /// `MAP_FIXED_NOREPLACE`.
    pub no_replace: bool,
}

pub(super) fn errno(_: MemError) -> Errno {
    Errno::ENOMEM
}

impl Mm {
    /// The limit of mappings in one list (`vm.max_map_count`).
    pub const MAX_MAPPINGS: usize = 65_530;

    /// Establishes a mapping and returns its address.
    ///
    /// # Errors
    /// mmap(2): `EINVAL` for a length of zero or an unaligned fixed address, `ENOMEM` when there is no room or the
    /// place is outside the window, `EPERM` for a place below [`LOWEST_ADDRESS`], `EEXIST` for `MAP_FIXED_NOREPLACE`
    /// over a mapping, `EOVERFLOW` for an offset that no file has.
    pub fn map(&mut self, cpu: &CpuRef, request: MapRequest) -> Result<u64, Errno> {
        if request.len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_up(request.len).ok_or(Errno::ENOMEM)?;
        if len > HIGHEST_ADDRESS || self.vmas.len() >= Mm::MAX_MAPPINGS {
            return Err(Errno::ENOMEM);
        }
        if let VmaBacking::Object { offset, .. } = request.backing
            && offset.checked_add(len).is_none_or(|end| end > i64::MAX as u64)
        {
            return Err(Errno::EOVERFLOW);
        }
        let start = if request.fixed || request.no_replace {
            let start = request.addr;
            if start % PAGE_SIZE != 0 {
                return Err(Errno::EINVAL);
            }
            let end = start.checked_add(len).ok_or(Errno::ENOMEM)?;
            if end > HIGHEST_ADDRESS {
                return Err(Errno::ENOMEM);
            }
            if start < LOWEST_ADDRESS {
                return Err(Errno::EPERM);
            }
            if request.no_replace && !self.is_free(start, end) {
                return Err(Errno::EEXIST);
            }
            start
        } else {
            self.find_free(request.addr, len).ok_or(Errno::ENOMEM)?
        };
        let locked = if self.lock_future { VmaFlags::LOCKED } else { VmaFlags::empty() };
        let flags = request.flags | locked;
        let vma = Vma { start, end: start + len, prot: request.prot, flags, backing: request.backing };
        cpu.map(self.id, &vma.mapping()).map_err(errno)?;
        if vma.flags.contains(VmaFlags::SHARED | VmaFlags::MAYWRITE) {
            self.exact_faults(cpu);
        }
        drop(self.take_range(start, start + len));
        self.insert(vma);
        Ok(start)
    }

    /// Checks a range as munmap(2) and mprotect(2) do and returns its end, or `None` when it is empty.
    fn range_end(addr: u64, len: u64) -> Result<Option<u64>, Errno> {
        if addr % PAGE_SIZE != 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_up(len).ok_or(Errno::ENOMEM)?;
        if len == 0 {
            return Ok(None);
        }
        addr.checked_add(len).map(Some).ok_or(Errno::ENOMEM)
    }

    /// Removes mappings; gaps are fine.
    ///
    /// # Errors
    /// munmap(2): `EINVAL` for an unaligned address, a length of zero, or a range outside the address space.
    pub fn unmap(&mut self, cpu: &CpuRef, addr: u64, len: u64) -> Result<(), Errno> {
        let end = Mm::range_end(addr, len).map_err(|_| Errno::EINVAL)?.ok_or(Errno::EINVAL)?;
        if end > friscy_boundary::WINDOW_SIZE {
            return Err(Errno::EINVAL);
        }
        let (start, end) = (addr.max(LOWEST_ADDRESS), end.min(HIGHEST_ADDRESS));
        if start >= end || self.overlapping(start, end).next().is_none() {
            return Ok(());
        }
        cpu.unmap(self.id, start, end - start).map_err(errno)?;
        drop(self.take_range(start, end));
        Ok(())
    }

    /// Changes protections.
    ///
    /// # Errors
    /// mprotect(2): `EINVAL` for an unaligned address, `ENOMEM` when part of the range is not mapped (what comes
    /// before is changed), `EACCES` for write permission to a shared mapping of a file that is not open for writing.
    pub fn protect(&mut self, cpu: &CpuRef, addr: u64, len: u64, prot: Prot) -> Result<(), Errno> {
        let Some(end) = Mm::range_end(addr, len)? else { return Ok(()) };
        if addr < LOWEST_ADDRESS || end > HIGHEST_ADDRESS {
            return Err(Errno::ENOMEM);
        }
        // The part that is mapped without a gap, up to the first mapping that refuses.
        let mut reach = addr;
        let mut result = Ok(());
        for vma in self.overlapping(addr, end) {
            if vma.start > reach {
                break;
            }
            if prot.write && vma.is_shared() && !vma.flags.contains(VmaFlags::MAYWRITE) {
                result = Err(Errno::EACCES);
                break;
            }
            reach = vma.end.min(end);
        }
        if reach < end && result.is_ok() {
            result = Err(Errno::ENOMEM);
        }
        if reach > addr {
            cpu.protect(self.id, addr, reach - addr, prot).map_err(errno)?;
            self.update_range(addr, reach, |vma| vma.prot = prot);
        }
        result
    }

    /// Makes anonymous pages zero and private file pages as their file again, `MADV_DONTNEED`.
    ///
    /// # Errors
    /// madvise(2): `EINVAL` for an unaligned address, `ENOMEM` when part of the range is not mapped.
    pub fn discard(&mut self, cpu: &CpuRef, addr: u64, len: u64) -> Result<(), Errno> {
        let Some(end) = Mm::range_end(addr, len)? else { return Ok(()) };
        let parts: Vec<(u64, u64)> = self
            .overlapping(addr, end)
            .filter(|vma| !vma.is_shared())
            .map(|vma| (vma.start.max(addr), vma.end.min(end)))
            .collect();
        for (start, stop) in parts {
            cpu.discard(self.id, start, stop - start).map_err(errno)?;
        }
        if self.covers(addr, end) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Sets or clears properties of a range (`MADV_DONTFORK` and the like, mlock).
    ///
    /// # Errors
    /// As [`Mm::discard`].
    pub fn set_flags(&mut self, addr: u64, len: u64, set: VmaFlags, clear: VmaFlags) -> Result<(), Errno> {
        let Some(end) = Mm::range_end(addr, len)? else { return Ok(()) };
        self.update_range(addr, end, |vma| vma.flags = (vma.flags | set) - clear);
        if self.covers(addr, end) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Sets or clears properties of every mapping (mlockall).
    pub fn set_all_flags(&mut self, set: VmaFlags, clear: VmaFlags) {
        self.update_range(0, u64::MAX, |vma| vma.flags = (vma.flags | set) - clear);
    }

    /// Moves the end of the heap to `addr` if that is possible, and returns where it is then, brk(2).
    pub fn set_brk(&mut self, cpu: &CpuRef, addr: u64, data_limit: u64) -> u64 {
        if addr < self.brk_start || addr.saturating_sub(self.brk_start) > data_limit {
            return self.brk;
        }
        let (Some(old_end), Some(new_end)) = (page_up(self.brk), page_up(addr)) else { return self.brk };
        if new_end > old_end {
            // A page is left free above the heap, as a guard.
            if !self.is_free(old_end, new_end.saturating_add(PAGE_SIZE)) {
                return self.brk;
            }
            let request = MapRequest {
                addr: old_end,
                len: new_end - old_end,
                prot: Prot::RW,
                flags: VmaFlags::HEAP | VmaFlags::MAYWRITE,
                backing: VmaBacking::Anonymous,
                fixed: true,
                no_replace: false,
            };
            if self.map(cpu, request).is_err() {
                return self.brk;
            }
        } else if new_end < old_end && self.unmap(cpu, new_end, old_end - new_end).is_err() {
            return self.brk;
        }
        self.brk = addr;
        addr
    }
}
