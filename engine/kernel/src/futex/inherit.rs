//! Futexes whose word holds the owner's thread id (futex(2), "Priority-inheritance futexes"). One task runs at a time, so
//! that nobody's priority needs to be lent.

use super::{Purpose, Waiter};
use crate::Tid;
use crate::error::{FutexKey, Nanos, RestartKind, SysResult};
use crate::kernel::Kernel;
use friscy_abi::Errno;
use friscy_abi::sched::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};

/// The longest chain of owners that wait for each other, as in Linux (`max_lock_depth`).
const CHAIN_LIMIT: usize = 1024;

impl Kernel {
    /// FUTEX_LOCK_PI, and FUTEX_TRYLOCK_PI (`wait` is false): owns the word. `deadline` is in monotonic time.
    ///
    /// # Errors
    /// futex(2): `EDEADLK` for the owner, or one that the owner waits for; `ESRCH` when the owner is gone, `EINVAL`
    /// when the word is not what the kernel knows; `ETIMEDOUT`, `EAGAIN` without waiting, `EFAULT`; a block.
    pub fn futex_lock(&mut self, tid: Tid, addr: u64, private: bool, wait: bool, deadline: Option<Nanos>) -> SysResult {
        // A signal's handler runs while it keeps its place; the call goes on after that.
        if let Some(result) = self.futex_resume(tid, RestartKind::Always) {
            return result;
        }
        let key = self.futex_key(tid, addr, private)?;
        let Some(owner) = self.futex_take(tid, addr, key, tid, false)? else { return Ok(0) };
        if !wait {
            return Err(Errno::EAGAIN.into());
        }
        if self.futex_chain_reaches(owner, tid) {
            return Err(Errno::EDEADLK.into());
        }
        self.futex_sleep(tid, &[(key, u32::MAX, Purpose::Own { addr, owner })], deadline, RestartKind::Always)
    }

    /// Makes `new` the owner of the word at `addr` in the memory of `tid`, if it has none; else says who it is, and
    /// notes in the word that somebody waits. `waiters` notes it in any case.
    fn futex_take(
        &mut self,
        tid: Tid,
        addr: u64,
        key: FutexKey,
        new: Tid,
        waiters: bool,
    ) -> Result<Option<Tid>, Errno> {
        let word = self.futex_word(tid, addr)?;
        let owner = word & FUTEX_TID_MASK;
        if owner == new {
            return Err(Errno::EDEADLK);
        }
        if let Some(first) = self.futexes.first(key) {
            return match first.purpose {
                Purpose::Own { owner: known, .. } if known == owner || owner == 0 && word & FUTEX_OWNER_DIED != 0 => {
                    Ok(Some(known))
                }
                _ => Err(Errno::EINVAL),
            };
        }
        let mm = self.task(tid).mm_id;
        if owner == 0 {
            let bits = word & FUTEX_OWNER_DIED | if waiters { FUTEX_WAITERS } else { 0 };
            self.write_mem(mm, addr, &(new | bits).to_le_bytes())?;
            return Ok(None);
        }
        self.write_mem(mm, addr, &(word | FUTEX_WAITERS).to_le_bytes())?;
        if self.tasks.contains_key(&owner) { Ok(Some(owner)) } else { Err(Errno::ESRCH) }
    }

    /// Whether `owner` waits for a word of `tid`, or of one who waits for it, and so on.
    fn futex_chain_reaches(&self, owner: Tid, tid: Tid) -> bool {
        let mut at = owner;
        for _ in 0..CHAIN_LIMIT {
            if at == tid {
                return true;
            }
            let Some(key) = self.tasks.get(&at).and_then(|task| task.futexes.first()) else { return false };
            let own = self.futexes.queues.get(key).and_then(|queue| queue.iter().find(|waiter| waiter.tid == at));
            let Some(Waiter { purpose: Purpose::Own { owner, .. }, .. }) = own else { return false };
            at = *owner;
        }
        true
    }

    /// FUTEX_UNLOCK_PI: the task that waits longest owns the word now.
    ///
    /// # Errors
    /// `EPERM` for a task that is not the owner, `EINVAL` when the kernel knows of another; `EFAULT`; as
    /// [`Kernel::futex_key`].
    pub fn futex_unlock(&mut self, tid: Tid, addr: u64, private: bool) -> Result<(), Errno> {
        if self.futex_word(tid, addr)? & FUTEX_TID_MASK != tid {
            return Err(Errno::EPERM);
        }
        let key = self.futex_key(tid, addr, private)?;
        match self.futexes.first(key).map(|waiter| waiter.purpose) {
            None => {
                let mm = self.task(tid).mm_id;
                self.write_mem(mm, addr, &0u32.to_le_bytes())
            }
            Some(Purpose::Own { owner, .. }) if owner == tid => self.futex_pass_on(key, 0),
            Some(_) => Err(Errno::EINVAL),
        }
    }

