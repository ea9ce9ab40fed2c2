//! Message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).

use super::{Object, Perm};
use crate::error::{WaitFor, WaitKey};
use crate::{Kernel, Pid, RestartKind, SysError, Tid};
use friscy_abi::Errno;
use friscy_abi::ipc::{IPC_NOWAIT, MSG_COPY, MSG_EXCEPT, MSG_NOERROR};
use friscy_abi::layout::Msqid;
use std::collections::VecDeque;

/// The longest message (`MSGMAX`), in bytes.
pub(super) const MESSAGE_MAX: u64 = 8192;
/// How many bytes a queue holds unless `IPC_SET` says otherwise (`MSGMNB`).
pub(super) const QUEUE_BYTES: u64 = 16_384;
/// `CAP_SYS_RESOURCE`.
const CAP_SYS_RESOURCE: u32 = 24;

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Msg {
    /// Its type, above 0.
    pub kind: i64,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// A queue.
#[derive(Clone, Debug)]
pub struct Messages {
    perm: Perm,
    queue: VecDeque<Msg>,
    limit: u64,
    /// Of the last send, receive and change.
    times: [i64; 3],
    last: [Pid; 2],
    wait_id: u64,
}

impl Object for Messages {
    const MOST: usize = 32_000;

    fn perm(&self) -> &Perm {
        &self.perm
    }

    fn perm_mut(&mut self) -> &mut Perm {
        &mut self.perm
    }
}

impl Messages {
    fn bytes(&self) -> u64 {
        self.queue.iter().map(|message| message.bytes.len() as u64).sum()
    }

    fn key(&self) -> WaitKey {
        WaitKey::Object(self.wait_id)
    }

    /// The place of the message that msgrcv(2) chooses.
    fn choose(&self, kind: i64, flags: u32) -> Option<usize> {
        if flags & MSG_COPY != 0 {
            return usize::try_from(kind).ok().filter(|&place| place < self.queue.len());
        }
        match kind {
            0 => (!self.queue.is_empty()).then_some(0),
            1.. if flags & MSG_EXCEPT != 0 => self.queue.iter().position(|message| message.kind != kind),
            1.. => self.queue.iter().position(|message| message.kind == kind),
            _ => {
                let most = kind.checked_neg().unwrap_or(i64::MAX);
                let lowest = self.queue.iter().map(|message| message.kind).filter(|&kind| kind <= most).min()?;
                self.queue.iter().position(|message| message.kind == lowest)
            }
        }
    }
}

impl Kernel {
    /// msgget(2).
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT`, `EACCES`.
    pub fn msgget(&mut self, tid: Tid, key: i32, flags: u32) -> Result<i32, Errno> {
        let (cred, now, wait_id) = (self.cred_of(tid), self.ipc_time(), self.new_wait_id());
        let make = |perm| {
            let queue = VecDeque::new();
            Ok(Messages { perm, queue, limit: QUEUE_BYTES, times: [0, 0, now], last: [0; 2], wait_id })
        };
        self.ipc.msg.find_or_make(key, flags, &cred, |_| true, make)
    }

    /// msgsnd(2).
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`, `EAGAIN`, `EIDRM`; a wait.
    pub fn msgsnd(&mut self, tid: Tid, id: i32, message: Msg, flags: u32) -> Result<(), SysError> {
        let (cred, now, pid) = (self.cred_of(tid), self.ipc_time(), self.task(tid).tgid);
        let gone = if self.task(tid).scratch.again { Errno::EIDRM } else { Errno::EINVAL };
        if message.kind < 1 || message.bytes.len() as u64 > MESSAGE_MAX {
            return Err(Errno::EINVAL.into());
        }
        let queue = self.ipc.msg.get(id).map_err(|_| gone)?;
        queue.perm.check(&cred, 0o222)?;
        let fits =
            queue.bytes() + message.bytes.len() as u64 <= queue.limit && (queue.queue.len() as u64) < queue.limit;
        let key = queue.key();
        if !fits {
            let wait = WaitFor::key(key).restart(RestartKind::NoHandler);
            return Err(if flags & IPC_NOWAIT != 0 { Errno::EAGAIN.into() } else { wait.into() });
        }
        queue.queue.push_back(message);
        queue.times[0] = now;
        queue.last[0] = pid;
        self.wake(key);
        Ok(())
    }

    /// msgrcv(2): the message, cut to `size` bytes with `MSG_NOERROR`.
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`, `ENOMSG`, `E2BIG`, `EIDRM`; a wait.
    pub fn msgrcv(&mut self, tid: Tid, id: i32, size: u64, kind: i64, flags: u32) -> Result<Msg, SysError> {
        let (cred, now, pid) = (self.cred_of(tid), self.ipc_time(), self.task(tid).tgid);
        let gone = if self.task(tid).scratch.again { Errno::EIDRM } else { Errno::EINVAL };
        if flags & MSG_COPY != 0 && (flags & MSG_EXCEPT != 0 || flags & IPC_NOWAIT == 0) || size > i64::MAX as u64 {
            return Err(Errno::EINVAL.into());
        }
        let queue = self.ipc.msg.get(id).map_err(|_| gone)?;
        queue.perm.check(&cred, 0o444)?;
        let key = queue.key();
        let Some(place) = queue.choose(kind, flags) else {
            let wait = WaitFor::key(key).restart(RestartKind::NoHandler);
            return Err(if flags & IPC_NOWAIT != 0 { Errno::ENOMSG.into() } else { wait.into() });
        };
        let mut message = queue.queue.get(place).cloned().ok_or(Errno::ENOMSG)?;
        if message.bytes.len() as u64 > size {
            if flags & MSG_NOERROR == 0 {
                return Err(Errno::E2BIG.into());
            }
            message.bytes.truncate(size as usize);
        }
        if flags & MSG_COPY == 0 {
            queue.queue.remove(place);
            queue.times[1] = now;
            queue.last[1] = pid;
            self.wake(key);
        }
        Ok(message)
    }

    /// `IPC_STAT`, `MSG_STAT` (`by_place`): identifier and `struct msqid64_ds`.
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`.
    pub fn msg_stat(&mut self, tid: Tid, id: i32, by_place: bool, any: bool) -> Result<(i32, Msqid), Errno> {
        let cred = self.cred_of(tid);
        let id = if by_place { self.ipc.msg.at_place(id)? } else { id };
        let queue = self.ipc.msg.get(id)?;
        if !any {
            queue.perm.check(&cred, 0o444)?;
        }
        let layout = Msqid {
            msg_perm: queue.perm.layout(),
            msg_stime: queue.times[0],
            msg_rtime: queue.times[1],
            msg_ctime: queue.times[2],
            msg_cbytes: queue.bytes(),
            msg_qnum: queue.queue.len() as u64,
            msg_qbytes: queue.limit,
            msg_lspid: queue.last[0] as i32,
            msg_lrpid: queue.last[1] as i32,
            ..Msqid::default()
        };
        Ok((id, layout))
    }

    /// `IPC_SET`: owner, permissions, and how many bytes the queue holds.
    ///
    /// # Errors
    /// `EINVAL`, `EPERM`.
    pub fn msg_set(&mut self, tid: Tid, id: i32, new: &Msqid) -> Result<(), Errno> {
        let (cred, now) = (self.cred_of(tid), self.ipc_time());
        let queue = self.ipc.msg.get(id)?;
        queue.perm.check_owner(&cred)?;
        if new.msg_qbytes > QUEUE_BYTES && !cred.capable(CAP_SYS_RESOURCE) {
            return Err(Errno::EPERM);
        }
        queue.limit = new.msg_qbytes;
        queue.perm.set(&new.msg_perm);
        queue.times[2] = now;
        let key = queue.key();
        self.wake(key);
        Ok(())
    }

    /// `IPC_RMID`: who waits learns it.
    ///
    /// # Errors
    /// `EINVAL`, `EPERM`.
    pub fn msg_remove(&mut self, tid: Tid, id: i32) -> Result<(), Errno> {
        let cred = self.cred_of(tid);
        let queue = self.ipc.msg.get(id)?;
        queue.perm.check_owner(&cred)?;
        let key = queue.key();
        self.ipc.msg.remove(id);
        self.wake(key);
        Ok(())
    }
}
