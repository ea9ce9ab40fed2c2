//! mremap(2).

use super::change::errno;
use super::{MapRequest, Mm, VmaBacking, VmaFlags, page_up};
use crate::cpu::CpuRef;
use friscy_abi::Errno;
use friscy_abi::mman::{MREMAP_DONTUNMAP, MREMAP_MAYMOVE};
use friscy_boundary::{HIGHEST_ADDRESS, LOWEST_ADDRESS, PAGE_SIZE};

impl Mm {
    /// Grows, shrinks or moves the mapping at `old`; `flags` are those of mremap(2), and `to` is the
    /// place for `MREMAP_FIXED`. With `MREMAP_DONTUNMAP`, which is for moves that keep the length, the old range stays
    /// mapped, without its pages. Returns the new address.
    ///
    /// # Errors
    /// mremap(2): `EINVAL` for unaligned addresses, a new length of zero or overlapping ranges; `EFAULT` when the old
    /// range is not within one mapping; `ENOMEM` when it cannot grow in place and may not move, or there is no room.
    pub fn remap(
        &mut self,
        cpu: &CpuRef,
        old: u64,
        old_len: u64,
        new_len: u64,
        flags: u32,
        to: Option<u64>,
    ) -> Result<u64, Errno> {
        let (may_move, keep) = (flags & MREMAP_MAYMOVE != 0, flags & MREMAP_DONTUNMAP != 0);
        if old % PAGE_SIZE != 0 {
            return Err(Errno::EINVAL);
        }
        let old_len = page_up(old_len).ok_or(Errno::EINVAL)?;
        let new_len = page_up(new_len).filter(|&len| len != 0).ok_or(Errno::EINVAL)?;
        if new_len > HIGHEST_ADDRESS {
            return Err(Errno::ENOMEM);
        }
        let old_end = old.checked_add(old_len).ok_or(Errno::EINVAL)?;
        let vma = self.find(old).cloned().ok_or(Errno::EFAULT)?;
        if let Some(to) = to {
            let to_end = to.checked_add(new_len).ok_or(Errno::EINVAL)?;
            if !may_move || to % PAGE_SIZE != 0 || to < LOWEST_ADDRESS || to_end > HIGHEST_ADDRESS {
                return Err(Errno::EINVAL);
            }
            if to < old_end && old < to_end {
                return Err(Errno::EINVAL);
            }
        }
        if old_len == 0 {
            // A second mapping of shared pages.
            if !vma.is_shared() || !may_move {
                return Err(Errno::EINVAL);
            }
            return self.map(
                cpu,
                MapRequest {
                    addr: to.unwrap_or(0),
                    len: new_len,
                    prot: vma.prot,
                    flags: vma.flags,
                    backing: shifted(&vma.backing, old - vma.start),
                    fixed: to.is_some(),
                    no_replace: false,
                },
            );
        }
        if old_end > vma.end {
            return Err(Errno::EFAULT);
        }
        if to.is_none() && !keep {
            if new_len <= old_len {
                if new_len < old_len {
                    self.unmap(cpu, old + new_len, old_len - new_len)?;
                }
                return Ok(old);
            }
            if old_end == vma.end && old.checked_add(new_len).is_some_and(|end| self.is_free(old_end, end)) {
                self.map(cpu, extension(&vma, old_end, new_len - old_len))?;
                return Ok(old);
            }
            if !may_move {
                return Err(Errno::ENOMEM);
            }
        }
        let place = match to {
            Some(to) => {
                self.unmap(cpu, to, new_len)?;
                to
            }
            None => self.find_free(0, new_len).ok_or(Errno::ENOMEM)?,
        };
        let moved = old_len.min(new_len);
        if new_len < old_len {
            self.unmap(cpu, old + new_len, old_len - new_len)?;
        }
        cpu.move_pages(self.id, old, place, moved).map_err(errno)?;
        let parts = self.take_range(old, old + moved);
        let kept = if keep { parts.clone() } else { Vec::new() };
        for mut part in parts {
            part.start = part.start - old + place;
            part.end = part.end - old + place;
            self.insert(part);
        }
        for part in kept {
            // The pages that were locked are elsewhere now.
            let request = MapRequest {
                addr: part.start,
                len: part.len(),
                prot: part.prot,
                flags: part.flags - VmaFlags::LOCKED,
                backing: part.backing,
                fixed: true,
                no_replace: false,
            };
            self.map(cpu, request)?;
        }
        if new_len > moved {
            let mut grown = vma;
            grown.backing = shifted(&grown.backing, old - grown.start);
            grown.start = place;
            self.map(cpu, extension(&grown, place + moved, new_len - moved))?;
        }
        Ok(place)
    }
}

fn shifted(backing: &VmaBacking, by: u64) -> VmaBacking {
    let mut backing = backing.clone();
    if let VmaBacking::Object { offset, .. } = &mut backing {
        *offset += by;
    }
    backing
}

/// What continues a mapping at `at`.
fn extension(vma: &super::Vma, at: u64, len: u64) -> MapRequest {
    MapRequest {
        addr: at,
        len,
        prot: vma.prot,
        flags: vma.flags,
        backing: shifted(&vma.backing, at - vma.start),
        fixed: true,
        no_replace: false,
    }
}
