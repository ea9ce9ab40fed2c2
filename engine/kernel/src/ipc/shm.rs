//! Shared memory segments: shmget(2), shmat(2), shmdt(2), shmctl(2).

use super::{Object, Perm};
use crate::cpu::ObjectRef;
use crate::mm::{MapRequest, MappedFile, VmaBacking, VmaFlags, page_down, page_up};
use crate::{Kernel, Pid, Tid};
use friscy_abi::Errno;
use friscy_abi::ipc::{SHM_DEST, SHM_EXEC, SHM_RDONLY, SHM_REMAP, SHM_RND};
use friscy_abi::layout::{IpcPerm, Shmid};
use friscy_boundary::{PAGE_SIZE, Prot, WINDOW_SIZE};
use std::rc::Rc;

/// A segment.
#[derive(Clone, Debug)]
pub struct Segment {
    perm: Perm,
    size: u64,
    object: ObjectRef,
    creator: Pid,
    last: Pid,
    times: [i64; 3],
}

impl Object for Segment {
    const MOST: usize = 4_096;

    fn perm(&self) -> &Perm {
        &self.perm
    }

    fn perm_mut(&mut self) -> &mut Perm {
        &mut self.perm
    }
}

/// What shmat(2) is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Attach {
    /// The segment.
    pub id: i32,
    /// Where, or 0.
    pub addr: u64,
    /// `SHM_…`.
    pub flags: u32,
}

const ATTACHED: usize = 0;
const DETACHED: usize = 1;
const CHANGED: usize = 2;

impl Kernel {
    /// shmget(2).
    ///
    /// # Errors
    /// `EINVAL`, `EEXIST`, `ENOENT`, `EACCES`, `ENOMEM`.
    pub fn shmget(&mut self, tid: Tid, key: i32, size: u64, flags: u32) -> Result<i32, Errno> {
        self.drop_unused_segments();
        let (cred, now, creator) = (self.cred_of(tid), self.ipc_time(), self.task(tid).tgid);
        let cpu = self.cpu.clone();
        self.ipc.shm.find_or_make(
            key,
            flags,
            &cred,
            |segment| size <= segment.size,
            |perm| {
                if size == 0 || size > WINDOW_SIZE {
                    return Err(Errno::EINVAL);
                }
                let len = page_up(size).ok_or(Errno::EINVAL)?;
                let object = ObjectRef::create(&cpu, len).map_err(|_| Errno::ENOMEM)?;
                Ok(Segment { perm, size, object, creator, last: 0, times: [0, 0, now] })
            },
        )
    }

