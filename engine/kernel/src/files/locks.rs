//! Advisory locks: record locks of fcntl(2) (a process's or a description's) and flock(2).

use super::{FileRef, MqueueFile, OpenFile, Regular};
use crate::error::WaitKey;
use crate::task::RunState;
use crate::{Kernel, Pid, Tid};
use friscy_abi::Errno;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

/// Names a file for locks: device and inode.
pub type LockId = (u64, u64);

/// Who holds a record lock.
#[derive(Clone)]
pub enum LockOwner {
    /// A process (`F_SETLK`).
    Process(Pid),
    /// An open file description (`F_OFD_SETLK`).
    Description(Weak<OpenFile>),
}

impl LockOwner {
    /// The description's own lock.
    #[must_use]
    pub fn description(file: &FileRef) -> LockOwner {
        LockOwner::Description(Rc::downgrade(file))
    }

    fn is(&self, other: &LockOwner) -> bool {
        match (self, other) {
            (LockOwner::Process(a), LockOwner::Process(b)) => a == b,
            (LockOwner::Description(a), LockOwner::Description(b)) => a.ptr_eq(b),
            _ => false,
        }
    }

    fn lives(&self, kernel: &Kernel) -> bool {
        match self {
            LockOwner::Process(pid) => kernel.processes.get(pid).is_some_and(|process| process.zombie.is_none()),
            LockOwner::Description(file) => file.strong_count() > 0,
        }
    }
}

/// A locked range: bytes `start` to `end`, the last one included.
#[derive(Clone)]
pub struct RecordLock {
    /// Who holds it.
    pub owner: LockOwner,
    /// Exclusive (`F_WRLCK`).
    pub exclusive: bool,
    /// First byte.
    pub start: u64,
    /// Last byte; `u64::MAX` to the end of the file, wherever that is.
    pub end: u64,
}

impl RecordLock {
    /// The process that `l_pid` names, −1 for a description's lock.
    #[must_use]
    pub fn pid(&self) -> i32 {
        match &self.owner {
            LockOwner::Process(pid) => *pid as i32,
            LockOwner::Description(_) => -1,
        }
    }

    fn overlaps(&self, other: &RecordLock) -> bool {
        self.start <= other.end && other.start <= self.end
    }
}

/// A flock(2) lock.
struct WholeLock {
    owner: Weak<OpenFile>,
    exclusive: bool,
}

/// All locks of the machine.
#[derive(Default)]
pub struct Locks {
    records: BTreeMap<LockId, Vec<RecordLock>>,
    whole: BTreeMap<LockId, Vec<WholeLock>>,
    /// What those wait for who want a lock.
    key: Option<u64>,
    /// Tasks that wait for a process's record lock: their process, and the one that they wait for. An entry counts
    /// while its task is blocked.
    waiting: BTreeMap<Tid, (Pid, Pid)>,
}

impl Kernel {
    /// What a task waits for that wants a lock.
    pub fn lock_key(&mut self) -> WaitKey {
        let id = match self.drivers.locks.key {
            Some(id) => id,
            None => {
                let id = self.new_wait_id();
                self.drivers.locks.key = Some(id);
                id
            }
        };
        WaitKey::Object(id)
    }

    /// Notes that a task is about to wait until a process gives up a record lock.
    ///
    /// # Errors
    /// `EDEADLK` when that process waits, directly or not, for the caller's.
    pub fn wait_for_lock(&mut self, tid: Tid, owner: Pid) -> Result<(), Errno> {
        /// Linux looks no further.
        const STEPS: usize = 10;
        let own = self.task(tid).tgid;
        let key = self.lock_key();
        let mut at = owner;
        for _ in 0..STEPS {
            if at == own {
                return Err(Errno::EDEADLK);
            }
            let next = self.drivers.locks.waiting.iter().find(|(waiter, (pid, _))| {
                let state = self.tasks.get(waiter).map(|task| &task.state);
                *pid == at && matches!(state, Some(RunState::Blocked(wait)) if wait.keys.contains(&key))
            });
            let Some((_, &(_, next))) = next else { break };
            at = next;
        }
        self.drivers.locks.waiting.insert(tid, (own, owner));
        Ok(())
    }

    /// A task does not wait for a lock any more.
    pub fn lock_wait_over(&mut self, tid: Tid) {
        self.drivers.locks.waiting.remove(&tid);
    }

