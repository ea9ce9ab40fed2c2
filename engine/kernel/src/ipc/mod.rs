//! System V interprocess communication, sysvipc(7): shared memory, semaphores, message queues. Keys, identifiers and
//! permissions are here; what each kind holds is in the submodules.

mod msg;
mod sem;
mod shm;

pub use msg::{Messages, Msg};
pub use sem::{SemOp, Semaphores};
pub use shm::{Attach, Segment};

use crate::cred::Cred;
use crate::{Kernel, Nanos, Tid};
use friscy_abi::Errno;
use friscy_abi::ipc::{IPC_CREAT, IPC_EXCL, IPC_PRIVATE};
use friscy_abi::layout::IpcPerm;
use std::collections::BTreeMap;

/// Places of a table (`IPCMNI`): an identifier is one of them, and how often it was used times this.
const PLACES: i32 = 32_768;
/// `CAP_IPC_OWNER`.
const CAP_IPC_OWNER: u32 = 15;
/// `CAP_SYS_ADMIN`.
const CAP_SYS_ADMIN: u32 = 21;

/// Who may do what with an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Perm {
    /// Its key; `IPC_PRIVATE` for one that cannot be found.
    pub key: i32,
    /// Owner.
    pub uid: u32,
    /// Owner's group.
    pub gid: u32,
    /// Creator.
    pub cuid: u32,
    /// Creator's group.
    pub cgid: u32,
    /// Nine permission bits, and those that a kind adds.
    pub mode: u32,
    /// How often the place in the table was used before.
    pub seq: u16,
}

impl Perm {
    fn new(key: i32, cred: &Cred, mode: u32) -> Perm {
        Perm { key, uid: cred.euid, gid: cred.egid, cuid: cred.euid, cgid: cred.egid, mode: mode & 0o777, seq: 0 }
    }

