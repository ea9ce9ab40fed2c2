//! Semaphore sets: semget(2), semop(2), semctl(2).

use super::{Object, Perm};
use crate::error::{WaitFor, WaitKey};
use crate::task::RunState;
use crate::{Kernel, Nanos, Pid, SysError, Tid};
use friscy_abi::Errno;
use friscy_abi::ipc::{IPC_NOWAIT, SEM_UNDO};
use friscy_abi::layout::{IpcPerm, Sembuf, Semid};
use std::collections::BTreeMap;

/// The most semaphores of a set (`SEMMSL`).
pub(super) const SET_MAX: u32 = 32_000;
/// The highest value (`SEMVMX`).
const VALUE_MAX: i32 = 32_767;

/// An operation of semop(2), as guest memory has it.
pub type SemOp = Sembuf;

#[derive(Clone, Copy, Debug, Default)]
struct Semaphore {
    value: i32,
    last: Pid,
}

/// A set.
#[derive(Clone, Debug)]
pub struct Semaphores {
    perm: Perm,
    values: Vec<Semaphore>,
    operated: i64,
    changed: i64,
    /// What is added when a process ends, by process and semaphore.
    undo: BTreeMap<(Pid, u16), i32>,
    /// Who waits for which semaphore, and whether for zero.
    waiting: BTreeMap<Tid, (u16, bool)>,
    wait_id: u64,
}

impl Object for Semaphores {
    const MOST: usize = 32_000;

    fn perm(&self) -> &Perm {
        &self.perm
    }

    fn perm_mut(&mut self) -> &mut Perm {
        &mut self.perm
    }
}

impl Semaphores {
    fn key(&self) -> WaitKey {
        WaitKey::Object(self.wait_id)
    }

    fn semaphore(&mut self, num: i32) -> Result<&mut Semaphore, Errno> {
        usize::try_from(num).ok().and_then(|num| self.values.get_mut(num)).ok_or(Errno::EINVAL)
    }

    /// The values after all operations, or the first that cannot be done.
    fn attempt(&self, operations: &[SemOp]) -> Result<Result<Vec<Semaphore>, SemOp>, Errno> {
        let mut values = self.values.clone();
        for &operation in operations {
            let semaphore = values.get_mut(usize::from(operation.sem_num)).ok_or(Errno::EFBIG)?;
            let change = i32::from(operation.sem_op);
            if change == 0 && semaphore.value != 0 || semaphore.value + change < 0 {
                return Ok(Err(operation));
            }
            if semaphore.value + change > VALUE_MAX {
                return Err(Errno::ERANGE);
            }
            semaphore.value += change;
        }
        Ok(Ok(values))
    }
}

impl Kernel {
    /// semget(2).
    ///
    /// # Errors
    /// `EINVAL`, `EEXIST`, `ENOENT`, `EACCES`.
    pub fn semget(&mut self, tid: Tid, key: i32, count: i32, flags: u32) -> Result<i32, Errno> {
        let (cred, now, wait_id) = (self.cred_of(tid), self.ipc_time(), self.new_wait_id());
        if count < 0 || count as u32 > SET_MAX {
            return Err(Errno::EINVAL);
        }
        self.ipc.sem.find_or_make(
            key,
            flags,
            &cred,
            |set| count as usize <= set.values.len(),
            |perm| {
                if count == 0 {
                    return Err(Errno::EINVAL);
                }
                let values = vec![Semaphore::default(); count as usize];
                let (undo, waiting) = Default::default();
                Ok(Semaphores { perm, values, operated: 0, changed: now, undo, waiting, wait_id })
            },
        )
    }

    /// semop(2), semtimedop(2): all operations or none.
    ///
    /// # Errors
    /// `EINVAL`, `EFBIG`, `ERANGE`, `EAGAIN`, `EIDRM`, `EACCES`; a wait.
    pub fn semop(&mut self, tid: Tid, id: i32, ops: &[SemOp], deadline: Option<Nanos>) -> Result<(), SysError> {
        let (cred, now, pid) = (self.cred_of(tid), self.ipc_time(), self.task(tid).tgid);
        let (clock, again) = (self.now(), self.task(tid).scratch.again);
        let gone = if again { Errno::EIDRM } else { Errno::EINVAL };
        let set = self.ipc.sem.get(id).map_err(|_| gone)?;
        set.waiting.remove(&tid);
        let alters = ops.iter().any(|operation| operation.sem_op != 0);
        if ops.iter().any(|operation| usize::from(operation.sem_num) >= set.values.len()) {
            return Err(Errno::EFBIG.into());
        }
        set.perm.check(&cred, if alters { 0o222 } else { 0o444 })?;
        match set.attempt(ops)? {
            Ok(values) => {
                for operation in ops.iter().filter(|operation| operation.sem_flg as u32 & SEM_UNDO != 0) {
                    *set.undo.entry((pid, operation.sem_num)).or_default() -= i32::from(operation.sem_op);
                }
                set.values = values;
                for operation in ops {
                    if let Ok(semaphore) = set.semaphore(i32::from(operation.sem_num)) {
                        semaphore.last = pid;
                    }
                }
                set.operated = now;
                let key = set.key();
                if alters {
                    self.wake(key);
                }
                Ok(())
            }
            Err(operation) if operation.sem_flg as u32 & IPC_NOWAIT != 0 => Err(Errno::EAGAIN.into()),
            Err(_) if deadline.is_some_and(|at| clock >= at) => Err(Errno::EAGAIN.into()),
            Err(operation) => {
                set.waiting.insert(tid, (operation.sem_num, operation.sem_op == 0));
                let wait = WaitFor::key(set.key()).until(deadline);
                Err(wait.restart(crate::RestartKind::Never).into())
            }
        }
    }

