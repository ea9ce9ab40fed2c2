//! Messages through sockets: sendto(2), sendmsg(2), recvfrom(2), recvmsg(2), and what travels beside them, cmsg(3).

use crate::args::Args;
use crate::fd::{install, open_error};
use crate::io::{broken_pipe, file, iovecs};
use crate::socket::{address, find, give_address, socket_of};
use friscy_abi::Errno;
use friscy_abi::layout::{Cmsghdr, Iovec, Mmsghdr, Msghdr, Timespec, Ucred};
use friscy_abi::socket::*;
use friscy_kernel::files::{FileRef, IoError, Socket};
use friscy_kernel::{Ctx, SysError, SysResult};
use std::rc::Rc;

/// The most bytes of control messages that are looked at.
const CONTROL_MAX: u64 = 65_536;
/// The most descriptors in one message (`SCM_MAX_FD`).
const RIGHTS_MAX: usize = 253;

/// A message to be sent.
struct Outgoing {
    bytes: Vec<u8>,
    target: Option<Rc<Socket>>,
    rights: Vec<FileRef>,
    creds: Ucred,
}

fn send(cx: &mut Ctx<'_>, fd: i32, message: Outgoing, flags: u32) -> SysResult {
    let (file, socket) = socket_of(cx, fd)?;
    if flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if message.target.is_some() && socket.kind() != SOCK_DGRAM {
        let connected = socket.peer_name().is_ok();
        return Err(if connected { Errno::EISCONN } else { Errno::EOPNOTSUPP }.into());
    }
    let waits = !file.nonblocking() && flags & MSG_DONTWAIT == 0;
    let mut done = cx.scratch().done as usize;
    let mut rights = if done == 0 { message.rights } else { Vec::new() };
    loop {
        let rest = message.bytes.get(done..).unwrap_or_default();
        if rest.is_empty() && done > 0 {
            return Ok(done as u64);
        }
        match socket.send(message.target.as_ref(), rest, rights.clone(), message.creds) {
            Ok(sent) => {
                done += sent;
                rights.clear();
                if done >= message.bytes.len() {
                    return Ok(done as u64);
                }
            }
            Err(IoError::WouldBlock) if waits => {
                cx.scratch().done = done as u64;
                let mut wait = file.wait();
                if let Some(target) = &message.target {
                    wait.keys.push(target.point().key());
                }
                return Err(wait.into());
            }
            Err(_) if done > 0 => return Ok(done as u64),
            Err(IoError::WouldBlock) => return Err(Errno::EAGAIN.into()),
            Err(error) => {
                if flags & MSG_NOSIGNAL == 0 && socket.kind() != SOCK_DGRAM {
                    broken_pipe(cx, error);
                }
                return Err(open_error(error));
            }
        }
    }
}

/// sendto(2).
pub(crate) fn sendto(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    socket_of(cx, a.i32::<0>())?;
    let bytes = cx.read_bytes(a.u64::<1>(), a.u64::<2>().min(0x7fff_f000))?;
    let target = if a.u64::<4>() == 0 {
        None
    } else {
        let name = address(cx, a.u64::<4>(), a.u32::<5>())?;
        Some(find(cx, &name)?)
    };
    let creds = cx.ucred();
    send(cx, a.i32::<0>(), Outgoing { bytes, target, rights: Vec::new(), creds }, a.u32::<3>())
}

