//! futex(2), and what becomes of futexes when a thread ends.

use crate::Tid;
use crate::error::{FutexKey, Nanos, RestartKind, SysResult, WaitFor};
use crate::kernel::Kernel;
use crate::mm::VmaBacking;
use friscy_abi::Errno;
use friscy_abi::layout::RobustListHead;
use friscy_abi::sched::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};
use std::collections::{BTreeMap, VecDeque};

/// The longest robust list that is walked, as in Linux.
const ROBUST_LIST_LIMIT: usize = 2048;

#[derive(Clone, Copy, Debug)]
struct Waiter {
    tid: Tid,
    bitset: u32,
    /// It waits to own the word: only an unlock or the owner's end wakes it.
    owns: bool,
}

/// Who waits at which futex, in order of arrival.
#[derive(Debug, Default)]
pub struct Futexes {
    queues: BTreeMap<FutexKey, VecDeque<Waiter>>,
}

impl Kernel {
    /// What the futex word at `addr` is known by. `private` is `FUTEX_PRIVATE_FLAG`.
    ///
    /// # Errors
    /// `EINVAL` for an unaligned address, `EFAULT` for one that is not mapped (only looked at without the flag).
    pub fn futex_key(&self, tid: Tid, addr: u64, private: bool) -> Result<FutexKey, Errno> {
        if addr % 4 != 0 {
            return Err(Errno::EINVAL);
        }
        let task = self.task(tid);
        if !private {
            let mm = task.mm.borrow();
            let vma = mm.find(addr).ok_or(Errno::EFAULT)?;
            if let VmaBacking::Object { object, offset, .. } = &vma.backing
                && vma.is_shared()
            {
                return Ok(FutexKey::Shared(object.id().0, offset + (addr - vma.start)));
            }
        }
        Ok(FutexKey::Private(task.mm_id.0, addr))
    }