    /// A process ends: what its operations with `SEM_UNDO` did is undone.
    pub(crate) fn undo_semaphores(&mut self, pid: Pid) {
        let mut woken = Vec::new();
        for set in self.ipc.sem.objects.values_mut() {
            let mine: Vec<(Pid, u16)> = set.undo.range((pid, 0)..=(pid, u16::MAX)).map(|(&key, _)| key).collect();
            for key in &mine {
                let change = set.undo.remove(key).unwrap_or(0);
                if let Ok(semaphore) = set.semaphore(i32::from(key.1)) {
                    semaphore.value = (semaphore.value + change).clamp(0, VALUE_MAX);
                    semaphore.last = pid;
                }
            }
            if !mine.is_empty() {
                woken.push(set.key());
            }
        }
        for key in woken {
            self.wake(key);
        }
    }

    /// `GETVAL`, `GETPID`: value and last process of a semaphore.
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`.
    pub fn sem_value(&mut self, tid: Tid, id: i32, num: i32) -> Result<(i32, Pid), Errno> {
        let cred = self.cred_of(tid);
        let set = self.ipc.sem.get(id)?;
        set.perm.check(&cred, 0o444)?;
        let semaphore = set.semaphore(num)?;
        Ok((semaphore.value, semaphore.last))
    }

    /// `GETALL`.
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`.
    pub fn sem_values(&mut self, tid: Tid, id: i32) -> Result<Vec<u16>, Errno> {
        let cred = self.cred_of(tid);
        let set = self.ipc.sem.get(id)?;
        set.perm.check(&cred, 0o444)?;
        Ok(set.values.iter().map(|semaphore| semaphore.value as u16).collect())
    }

    /// `GETNCNT`, `GETZCNT`: how many tasks wait for a semaphore to grow, or to be zero.
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`.
    pub fn sem_waiting(&mut self, tid: Tid, id: i32, num: i32, zero: bool) -> Result<usize, Errno> {
        self.sem_value(tid, id, num)?;
        let set = self.ipc.sem.get(id)?;
        let key = set.key();
        let chosen: Vec<Tid> = set
            .waiting
            .iter()
            .filter(|(_, wanted)| i32::from(wanted.0) == num && wanted.1 == zero)
            .map(|(&tid, _)| tid)
            .collect();
        let waits = |tid: &Tid| {
            let state = self.tasks.get(tid).map(|task| &task.state);
            matches!(state, Some(RunState::Blocked(wait)) if wait.keys.contains(&key))
        };
        Ok(chosen.iter().filter(|tid| waits(tid)).count())
    }

    /// `SETVAL` (one semaphore) and `SETALL` (`num` is `None`).
    ///
    /// # Errors
    /// `EINVAL`, `ERANGE`, `EACCES`.
    pub fn sem_set_values(&mut self, tid: Tid, id: i32, num: Option<i32>, values: &[i32]) -> Result<(), Errno> {
        let (cred, now, pid) = (self.cred_of(tid), self.ipc_time(), self.task(tid).tgid);
        let set = self.ipc.sem.get(id)?;
        set.perm.check(&cred, 0o222)?;
        if values.iter().any(|value| !(0..=VALUE_MAX).contains(value)) {
            return Err(Errno::ERANGE);
        }
        let first = num.unwrap_or(0);
        for (at, &value) in values.iter().enumerate() {
            let num = first.saturating_add(at as i32);
            *set.semaphore(num)? = Semaphore { value, last: pid };
            set.undo.retain(|&(_, other), _| i32::from(other) != num);
        }
        set.changed = now;
        let key = set.key();
        self.wake(key);
        Ok(())
    }

    /// How many semaphores a set has.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn sem_count(&mut self, id: i32) -> Result<usize, Errno> {
        Ok(self.ipc.sem.get(id)?.values.len())
    }

    /// `IPC_STAT`, `SEM_STAT` (`by_place`): identifier and `struct semid64_ds`.
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`.
    pub fn sem_stat(&mut self, tid: Tid, id: i32, by_place: bool, any: bool) -> Result<(i32, Semid), Errno> {
        let cred = self.cred_of(tid);
        let id = if by_place { self.ipc.sem.at_place(id)? } else { id };
        let set = self.ipc.sem.get(id)?;
        if !any {
            set.perm.check(&cred, 0o444)?;
        }
        let layout = Semid {
            sem_perm: set.perm.layout(),
            sem_otime: set.operated,
            sem_ctime: set.changed,
            sem_nsems: set.values.len() as u64,
            ..Semid::default()
        };
        Ok((id, layout))
    }

    /// `IPC_SET`.
    ///
    /// # Errors
    /// `EINVAL`, `EPERM`.
    pub fn sem_set(&mut self, tid: Tid, id: i32, perm: &IpcPerm) -> Result<(), Errno> {
        let (cred, now) = (self.cred_of(tid), self.ipc_time());
        let set = self.ipc.sem.get(id)?;
        set.perm.check_owner(&cred)?;
        set.perm.set(perm);
        set.changed = now;
        Ok(())
    }

    /// `IPC_RMID`: who waits learns it.
    ///
    /// # Errors
    /// `EINVAL`, `EPERM`.
    pub fn sem_remove(&mut self, tid: Tid, id: i32) -> Result<(), Errno> {
        let cred = self.cred_of(tid);
        let set = self.ipc.sem.get(id)?;
        set.perm.check_owner(&cred)?;
        let key = set.key();
        self.ipc.sem.remove(id);
        self.wake(key);
        Ok(())
    }

    /// How many sets and semaphores there are.
    #[must_use]
    pub fn sem_totals(&self) -> (i32, i32) {
        let sets = &self.ipc.sem.objects;
        (sets.len() as i32, sets.values().map(|set| set.values.len() as i32).sum())
    }
}
