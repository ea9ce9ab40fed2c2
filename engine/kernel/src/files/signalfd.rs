//! Signals that are read as files, signalfd(2).

use super::{File, IoError, IoResult, Keys};
use crate::error::WaitKey;
use crate::signal::{SigData, SigInfo, SigSet};
use crate::{Ctx, Kernel, Pid};
use bytemuck::Zeroable;
use friscy_abi::Errno;
use friscy_abi::layout::SignalfdSiginfo;
use friscy_abi::poll::{POLLIN, POLLRDNORM};
use friscy_vfs::Location;
use std::any::Any;
use std::cell::Cell;

/// Size of what one signal reads as, in bytes.
const ENTRY: usize = size_of::<SignalfdSiginfo>();

/// Reads the signals of a set that wait for whoever reads it, not for whoever made it.
pub struct SignalFd {
    location: Location,
    set: Cell<SigSet>,
    /// Who looked at it last: whose signals a wait is for.
    reader: Cell<Pid>,
}

impl SignalFd {
    /// Reads the signals of `set`; SIGKILL and SIGSTOP are never among them.
    #[must_use]
    pub fn new(set: SigSet, location: Location) -> SignalFd {
        SignalFd { location, set: Cell::new(set.without(SigSet::UNBLOCKABLE)), reader: Cell::new(0) }
    }

    /// Changes the set.
    pub fn set(&self, set: SigSet) {
        self.set.set(set.without(SigSet::UNBLOCKABLE));
    }
}

fn entry(info: &SigInfo) -> SignalfdSiginfo {
    let mut out = SignalfdSiginfo {
        ssi_signo: info.signo,
        ssi_errno: info.errno,
        ssi_code: info.code,
        ..SignalfdSiginfo::zeroed()
    };
    match info.data {
        SigData::Kill { pid, uid } => (out.ssi_pid, out.ssi_uid) = (pid as u32, uid),
        SigData::Value { pid, uid, value } => {
            (out.ssi_pid, out.ssi_uid) = (pid as u32, uid);
            (out.ssi_int, out.ssi_ptr) = (value as i32, value);
        }
        SigData::Timer { id, overrun, value, .. } => {
            (out.ssi_tid, out.ssi_overrun) = (id as u32, overrun as u32);
            (out.ssi_int, out.ssi_ptr) = (value as i32, value);
        }
        SigData::Child { pid, uid, status, utime, stime } => {
            (out.ssi_pid, out.ssi_uid, out.ssi_status) = (pid as u32, uid, status);
            (out.ssi_utime, out.ssi_stime) = (utime, stime);
        }
        SigData::Fault { addr } => out.ssi_addr = addr,
        SigData::Poll { band, fd } => (out.ssi_band, out.ssi_fd) = (band as u32, fd),
        SigData::Raw(raw) => {
            let word = |at: usize| raw.get(at..at + 4).and_then(|bytes| bytes.first_chunk::<4>()).copied();
            let number = |at: usize| word(at).map_or(0, u32::from_le_bytes);
            (out.ssi_pid, out.ssi_uid, out.ssi_int) = (number(0), number(4), number(8) as i32);
            out.ssi_ptr = u64::from(number(8)) | u64::from(number(12)) << 32;
        }
    }
    out
}

impl File for SignalFd {
    fn read(&self, cx: &mut Ctx<'_>, _at: u64, buf: &mut [u8]) -> IoResult<usize> {
        self.reader.set(cx.pid());
        if buf.len() < ENTRY {
            return Err(Errno::EINVAL.into());
        }
        let mut count = 0;
        for slot in buf.chunks_exact_mut(ENTRY) {
            let Some(info) = cx.kernel.take_signal(cx.tid, self.set.get()) else { break };
            slot.copy_from_slice(bytemuck::bytes_of(&entry(&info)));
            count += ENTRY;
        }
        if count == 0 { Err(IoError::WouldBlock) } else { Ok(count) }
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn poll(&self, k: &mut Kernel) -> u32 {
        let tid = k.drivers.current.get();
        self.reader.set(k.tasks.get(&tid).map_or(0, |task| task.tgid));
        if k.pending_set(tid).and(self.set.get()).is_empty() { 0 } else { POLLIN | POLLRDNORM }
    }

    fn wait_keys(&self, keys: &mut Keys) {
        keys.push(WaitKey::SignalFor(self.reader.get()));
    }

    fn changes(&self, k: &mut Kernel) -> u64 {
        // Each signal that comes is a change; how many there were is counted.
        k.signals_sent
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