    fn futex_word(&mut self, tid: Tid, addr: u64) -> Result<u32, Errno> {
        let mut word = [0; 4];
        let mm = self.task(tid).mm_id;
        self.read_mem(mm, addr, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// FUTEX_WAIT and FUTEX_WAIT_BITSET; `deadline` is in monotonic time.
    ///
    /// # Errors
    /// futex(2): `EAGAIN` when the word is not `value`, `ETIMEDOUT`, `EFAULT`, `EINVAL` for an empty bitset; a block.
    pub fn futex_wait(
        &mut self,
        tid: Tid,
        addr: u64,
        private: bool,
        value: u32,
        bitset: u32,
        deadline: Option<Nanos>,
    ) -> SysResult {
        let deadline = if self.task(tid).scratch.again {
            let scratch = &self.task(tid).scratch;
            if scratch.woken {
                return Ok(0);
            }
            let deadline = scratch.deadline;
            if deadline.is_some_and(|at| self.now() >= at) {
                self.futex_cancel(tid);
                return Err(Errno::ETIMEDOUT.into());
            }
            deadline
        } else {
            if bitset == 0 {
                return Err(Errno::EINVAL.into());
            }
            let key = self.futex_key(tid, addr, private)?;
            if self.futex_word(tid, addr)? != value {
                return Err(Errno::EAGAIN.into());
            }
            if deadline.is_some_and(|at| self.now() >= at) {
                return Err(Errno::ETIMEDOUT.into());
            }
            self.futexes.queues.entry(key).or_default().push_back(Waiter { tid, bitset, owns: false });
            let task = self.task_mut(tid);
            task.futex = Some(key);
            task.scratch.deadline = deadline;
            deadline
        };
        let restart = if deadline.is_some() { RestartKind::NoHandler } else { RestartKind::Sys };
        Err(WaitFor::default().until(deadline).restart(restart).into())
    }

    /// FUTEX_WAKE and FUTEX_WAKE_BITSET: wakes up to `count` waiters and returns how many.
    ///
    /// # Errors
    /// As [`Kernel::futex_key`]; `EINVAL` for an empty bitset.
    pub fn futex_wake(&mut self, tid: Tid, addr: u64, private: bool, count: u32, bitset: u32) -> Result<u32, Errno> {
        if bitset == 0 {
            return Err(Errno::EINVAL);
        }
        let key = self.futex_key(tid, addr, private)?;
        Ok(self.futex_wake_key(key, count, bitset))
    }

    /// Wakes waiters at a key.
    pub fn futex_wake_key(&mut self, key: FutexKey, count: u32, bitset: u32) -> u32 {
        let Some(queue) = self.futexes.queues.get_mut(&key) else { return 0 };
        let mut chosen = Vec::new();
        queue.retain(|waiter| {
            let wake = (chosen.len() as u32) < count && waiter.bitset & bitset != 0 && !waiter.owns;
            if wake {
                chosen.push(waiter.tid);
            }
            !wake
        });
        if queue.is_empty() {
            self.futexes.queues.remove(&key);
        }
        for &tid in &chosen {
            if let Some(task) = self.tasks.get_mut(&tid) {
                task.futex = None;
                task.scratch.woken = true;
                self.unblock(tid);
            }
        }
        chosen.len() as u32
    }

    /// Wakes waiters at an address of a task, private and shared.
    pub(crate) fn futex_wake_addr(&mut self, tid: Tid, addr: u64, count: u32) {
        for private in [true, false] {
            if let Ok(key) = self.futex_key(tid, addr, private) {
                self.futex_wake_key(key, count, u32::MAX);
            }
        }
    }

    /// FUTEX_REQUEUE and FUTEX_CMP_REQUEUE (with `expected`): wakes up to `wake` waiters and moves up to `requeue` of
    /// the others to `to`. Returns how many were woken and how many were moved.
    ///
    /// # Errors
    /// `EAGAIN` when the word is not as expected; as [`Kernel::futex_key`].
    pub fn futex_requeue(
        &mut self,
        tid: Tid,
        from: u64,
        to: u64,
        private: bool,
        wake: u32,
        requeue: u32,
        expected: Option<u32>,
    ) -> Result<(u32, u32), Errno> {
        let from_key = self.futex_key(tid, from, private)?;
        let to_key = self.futex_key(tid, to, private)?;
        if let Some(expected) = expected
            && self.futex_word(tid, from)? != expected
        {
            return Err(Errno::EAGAIN);
        }
        let woken = self.futex_wake_key(from_key, wake, u32::MAX);
        let mut moved = 0;
        if from_key != to_key {
            while moved < requeue {
                let Some(waiter) = self.futexes.queues.get_mut(&from_key).and_then(VecDeque::pop_front) else { break };
                if let Some(task) = self.tasks.get_mut(&waiter.tid) {
                    task.futex = Some(to_key);
                }
                self.futexes.queues.entry(to_key).or_default().push_back(waiter);
                moved += 1;
            }
            if self.futexes.queues.get(&from_key).is_some_and(VecDeque::is_empty) {
                self.futexes.queues.remove(&from_key);
            }
        }
        Ok((woken, moved))
    }

    /// FUTEX_WAKE_OP: changes the word at `addr2` as `operation` encodes, wakes up to `wake` waiters at `addr` and, if
    /// the old word compares so, up to `wake2` at `addr2`.
    ///
    /// # Errors
    /// `ENOSYS` for an unknown operation; as [`Kernel::futex_key`].
    pub fn futex_wake_op(
        &mut self,
        tid: Tid,
        addr: u64,
        addr2: u64,
        private: bool,
        wake: u32,
        wake2: u32,
        operation: u32,
    ) -> Result<u32, Errno> {
        let key = self.futex_key(tid, addr, private)?;
        let key2 = self.futex_key(tid, addr2, private)?;
        let sign_extend = |field: u32| ((field << 20) as i32) >> 20;
        let mut operand = sign_extend(operation >> 12 & 0xfff);
        let compared = sign_extend(operation & 0xfff);
        if operation >> 31 != 0 {
            operand = 1i32.wrapping_shl(operand as u32 & 31);
        }
        let old = self.futex_word(tid, addr2)?;
        let operand = operand as u32;
        let new = match operation >> 28 & 7 {
            0 => operand,
            1 => old.wrapping_add(operand),
            2 => old | operand,
            3 => old & !operand,
            4 => old ^ operand,
            _ => return Err(Errno::ENOSYS),
        };
        let mm = self.task(tid).mm_id;
        self.write_mem(mm, addr2, &new.to_le_bytes())?;
        let signed = old as i32;
        let holds = match operation >> 24 & 0xf {
            0 => signed == compared,
            1 => signed != compared,
            2 => signed < compared,
            3 => signed <= compared,
            4 => signed > compared,
            5 => signed >= compared,
            _ => return Err(Errno::ENOSYS),
        };
        let mut woken = self.futex_wake_key(key, wake, u32::MAX);
        if holds {
            woken += self.futex_wake_key(key2, wake2, u32::MAX);
        }
        Ok(woken)
    }

    /// FUTEX_LOCK_PI, and FUTEX_TRYLOCK_PI (`wait` is false): owns the word, which holds the owner's thread id. One task
    /// runs at a time, so nobody's priority needs to be lent. `deadline` is in monotonic time.
    ///
    /// # Errors
    /// futex(2): `EDEADLK` for the owner, `ESRCH` when the owner is gone, `ETIMEDOUT`, `EAGAIN` without waiting,
    /// `EFAULT`; a block.
    pub fn futex_lock(&mut self, tid: Tid, addr: u64, private: bool, wait: bool, deadline: Option<Nanos>) -> SysResult {
        if self.task(tid).scratch.again {
            let scratch = &self.task(tid).scratch;
            if scratch.woken {
                return Ok(0);
            }
            let deadline = scratch.deadline;
            if deadline.is_some_and(|at| self.now() >= at) {
                self.futex_cancel(tid);
                return Err(Errno::ETIMEDOUT.into());
            }
            return Err(WaitFor::default().until(deadline).restart(RestartKind::Always).into());
        }
        let key = self.futex_key(tid, addr, private)?;
        let word = self.futex_word(tid, addr)?;
        let owner = word & FUTEX_TID_MASK;
        let mm = self.task(tid).mm_id;
        if owner == 0 {
            let waiters = if self.futexes.queues.contains_key(&key) { FUTEX_WAITERS } else { 0 };
            let new = tid | word & FUTEX_OWNER_DIED | waiters;
            self.write_mem(mm, addr, &new.to_le_bytes())?;
            return Ok(0);
        }
        if owner == tid {
            return Err(Errno::EDEADLK.into());
        }
        if !self.tasks.contains_key(&owner) {
            return Err(Errno::ESRCH.into());
        }
        if !wait {
            return Err(Errno::EAGAIN.into());
        }
        if deadline.is_some_and(|at| self.now() >= at) {
            return Err(Errno::ETIMEDOUT.into());
        }
        self.write_mem(mm, addr, &(word | FUTEX_WAITERS).to_le_bytes())?;
        self.futexes.queues.entry(key).or_default().push_back(Waiter { tid, bitset: u32::MAX, owns: true });
        let task = self.task_mut(tid);
        task.futex = Some(key);
        task.scratch.deadline = deadline;
        // A signal's handler runs while it keeps its place; the call goes on after that.
        Err(WaitFor::default().until(deadline).restart(RestartKind::Always).into())
    }

    /// FUTEX_UNLOCK_PI: the task that waits longest owns the word now.
    ///
    /// # Errors
    /// `EPERM` for a task that is not the owner; as [`Kernel::futex_key`].
    pub fn futex_unlock(&mut self, tid: Tid, addr: u64, private: bool) -> Result<(), Errno> {
        let key = self.futex_key(tid, addr, private)?;
        if self.futex_word(tid, addr)? & FUTEX_TID_MASK != tid {
            return Err(Errno::EPERM);
        }
        self.futex_pass_on(tid, addr, key, 0)
    }

    /// Gives a word to the task that waits longest for it, or to nobody; `bits` are added.
    fn futex_pass_on(&mut self, tid: Tid, addr: u64, key: FutexKey, bits: u32) -> Result<(), Errno> {
        let queue = self.futexes.queues.get_mut(&key);
        let next = queue.and_then(|queue| {
            let at = queue.iter().position(|waiter| waiter.owns)?;
            queue.remove(at)
        });
        if self.futexes.queues.get(&key).is_some_and(VecDeque::is_empty) {
            self.futexes.queues.remove(&key);
        }
        let more = if self.futexes.queues.contains_key(&key) { FUTEX_WAITERS } else { 0 };
        let new = next.map_or(0, |waiter| waiter.tid) | more | bits;
        let mm = self.task(tid).mm_id;
        self.write_mem(mm, addr, &new.to_le_bytes())?;
        if let Some(waiter) = next
            && let Some(task) = self.tasks.get_mut(&waiter.tid)
        {
            task.futex = None;
            task.scratch.woken = true;
            self.unblock(waiter.tid);
        }
        Ok(())
    }

    /// Takes a task out of the queue it waits in: its call was interrupted, timed out, or the task ended.
    pub(crate) fn futex_cancel(&mut self, tid: Tid) {
        let Some(key) = self.tasks.get_mut(&tid).and_then(|task| task.futex.take()) else { return };
        if let Some(queue) = self.futexes.queues.get_mut(&key) {
            queue.retain(|waiter| waiter.tid != tid);
            if queue.is_empty() {
                self.futexes.queues.remove(&key);
            }
        }
    }

    /// The owner of robust futexes ends: each is marked, and one waiter of each woken (get_robust_list(2)).
    pub(crate) fn exit_robust_list(&mut self, tid: Tid) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let head_addr = std::mem::take(&mut task.robust_list);
        let mm = task.mm_id;
        if head_addr == 0 {
            return;
        }
        let mut head = RobustListHead::default();
        if self.read_mem(mm, head_addr, bytemuck::bytes_of_mut(&mut head)).is_err() {
            return;
        }
        let word_of = |entry: u64| (entry & !1).wrapping_add_signed(head.futex_offset);
        let mut entry = head.list;
        for _ in 0..ROBUST_LIST_LIMIT {
            if entry & !1 == head_addr {
                break;
            }
            let mut next = [0; 8];
            let more = self.read_mem(mm, entry & !1, &mut next).is_ok();
            if entry != head.list_op_pending && !self.owner_died(tid, word_of(entry)) {
                return;
            }
            if !more {
                return;
            }
            entry = u64::from_le_bytes(next);
        }
        if head.list_op_pending != 0 {
            self.owner_died(tid, word_of(head.list_op_pending));
        }
    }

    /// Marks one robust futex; answers whether its word could be reached.
    fn owner_died(&mut self, tid: Tid, addr: u64) -> bool {
        if addr % 4 != 0 {
            return false;
        }
        let Ok(word) = self.futex_word(tid, addr) else { return false };
        if word & FUTEX_TID_MASK != tid {
            return true;
        }
        for private in [true, false] {
            let Ok(key) = self.futex_key(tid, addr, private) else { continue };
            let waits = self.futexes.queues.get(&key).is_some_and(|queue| queue.iter().any(|waiter| waiter.owns));
            if waits {
                return self.futex_pass_on(tid, addr, key, FUTEX_OWNER_DIED).is_ok();
            }
        }
        let mm = self.task(tid).mm_id;
        let new = word & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        if self.write_mem(mm, addr, &new.to_le_bytes()).is_err() {
            return false;
        }
        if word & FUTEX_WAITERS != 0 {
            self.futex_wake_addr(tid, addr, 1);
        }
        true
    }
}
