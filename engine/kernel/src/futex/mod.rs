//! futex(2): who waits for which word, waking and moving them.

mod inherit;
mod robust;

use crate::Tid;
use crate::error::{FutexKey, Nanos, RestartKind, SysResult, WaitFor};
use crate::kernel::Kernel;
use crate::mm::VmaBacking;
use friscy_abi::Errno;
use smallvec::smallvec;
use std::collections::{BTreeMap, VecDeque};

/// Where user addresses end under Linux (`TASK_SIZE` with Sv39).
const TASK_SIZE: u64 = 1 << 38;

/// What a task waits for at a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// To be woken, or moved to another word.
    Wake,
    /// FUTEX_WAIT_REQUEUE_PI: to be moved to one other word, and to own that.
    Requeue { to: FutexKey },
    /// To own the word, which lies at `addr` in the task's memory and belongs to `owner` now.
    Own { addr: u64, owner: Tid },
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    tid: Tid,
    bitset: u32,
    purpose: Purpose,
    /// The task's rank when it began to wait: real-time tasks go first.
    rank: u32,
    /// What the call answers when it is woken here: which one of futex_waitv(2)'s.
    index: u64,
}

/// Who waits at which futex: by rank, then in order of arrival.
#[derive(Debug, Default)]
pub struct Futexes {
    queues: BTreeMap<FutexKey, VecDeque<Waiter>>,
}

impl Futexes {
    fn push(&mut self, key: FutexKey, waiter: Waiter) {
        let queue = self.queues.entry(key).or_default();
        let behind = queue.iter().rev().take_while(|other| other.rank < waiter.rank).count();
        queue.insert(queue.len() - behind, waiter);
    }

    fn first(&self, key: FutexKey) -> Option<Waiter> {
        self.queues.get(&key)?.front().copied()
    }

    fn pop(&mut self, key: FutexKey) -> Option<Waiter> {
        let waiter = self.queues.get_mut(&key)?.pop_front();
        self.tidy(key);
        waiter
    }