    /// Gives a word to the first of those who wait to own it; `bits` are added.
    fn futex_pass_on(&mut self, key: FutexKey, bits: u32) -> Result<(), Errno> {
        let Some(next) = self.futexes.first(key) else { return Ok(()) };
        let Purpose::Own { addr, .. } = next.purpose else { return Err(Errno::EINVAL) };
        let mm = self.task(next.tid).mm_id;
        // The bit stays, as in Linux: the new owner asks the kernel when it unlocks.
        self.write_mem(mm, addr, &(next.tid | FUTEX_WAITERS | bits).to_le_bytes())?;
        self.futexes.pop(key);
        for waiter in self.futexes.queues.get_mut(&key).into_iter().flatten() {
            if let Purpose::Own { owner, .. } = &mut waiter.purpose {
                *owner = next.tid;
            }
        }
        self.futex_woken(&next);
        Ok(())
    }

    /// A task ends: words that it owns and others wait for are theirs, marked.
    pub(crate) fn exit_owned_futexes(&mut self, tid: Tid) {
        let owned = |waiter: &Waiter| matches!(waiter.purpose, Purpose::Own { owner, .. } if owner == tid);
        let keys: Vec<FutexKey> = self
            .futexes
            .queues
            .iter()
            .filter(|(_, queue)| queue.front().is_some_and(owned))
            .map(|(&key, _)| key)
            .collect();
        for key in keys {
            let _ = self.futex_pass_on(key, FUTEX_OWNER_DIED);
        }
    }

    /// FUTEX_WAIT_REQUEUE_PI: waits at `addr` to be moved to `to` and to own the word there. `deadline` is in monotonic
    /// time.
    ///
    /// # Errors
    /// As [`Kernel::futex_wait`]; `EINVAL` when both are one word.
    pub fn futex_wait_requeue(
        &mut self,
        tid: Tid,
        addr: u64,
        to: u64,
        private: bool,
        value: u32,
        deadline: Option<Nanos>,
    ) -> SysResult {
        if let Some(result) = self.futex_resume(tid, RestartKind::Always) {
            return result;
        }
        let to_key = self.futex_key(tid, to, private)?;
        let key = self.futex_key(tid, addr, private)?;
        if self.futex_word(tid, addr)? != value {
            return Err(Errno::EAGAIN.into());
        }
        if key == to_key {
            return Err(Errno::EINVAL.into());
        }
        let purpose = Purpose::Requeue { to: to_key };
        self.futex_sleep(tid, &[(key, u32::MAX, purpose)], deadline, RestartKind::Always)
    }

    /// FUTEX_CMP_REQUEUE_PI: makes the first who waits by [`Kernel::futex_wait_requeue`] the owner of the word at `to`,
    /// or one who waits for it, and up to `requeue` others those who wait. Returns how many they are.
    ///
    /// # Errors
    /// `EAGAIN` when the word is not `expected`; `EINVAL` when the waiters wait for another word, or none; as
    /// [`Kernel::futex_lock`].
    pub fn futex_requeue_owner(
        &mut self,
        tid: Tid,
        from: u64,
        to: u64,
        private: bool,
        requeue: u32,
        expected: u32,
    ) -> Result<u32, Errno> {
        let from_key = self.futex_key(tid, from, private)?;
        let to_key = self.futex_key(tid, to, private)?;
        if from_key == to_key {
            return Err(Errno::EINVAL);
        }
        if self.futex_word(tid, from)? != expected {
            return Err(Errno::EAGAIN);
        }
        let meant = Purpose::Requeue { to: to_key };
        let Some(first) = self.futexes.first(from_key) else { return Ok(0) };
        if first.purpose != meant {
            return Err(Errno::EINVAL);
        }
        let mut count = 0;
        let owner = match self.futex_take(tid, to, to_key, first.tid, requeue > 0)? {
            Some(owner) => owner,
            None => {
                self.futexes.pop(from_key);
                self.futex_woken(&first);
                count = 1;
                first.tid
            }
        };
        // One more than asked for is moved where the word was not free.
        while count <= u64::from(requeue) {
            let Some(waiter) = self.futexes.first(from_key) else { break };
            if waiter.purpose != meant {
                return Err(Errno::EINVAL);
            }
            self.futexes.pop(from_key);
            self.futex_move(Waiter { purpose: Purpose::Own { addr: to, owner }, ..waiter }, from_key, to_key);
            count += 1;
        }
        Ok(count as u32)
    }
}