    /// shmat(2): the address.
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`, `ENOMEM`, `EIDRM`.
    pub fn shmat(&mut self, tid: Tid, attach: Attach) -> Result<u64, Errno> {
        self.drop_unused_segments();
        let cred = self.cred_of(tid);
        let segment = self.ipc.shm.get(attach.id)?;
        let readonly = attach.flags & SHM_RDONLY != 0;
        let exec = attach.flags & SHM_EXEC != 0;
        segment.perm.check(&cred, if readonly { 0o444 } else { 0o666 } | if exec { 0o111 } else { 0 })?;
        let (len, object, key) =
            (page_up(segment.size).ok_or(Errno::EINVAL)?, segment.object.clone(), segment.perm.key);
        let addr = match attach.addr % PAGE_SIZE {
            0 => attach.addr,
            _ if attach.flags & SHM_RND != 0 => page_down(attach.addr),
            _ => return Err(Errno::EINVAL),
        };
        if attach.addr == 0 && attach.flags & SHM_REMAP != 0 {
            return Err(Errno::EINVAL);
        }
        let file = MappedFile { path: format!("/SYSV{key:08x} (deleted)").into_bytes(), dev: 1, ino: attach.id as u64 };
        let request = MapRequest {
            addr,
            len,
            prot: Prot { read: true, write: !readonly, exec },
            flags: if readonly { VmaFlags::SHARED } else { VmaFlags::SHARED | VmaFlags::MAYWRITE },
            backing: VmaBacking::Object { object, offset: 0, file: Some(Rc::new(file)) },
            fixed: addr != 0,
            no_replace: addr != 0 && attach.flags & SHM_REMAP == 0,
        };
        let mm = Rc::clone(&self.task(tid).mm);
        let mapped = mm.borrow_mut().map(&self.cpu, request);
        let at = mapped.map_err(|errno| if errno == Errno::ENOMEM { errno } else { Errno::EINVAL })?;
        let (now, pid) = (self.ipc_time(), self.task(tid).tgid);
        let segment = self.ipc.shm.get(attach.id)?;
        segment.times[ATTACHED] = now;
        segment.last = pid;
        Ok(at)
    }

    /// shmdt(2).
    ///
    /// # Errors
    /// `EINVAL` when no segment is attached at the address.
    pub fn shmdt(&mut self, tid: Tid, addr: u64) -> Result<(), Errno> {
        let mm = Rc::clone(&self.task(tid).mm);
        let found = mm.borrow().vmas.get(&addr).and_then(|vma| match &vma.backing {
            VmaBacking::Object { object, offset: 0, .. } => Some(object.id()),
            _ => None,
        });
        let objects = &self.ipc.shm.objects;
        let id = objects.iter().find(|(_, segment)| Some(segment.object.id()) == found).map(|(&id, _)| id);
        let id = id.ok_or(Errno::EINVAL)?;
        let size = page_up(self.ipc.shm.get(id)?.size).ok_or(Errno::EINVAL)?;
        // Parts of it may have been unmapped, and others mapped in their place.
        let parts: Vec<(u64, u64)> = mm
            .borrow()
            .overlapping(addr, addr.saturating_add(size))
            .filter(|vma| matches!(&vma.backing, VmaBacking::Object { object, .. } if Some(object.id()) == found))
            .map(|vma| (vma.start, vma.len()))
            .collect();
        for (start, len) in parts {
            mm.borrow_mut().unmap(&self.cpu, start, len)?;
        }
        let (now, pid) = (self.ipc_time(), self.task(tid).tgid);
        let segment = self.ipc.shm.get(id)?;
        segment.times[DETACHED] = now;
        segment.last = pid;
        self.drop_unused_segments();
        Ok(())
    }

    /// How often a segment is attached.
    fn attachments(&self, object: &ObjectRef) -> u64 {
        let mut seen = Vec::new();
        let mut count = 0;
        for task in self.tasks.values() {
            if seen.contains(&task.mm_id) {
                continue;
            }
            seen.push(task.mm_id);
            let mm = task.mm.borrow();
            let here = mm.vmas.values().filter(
                |vma| matches!(&vma.backing, VmaBacking::Object { object: other, offset: 0, .. } if other == object),
            );
            count += here.count() as u64;
        }
        count
    }

    /// Segments marked for destruction go with their last attachment.
    fn drop_unused_segments(&mut self) {
        let doomed: Vec<i32> = self
            .ipc
            .shm
            .objects
            .iter()
            .filter(|(_, segment)| segment.perm.mode & SHM_DEST != 0 && self.attachments(&segment.object) == 0)
            .map(|(&id, _)| id)
            .collect();
        for id in doomed {
            self.ipc.shm.remove(id);
        }
    }

    /// `IPC_STAT`, `SHM_STAT` (`by_place`): identifier and `struct shmid64_ds`.
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`.
    pub fn shm_stat(&mut self, tid: Tid, id: i32, by_place: bool, any: bool) -> Result<(i32, Shmid), Errno> {
        self.drop_unused_segments();
        let cred = self.cred_of(tid);
        let id = if by_place { self.ipc.shm.at_place(id)? } else { id };
        let segment = self.ipc.shm.get(id)?.clone();
        if !any {
            segment.perm.check(&cred, 0o444)?;
        }
        let layout = Shmid {
            shm_perm: segment.perm.layout(),
            shm_segsz: segment.size,
            shm_atime: segment.times[ATTACHED],
            shm_dtime: segment.times[DETACHED],
            shm_ctime: segment.times[CHANGED],
            shm_cpid: segment.creator as i32,
            shm_lpid: segment.last as i32,
            shm_nattch: self.attachments(&segment.object),
            ..Shmid::default()
        };
        Ok((id, layout))
    }

    /// `IPC_SET`.
    ///
    /// # Errors
    /// `EINVAL`, `EPERM`.
    pub fn shm_set(&mut self, tid: Tid, id: i32, perm: &IpcPerm) -> Result<(), Errno> {
        let (cred, now) = (self.cred_of(tid), self.ipc_time());
        let segment = self.ipc.shm.get(id)?;
        segment.perm.check_owner(&cred)?;
        segment.perm.set(perm);
        segment.times[CHANGED] = now;
        Ok(())
    }

    /// `IPC_RMID`: the segment goes with its last attachment, and cannot be found any more.
    ///
    /// # Errors
    /// `EINVAL`, `EPERM`.
    pub fn shm_remove(&mut self, tid: Tid, id: i32) -> Result<(), Errno> {
        let cred = self.cred_of(tid);
        let segment = self.ipc.shm.get(id)?;
        segment.perm.check_owner(&cred)?;
        segment.perm.mode |= SHM_DEST;
        segment.perm.key = 0;
        self.drop_unused_segments();
        Ok(())
    }

    /// How many segments there are, and their pages.
    #[must_use]
    pub fn shm_totals(&self) -> (i32, u64) {
        let pages = self.ipc.shm.objects.values().map(|segment| segment.size.div_ceil(PAGE_SIZE)).sum();
        (self.ipc.shm.objects.len() as i32, pages)
    }
}