    /// Forgets a queue in which nobody is.
    fn tidy(&mut self, key: FutexKey) {
        if self.queues.get(&key).is_some_and(VecDeque::is_empty) {
            self.queues.remove(&key);
        }
    }
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
        if addr >= TASK_SIZE {
            return Err(Errno::EFAULT);
        }
        let task = self.task(tid);
        if private {
            return Ok(FutexKey::Private(task.mm_id.0, addr));
        }
        let mm = task.mm.borrow();
        let vma = mm.find(addr).filter(|vma| vma.prot.read).ok_or(Errno::EFAULT)?;
        match &vma.backing {
            VmaBacking::Object { object, offset, .. } if vma.is_shared() => {
                Ok(FutexKey::Shared(object.id().0, offset + (addr - vma.start)))
            }
            _ => Ok(FutexKey::Unshared(task.mm_id.0, addr)),
        }
    }

    fn futex_word(&mut self, tid: Tid, addr: u64) -> Result<u32, Errno> {
        let mut word = [0; 4];
        let mm = self.task(tid).mm_id;
        self.read_mem(mm, addr, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// What becomes of a wait when its call is executed again; `None` at the first execution.
    fn futex_resume(&mut self, tid: Tid, restart: RestartKind) -> Option<SysResult> {
        let scratch = &self.task(tid).scratch;
        if !scratch.again {
            return None;
        }
        if scratch.woken {
            return Some(Ok(scratch.value));
        }
        let deadline = scratch.deadline;
        if deadline.is_some_and(|at| self.now() >= at) {
            self.futex_cancel(tid);
            return Some(Err(Errno::ETIMEDOUT.into()));
        }
        Some(Err(WaitFor::default().until(deadline).restart(restart).into()))
    }

    /// Puts a task into queues, in which it waits until it is woken or late.
    fn futex_sleep(
        &mut self,
        tid: Tid,
        wanted: &[(FutexKey, u32, Purpose)],
        deadline: Option<Nanos>,
        restart: RestartKind,
    ) -> SysResult {
        if deadline.is_some_and(|at| self.now() >= at) {
            return Err(Errno::ETIMEDOUT.into());
        }
        let rank = self.task(tid).sched.rank();
        for (index, &(key, bitset, purpose)) in wanted.iter().enumerate() {
            self.futexes.push(key, Waiter { tid, bitset, purpose, rank, index: index as u64 });
        }
        let task = self.task_mut(tid);
        task.futexes = wanted.iter().map(|&(key, ..)| key).collect();
        task.scratch.deadline = deadline;
        Err(WaitFor::default().until(deadline).restart(restart).into())
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
        let timed = deadline.is_some() || self.task(tid).scratch.deadline.is_some();
        let restart = if timed { RestartKind::NoHandler } else { RestartKind::Sys };
        if let Some(result) = self.futex_resume(tid, restart) {
            return result;
        }
        if bitset == 0 {
            return Err(Errno::EINVAL.into());
        }
        let key = self.futex_key(tid, addr, private)?;
        if self.futex_word(tid, addr)? != value {
            return Err(Errno::EAGAIN.into());
        }
        self.futex_sleep(tid, &[(key, bitset, Purpose::Wake)], deadline, restart)
    }

    /// futex_waitv(2): waits at each address with the flag and for the value given; answers at which one it was woken.
    ///
    /// # Errors
    /// As [`Kernel::futex_wait`].
    pub fn futex_waitv(&mut self, tid: Tid, words: &[(u64, bool, u32)], deadline: Option<Nanos>) -> SysResult {
        if let Some(result) = self.futex_resume(tid, RestartKind::Sys) {
            return result;
        }
        let mut wanted = Vec::with_capacity(words.len());
        for &(addr, private, _) in words {
            wanted.push((self.futex_key(tid, addr, private)?, u32::MAX, Purpose::Wake));
        }
        for &(addr, _, value) in words {
            if self.futex_word(tid, addr)? != value {
                return Err(Errno::EAGAIN.into());
            }
        }
        self.futex_sleep(tid, &wanted, deadline, RestartKind::Sys)
    }

    /// FUTEX_WAKE and FUTEX_WAKE_BITSET: wakes up to `count` waiters and returns how many. One is woken even if `count`
    /// is 0 or negative, as Linux does.
    ///
    /// # Errors
    /// As [`Kernel::futex_key`]; `EINVAL` for an empty bitset, and when a task waits to own the word.
    pub fn futex_wake(&mut self, tid: Tid, addr: u64, private: bool, count: u32, bitset: u32) -> Result<u32, Errno> {
        if bitset == 0 {
            return Err(Errno::EINVAL);
        }
        let key = self.futex_key(tid, addr, private)?;
        self.futex_wake_key(key, count, bitset)
    }

    fn futex_wake_key(&mut self, key: FutexKey, count: u32, bitset: u32) -> Result<u32, Errno> {
        let mut chosen = Vec::new();
        let mut refused = false;
        if let Some(queue) = self.futexes.queues.get_mut(&key) {
            let mut at = 0;
            while let Some(waiter) = queue.get(at) {
                if waiter.purpose != Purpose::Wake {
                    refused = true;
                    break;
                }
                if waiter.bitset & bitset == 0 {
                    at += 1;
                    continue;
                }
                chosen.extend(queue.remove(at));
                if chosen.len() as i64 >= i64::from(count as i32) {
                    break;
                }
            }
        }
        self.futexes.tidy(key);
        for waiter in &chosen {
            self.futex_woken(waiter);
        }
        if refused { Err(Errno::EINVAL) } else { Ok(chosen.len() as u32) }
    }

    /// Lets a task go on that was taken out of a queue.
    fn futex_woken(&mut self, waiter: &Waiter) {
        let Some(task) = self.tasks.get_mut(&waiter.tid) else { return };
        if task.futexes.len() > 1 {
            self.futex_cancel(waiter.tid);
        }
        let Some(task) = self.tasks.get_mut(&waiter.tid) else { return };
        task.futexes.clear();
        task.scratch.woken = true;
        task.scratch.value = waiter.index;
        self.unblock(waiter.tid);
    }

    /// Wakes waiters at an address of a task that did not say `FUTEX_PRIVATE_FLAG`, as the kernel's own wakes do.
    pub(crate) fn futex_wake_addr(&mut self, tid: Tid, addr: u64, count: u32) {
        let _ = self.futex_wake(tid, addr, false, count, u32::MAX);
    }

    /// FUTEX_REQUEUE and FUTEX_CMP_REQUEUE (with `expected`): wakes up to `wake` waiters and moves up to `requeue` of
    /// the others to `to`. Returns how many were woken or moved.
    ///
    /// # Errors
    /// `EAGAIN` when the word is not as expected; `EINVAL` when a task waits to own the word; as
    /// [`Kernel::futex_key`].
    pub fn futex_requeue(
        &mut self,
        tid: Tid,
        from: u64,
        to: u64,
        private: bool,
        wake: u32,
        requeue: u32,
        expected: Option<u32>,
    ) -> Result<u32, Errno> {
        let from_key = self.futex_key(tid, from, private)?;
        let to_key = self.futex_key(tid, to, private)?;
        if let Some(expected) = expected
            && self.futex_word(tid, from)? != expected
        {
            return Err(Errno::EAGAIN);
        }
        let (mut woken, mut moved, mut refused) = (Vec::new(), Vec::new(), false);
        while moved.len() < requeue as usize || woken.len() < wake as usize {
            let Some(waiter) = self.futexes.first(from_key) else { break };
            if waiter.purpose != Purpose::Wake {
                refused = true;
                break;
            }
            self.futexes.pop(from_key);
            if woken.len() < wake as usize {
                woken.push(waiter);
            } else {
                moved.push(waiter);
            }
        }
        let count = woken.len() + moved.len();
        for waiter in &woken {
            self.futex_woken(waiter);
        }
        if from_key == to_key {
            let queue = self.futexes.queues.entry(from_key).or_default();
            moved.into_iter().rev().for_each(|waiter| queue.push_front(waiter));
            self.futexes.tidy(from_key);
        } else {
            moved.into_iter().for_each(|waiter| self.futex_move(waiter, from_key, to_key));
        }
        if refused { Err(Errno::EINVAL) } else { Ok(count as u32) }
    }

    /// Puts a task that was taken out of one queue into another.
    fn futex_move(&mut self, waiter: Waiter, from: FutexKey, to: FutexKey) {
        if let Some(task) = self.tasks.get_mut(&waiter.tid)
            && let Some(key) = task.futexes.iter_mut().find(|key| **key == from)
        {
            *key = to;
        }
        self.futexes.push(to, waiter);
    }

    /// FUTEX_WAKE_OP: changes the word at `addr2` as `operation` encodes, wakes up to `wake` waiters at `addr` and, if
    /// the old word compares so, up to `wake2` at `addr2`.
    ///
    /// # Errors
    /// `ENOSYS` for an unknown operation; as [`Kernel::futex_wake`].
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
        let mut woken = self.futex_wake_key(key, wake, u32::MAX)?;
        if holds {
            woken += self.futex_wake_key(key2, wake2, u32::MAX)?;
        }
        Ok(woken)
    }

    /// Takes a task out of the queues it waits in: its call was interrupted, timed out, or the task ended.
    pub(crate) fn futex_cancel(&mut self, tid: Tid) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        for key in std::mem::replace(&mut task.futexes, smallvec![]) {
            if let Some(queue) = self.futexes.queues.get_mut(&key) {
                queue.retain(|waiter| waiter.tid != tid);
            }
            self.futexes.tidy(key);
        }
    }
}