    fn live_records(&mut self, id: LockId) -> Vec<RecordLock> {
        let all = self.drivers.locks.records.remove(&id).unwrap_or_default();
        all.into_iter().filter(|lock| lock.owner.lives(self)).collect()
    }

    fn keep_records(&mut self, id: LockId, records: Vec<RecordLock>) {
        if !records.is_empty() {
            self.drivers.locks.records.insert(id, records);
        }
    }

    /// The first lock that keeps `wanted` from being set (`F_GETLK`).
    pub fn lock_conflict(&mut self, id: LockId, wanted: &RecordLock) -> Option<RecordLock> {
        let records = self.live_records(id);
        let conflict = records
            .iter()
            .find(|held| !held.owner.is(&wanted.owner) && held.overlaps(wanted) && (held.exclusive || wanted.exclusive))
            .cloned();
        self.keep_records(id, records);
        conflict
    }

    /// Takes a range away from its owner's locks and, unless `unlock`, locks it as `wanted` says.
    pub fn set_lock(&mut self, id: LockId, wanted: RecordLock, unlock: bool) {
        let mut records = Vec::new();
        for held in self.live_records(id) {
            if !held.owner.is(&wanted.owner) || !held.overlaps(&wanted) {
                records.push(held);
                continue;
            }
            if held.start < wanted.start {
                records.push(RecordLock { end: wanted.start - 1, ..held.clone() });
            }
            if held.end > wanted.end {
                records.push(RecordLock { start: wanted.end + 1, ..held });
            }
        }
        if !unlock {
            records.push(wanted);
        }
        records.sort_by_key(|lock| lock.start);
        // What touches its like is one lock.
        let mut merged: Vec<RecordLock> = Vec::with_capacity(records.len());
        for lock in records {
            let before = merged.iter_mut().find(|before| {
                before.owner.is(&lock.owner)
                    && before.exclusive == lock.exclusive
                    && before.end.checked_add(1) == Some(lock.start)
            });
            match before {
                Some(before) => before.end = lock.end,
                None => merged.push(lock),
            }
        }
        self.keep_records(id, merged);
        let key = self.lock_key();
        self.wake(key);
    }

    /// A process closed a descriptor: its record locks on the file are gone, and so is its registration with a message
    /// queue.
    pub fn descriptor_closed(&mut self, pid: Pid, file: &FileRef) {
        // Only files of the tree have record locks, and only those of a process end with a descriptor.
        if file.downcast::<Regular>().is_some() {
            self.release_locks(pid, file.lock_id());
        } else if let Some(queue) = file.downcast::<MqueueFile>() {
            queue.queue().forget(pid);
        }
    }

    fn release_locks(&mut self, pid: Pid, id: LockId) {
        let Some(records) = self.drivers.locks.records.get_mut(&id) else { return };
        records.retain(|lock| !matches!(lock.owner, LockOwner::Process(owner) if owner == pid));
        let key = self.lock_key();
        self.wake(key);
    }

    /// flock(2): `None` unlocks, else exclusive or shared.
    ///
    /// # Errors
    /// `EWOULDBLOCK` when another description has a lock that excludes it.
    pub fn flock(&mut self, id: LockId, file: &FileRef, exclusive: Option<bool>) -> Result<(), Errno> {
        let own = Rc::downgrade(file);
        let locks = self.drivers.locks.whole.entry(id).or_default();
        locks.retain(|lock| lock.owner.strong_count() > 0);
        let Some(exclusive) = exclusive else {
            locks.retain(|lock| !lock.owner.ptr_eq(&own));
            let key = self.lock_key();
            self.wake(key);
            return Ok(());
        };
        if locks.iter().any(|lock| !lock.owner.ptr_eq(&own) && (lock.exclusive || exclusive)) {
            return Err(Errno::EWOULDBLOCK);
        }
        locks.retain(|lock| !lock.owner.ptr_eq(&own));
        locks.push(WholeLock { owner: own, exclusive });
        let key = self.lock_key();
        file.wake_at_end(&self.drivers.effects.clone(), key);
        self.wake(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{fork, kernel};

    #[test]
    fn who_ends_waits_for_no_lock() {
        let mut k = kernel();
        let child = fork(&mut k, 1);
        k.wait_for_lock(child, 1).unwrap();
        k.exit_thread(child, 0);
        assert!(k.drivers.locks.waiting.is_empty());
    }
}