/// Reads what is to be sent beside a message.
fn control(cx: &mut Ctx<'_>, header: &Msghdr, rights: &mut Vec<FileRef>, creds: &mut Ucred) -> Result<(), Errno> {
    if header.msg_controllen == 0 {
        return Ok(());
    }
    if header.msg_controllen > CONTROL_MAX {
        return Err(Errno::ENOBUFS);
    }
    const HEAD: usize = size_of::<Cmsghdr>();
    let bytes = cx.read_bytes(header.msg_control, header.msg_controllen)?;
    let mut at = 0usize;
    while let Some(head) = bytes.get(at..at + HEAD) {
        let head: Cmsghdr = bytemuck::pod_read_unaligned(head);
        let length = usize::try_from(head.cmsg_len).map_err(|_| Errno::EINVAL)?;
        let data = at.checked_add(length).and_then(|end| bytes.get(at + HEAD..end)).ok_or(Errno::EINVAL)?;
        if head.cmsg_level as u32 == SOL_SOCKET {
            match head.cmsg_type as u32 {
                SCM_RIGHTS => {
                    for number in data.chunks_exact(4) {
                        let fd = i32::from_le_bytes([number[0], number[1], number[2], number[3]]);
                        rights.push(file(cx, fd)?);
                    }
                    if rights.len() > RIGHTS_MAX {
                        return Err(Errno::EINVAL);
                    }
                }
                SCM_CREDENTIALS => {
                    let claimed = data.get(..size_of::<Ucred>()).ok_or(Errno::EINVAL)?;
                    let claimed: Ucred = bytemuck::pod_read_unaligned(claimed);
                    let cred = &cx.task().cred;
                    let own = claimed.pid as u32 == cx.pid()
                        && [cred.uid, cred.euid, cred.suid].contains(&claimed.uid)
                        && [cred.gid, cred.egid, cred.sgid].contains(&claimed.gid);
                    if !own && cred.euid != 0 {
                        return Err(Errno::EPERM);
                    }
                    *creds = claimed;
                }
                _ => return Err(Errno::EINVAL),
            }
        }
        at += length.max(HEAD).next_multiple_of(8);
    }
    Ok(())
}

fn send_message(cx: &mut Ctx<'_>, fd: i32, header: &Msghdr, flags: u32) -> SysResult {
    socket_of(cx, fd)?;
    let mut bytes = Vec::new();
    for part in iovecs(cx, header.msg_iov, header.msg_iovlen)? {
        bytes.extend(cx.read_bytes(part.iov_base, part.iov_len)?);
    }
    let target = if header.msg_name == 0 || header.msg_namelen == 0 {
        None
    } else {
        let name = address(cx, header.msg_name, header.msg_namelen)?;
        Some(find(cx, &name)?)
    };
    let mut creds = cx.ucred();
    let mut rights = Vec::new();
    control(cx, header, &mut rights, &mut creds)?;
    send(cx, fd, Outgoing { bytes, target, rights, creds }, flags)
}

/// sendmsg(2).
pub(crate) fn sendmsg(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let header: Msghdr = cx.read_struct(a.u64::<1>())?;
    send_message(cx, a.i32::<0>(), &header, a.u32::<2>())
}