    /// Checks that all of the bits of `wanted` (as in a mode, for owner, group and others at once) are granted.
    fn check(&self, cred: &Cred, wanted: u32) -> Result<(), Errno> {
        let wanted = (wanted >> 6 | wanted >> 3 | wanted) & 7;
        let in_group = |gid: u32| cred.egid == gid || cred.groups.contains(&gid);
        let granted = if cred.euid == self.uid || cred.euid == self.cuid {
            self.mode >> 6
        } else if in_group(self.gid) || in_group(self.cgid) {
            self.mode >> 3
        } else {
            self.mode
        };
        if wanted & !granted & 7 == 0 || cred.capable(CAP_IPC_OWNER) { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Checks that the object may be changed and removed.
    fn check_owner(&self, cred: &Cred) -> Result<(), Errno> {
        let owner = cred.euid == self.uid || cred.euid == self.cuid || cred.capable(CAP_SYS_ADMIN);
        if owner { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// Applies `IPC_SET`.
    fn set(&mut self, new: &IpcPerm) {
        self.uid = new.uid;
        self.gid = new.gid;
        self.mode = self.mode & !0o777 | new.mode & 0o777;
    }

    /// The `struct ipc64_perm`.
    #[must_use]
    pub fn layout(&self) -> IpcPerm {
        IpcPerm {
            key: self.key,
            uid: self.uid,
            gid: self.gid,
            cuid: self.cuid,
            cgid: self.cgid,
            mode: self.mode,
            seq: self.seq,
            ..IpcPerm::default()
        }
    }
}

/// What every kind of object has.
pub trait Object {
    /// The most of its kind (`MSGMNI`, `SEMMNI`, `SHMMNI`).
    const MOST: usize;
    /// Its permissions.
    fn perm(&self) -> &Perm;
    /// Its permissions, to be changed.
    fn perm_mut(&mut self) -> &mut Perm;
}

/// The objects of one kind by identifier. An identifier is the place in the table, and how often that was used.
#[derive(Debug)]
pub struct Table<T> {
    objects: BTreeMap<i32, T>,
    uses: BTreeMap<i32, u16>,
    /// No place below is free.
    free_from: i32,
}

/// The identifier of the object that a place has when it was used `uses` times before.
fn identifier(place: i32, uses: u16) -> i32 {
    i32::from(uses & 0x7fff) * PLACES + place
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { objects: BTreeMap::new(), uses: BTreeMap::new(), free_from: 0 }
    }
}

impl<T: Object> Table<T> {
    /// The object with an identifier; `gone` is the error when it was removed during a wait.
    fn get(&mut self, id: i32) -> Result<&mut T, Errno> {
        self.objects.get_mut(&id).ok_or(Errno::EINVAL)
    }

    /// The object at a place of the table, and its identifier, for the `…_STAT` commands.
    fn at_place(&self, place: i32) -> Result<i32, Errno> {
        let uses = self.uses.get(&place).ok_or(Errno::EINVAL)?;
        let id = identifier(place, uses.wrapping_sub(1));
        if self.objects.contains_key(&id) { Ok(id) } else { Err(Errno::EINVAL) }
    }

    /// The highest place in use, −1 or more… as `IPC_INFO` gives it: 0 when none is.
    #[must_use]
    pub fn highest_place(&self) -> i32 {
        self.objects.keys().map(|id| id % PLACES).max().unwrap_or(0)
    }

    fn insert(&mut self, mut object: T) -> Result<i32, Errno> {
        if self.objects.len() >= T::MOST {
            return Err(Errno::ENOSPC);
        }
        let mut places = self.free_from..PLACES;
        let place = places.find(|&place| self.at_place(place).is_err()).ok_or(Errno::ENOSPC)?;
        self.free_from = place + 1;
        let uses = self.uses.entry(place).or_default();
        let id = identifier(place, *uses);
        object.perm_mut().seq = *uses;
        *uses = uses.wrapping_add(1) & 0x7fff;
        self.objects.insert(id, object);
        Ok(id)
    }

    /// Removes an object, if there is one with this identifier.
    fn remove(&mut self, id: i32) {
        if self.objects.remove(&id).is_some() {
            self.free_from = self.free_from.min(id % PLACES);
        }
    }

    /// The `…get` calls: finds the object with a key, or makes one.
    fn find_or_make(
        &mut self,
        key: i32,
        flags: u32,
        cred: &Cred,
        fits: impl FnOnce(&T) -> bool,
        make: impl FnOnce(Perm) -> Result<T, Errno>,
    ) -> Result<i32, Errno> {
        let found = match key {
            IPC_PRIVATE => None,
            _ => self.objects.iter().find(|(_, object)| object.perm().key == key),
        };
        if let Some((&id, object)) = found {
            if flags & (IPC_CREAT | IPC_EXCL) == IPC_CREAT | IPC_EXCL {
                return Err(Errno::EEXIST);
            }
            if !fits(object) {
                return Err(Errno::EINVAL);
            }
            object.perm().check(cred, flags & 0o777)?;
            return Ok(id);
        }
        if key != IPC_PRIVATE && flags & IPC_CREAT == 0 {
            return Err(Errno::ENOENT);
        }
        let object = make(Perm::new(key, cred, flags))?;
        self.insert(object)
    }
}

/// All objects of System V interprocess communication.
#[derive(Default)]
pub struct Ipc {
    /// Shared memory.
    pub shm: Table<Segment>,
    /// Semaphores.
    pub sem: Table<Semaphores>,
    /// Message queues.
    pub msg: Table<Messages>,
}

impl Kernel {
    /// Seconds since 1970, for the times of objects.
    fn ipc_time(&self) -> i64 {
        const SECOND: Nanos = 1_000_000_000;
        (self.realtime() / SECOND) as i64
    }

    fn cred_of(&self, tid: Tid) -> std::rc::Rc<Cred> {
        std::rc::Rc::clone(&self.task(tid).cred)
    }
}