/// sendmmsg(2).
pub(crate) fn sendmmsg(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let count = u64::from(a.u32::<2>()).min(1024);
    let mut sent = 0;
    for at in 0..count {
        let addr = a.u64::<1>().wrapping_add(at * size_of::<Mmsghdr>() as u64);
        let mut message: Mmsghdr = cx.read_struct(addr)?;
        // Only the first may wait: the others were not promised.
        let flags = a.u32::<3>() | if sent > 0 { MSG_DONTWAIT } else { 0 };
        match send_message(cx, a.i32::<0>(), &message.msg_hdr, flags) {
            Ok(length) => {
                message.msg_len = length as u32;
                cx.write_struct(addr, &message)?;
                sent += 1;
            }
            Err(_) if sent > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// recvfrom(2).
pub(crate) fn recvfrom(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let part = Iovec { iov_base: a.u64::<1>(), iov_len: a.u64::<2>() };
    let mut header = Msghdr::default();
    let (count, from) = receive(cx, a.i32::<0>(), &[part], &mut header, a.u32::<3>())?;
    if a.u64::<4>() != 0 {
        give_address(cx, &from, a.u64::<4>(), a.u64::<5>())?;
    }
    Ok(count)
}

/// Receives into buffers; flags and control messages go to `header`. The answer is the result and the sender.
fn receive(
    cx: &mut Ctx<'_>,
    fd: i32,
    parts: &[Iovec],
    header: &mut Msghdr,
    flags: u32,
) -> Result<(u64, Vec<u8>), SysError> {
    let (file, socket) = socket_of(cx, fd)?;
    if flags & MSG_OOB != 0 {
        return Err(Errno::EINVAL.into());
    }
    let total: u64 = parts.iter().map(|part| part.iov_len).sum();
    let mut buf = vec![0; total.min(1 << 20) as usize];
    let received = match socket.receive(&mut buf, flags & MSG_PEEK != 0) {
        Ok(received) => received,
        Err(IoError::WouldBlock) if flags & MSG_DONTWAIT != 0 => return Err(Errno::EAGAIN.into()),
        Err(error) => return Err(file.sys_error(error)),
    };
    let mut rest = buf.get(..received.count).unwrap_or_default();
    for part in parts {
        let count = rest.len().min(part.iov_len as usize);
        let (now, later) = rest.split_at(count);
        cx.write_bytes(part.iov_base, now)?;
        rest = later;
    }
    let mut out = 0;
    let cut = socket.kind() != SOCK_STREAM && received.full > received.count;
    if cut {
        out |= MSG_TRUNC;
    }
    let mut items: Vec<(u32, Vec<u8>)> = Vec::new();
    if let (Some(creds), true) = (received.creds, socket.pass_creds()) {
        items.push((SCM_CREDENTIALS, bytemuck::bytes_of(&creds).to_vec()));
    }
    let mut control_at = 0u64;
    let room = header.msg_controllen;
    if !received.rights.is_empty() {
        let space = room.saturating_sub(items.len() as u64 * 32 + 16) / 4;
        let mut numbers = Vec::new();
        for file in received.rights {
            if numbers.len() as u64 / 4 >= space {
                out |= MSG_CTRUNC;
                break;
            }
            match install(cx, file, flags & MSG_CMSG_CLOEXEC != 0) {
                Ok(fd) => numbers.extend(fd.to_le_bytes()),
                Err(_) => out |= MSG_CTRUNC,
            }
        }
        if !numbers.is_empty() {
            items.push((SCM_RIGHTS, numbers));
        }
    }
    for (kind, data) in items {
        let length = (size_of::<Cmsghdr>() + data.len()) as u64;
        if control_at + length > room {
            out |= MSG_CTRUNC;
            break;
        }
        let head = Cmsghdr { cmsg_len: length, cmsg_level: SOL_SOCKET as i32, cmsg_type: kind as i32 };
        cx.write_struct(header.msg_control + control_at, &head)?;
        cx.write_bytes(header.msg_control + control_at + 16, &data)?;
        control_at = (control_at + length.next_multiple_of(8)).min(room);
    }
    header.msg_controllen = control_at;
    header.msg_flags = (out | flags & MSG_CMSG_CLOEXEC) as i32;
    let count = if cut && flags & MSG_TRUNC != 0 { received.full } else { received.count };
    Ok((count as u64, received.from))
}

fn receive_message(cx: &mut Ctx<'_>, fd: i32, addr: u64, flags: u32) -> SysResult {
    let mut header: Msghdr = cx.read_struct(addr)?;
    let parts = iovecs(cx, header.msg_iov, header.msg_iovlen)?;
    let (count, from) = receive(cx, fd, &parts, &mut header, flags)?;
    if header.msg_name != 0 {
        let mut name = if from.is_empty() { Vec::new() } else { (AF_UNIX as u16).to_le_bytes().to_vec() };
        name.extend_from_slice(&from);
        let shown = name.get(..name.len().min(header.msg_namelen as usize)).unwrap_or(&name);
        cx.write_bytes(header.msg_name, shown)?;
        header.msg_namelen = name.len() as u32;
    }
    cx.write_struct(addr, &header)?;
    Ok(count)
}

/// recvmsg(2).
pub(crate) fn recvmsg(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    receive_message(cx, a.i32::<0>(), a.u64::<1>(), a.u32::<2>())
}

/// recvmmsg(2).
pub(crate) fn recvmmsg(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if a.u64::<4>() != 0 {
        let time: Timespec = cx.read_struct(a.u64::<4>())?;
        crate::time::from_timespec(&time)?;
    }
    let count = u64::from(a.u32::<2>()).min(1024);
    let mut received = 0;
    for at in 0..count {
        let addr = a.u64::<1>().wrapping_add(at * size_of::<Mmsghdr>() as u64);
        let flags = a.u32::<3>() & !MSG_WAITFORONE | if received > 0 { MSG_DONTWAIT } else { 0 };
        match receive_message(cx, a.i32::<0>(), addr, flags) {
            Ok(length) => {
                let len_at = addr.wrapping_add(size_of::<Msghdr>() as u64);
                cx.write_struct(len_at, &(length as u32))?;
                received += 1;
            }
            Err(_) if received > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(received)
}
