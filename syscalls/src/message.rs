//! Messages through sockets: sendto(2), sendmsg(2), recvfrom(2), recvmsg(2), and what travels beside them, cmsg(3).

use crate::address::{Address, address, give_address, sockaddr};
use crate::args::Args;
use crate::fd::{install, open_error};
use crate::io::{broken_pipe, file, iovecs};
use crate::netlink;
use crate::socket::{find, socket_of};
use friscy_abi::Errno;
use friscy_abi::layout::{Cmsghdr, Iovec, Mmsghdr, Msghdr, Timespec, Ucred};
use friscy_abi::socket::*;
use friscy_kernel::files::{FileRef, Header, IoError, Packet, Socket, Target};
use friscy_kernel::{Ctx, SysError, SysResult};
use std::rc::Rc;

/// The most bytes of a message that are looked at if it is sent as a whole: a datagram of so many does not fit anywhere.
const MESSAGE_MAX: u64 = 64 << 20;
/// Bytes for a stream that are taken from the caller's memory at a time.
const PART: u64 = 1 << 20;
/// The most bytes that one call sends (`MAX_RW_COUNT`).
const SEND_MAX: u64 = 0x7fff_f000;
/// The most bytes of control messages that are looked at.
const CONTROL_MAX: u64 = 65_536;
/// The most descriptors in one message (`SCM_MAX_FD`).
const RIGHTS_MAX: usize = 253;

/// A message to be sent.
struct Outgoing {
    parts: Vec<Iovec>,
    /// Bytes in all parts.
    len: u64,
    target: Option<Target>,
    rights: Vec<FileRef>,
    creds: Ucred,
    header: Header,
}

/// Where a message goes: the address that the caller gives, if it gives one.
fn target(cx: &mut Ctx<'_>, socket: &Socket, addr: u64, len: u32) -> Result<Option<Target>, Errno> {
    // TCP does not look at it.
    if addr == 0 || socket.is_inet() && socket.kind() == SOCK_STREAM {
        return Ok(None);
    }
    Ok(match address(cx, socket, addr, len)? {
        Address::Unix(name) => Some(Target::Unix(find(cx, &name)?)),
        Address::Inet(to) => Some(Target::Inet(to)),
        Address::None if socket.is_inet() => None,
        Address::None => return Err(Errno::EINVAL),
    })
}

/// Up to `most` bytes of a message, from its byte `from` on.
fn gather(cx: &mut Ctx<'_>, parts: &[Iovec], from: u64, most: u64) -> Result<Vec<u8>, Errno> {
    let (mut skip, mut bytes) = (from, Vec::new());
    for part in parts {
        let skipped = skip.min(part.iov_len);
        skip -= skipped;
        let count = (part.iov_len - skipped).min(most - bytes.len() as u64);
        if count > 0 {
            let more = cx.read_bytes(part.iov_base.wrapping_add(skipped), count)?;
            if bytes.is_empty() {
                bytes = more;
            } else {
                bytes.extend(more);
            }
        }
    }
    Ok(bytes)
}

/// How many bytes a message in these parts has.
fn length_of(parts: &[Iovec]) -> u64 {
    parts.iter().map(|part| part.iov_len).sum::<u64>().min(SEND_MAX)
}

/// What a message goes through.
enum Sender {
    Netlink(FileRef),
    Socket(FileRef, Rc<Socket>),
}

/// The socket of a descriptor: what is no socket is told before the message is read.
fn sender(cx: &Ctx<'_>, fd: i32) -> Result<Sender, Errno> {
    match netlink::netlink_of(cx, fd) {
        Some(file) => Ok(Sender::Netlink(file)),
        None => socket_of(cx, fd).map(|(file, socket)| Sender::Socket(file, socket)),
    }
}

fn send(cx: &mut Ctx<'_>, file: &FileRef, socket: &Rc<Socket>, message: Outgoing, flags: u32) -> SysResult {
    let urgent = flags & MSG_OOB != 0;
    if urgent && socket.kind() != SOCK_STREAM {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if message.target.is_some() && socket.kind() != SOCK_DGRAM {
        let connected = socket.peer_name().is_ok();
        return Err(if connected { Errno::EISCONN } else { Errno::EOPNOTSUPP }.into());
    }
    let waits = !file.nonblocking() && flags & MSG_DONTWAIT == 0;
    let stream = socket.kind() == SOCK_STREAM;
    let mut done = cx.scratch().done;
    let mut rights = if done == 0 { message.rights } else { Vec::new() };
    let mut bytes = if stream { Vec::new() } else { gather(cx, &message.parts, done, MESSAGE_MAX)? };
    let mut at = 0;
    loop {
        if stream && at >= bytes.len() && done < message.len {
            bytes = match gather(cx, &message.parts, done, PART.min(message.len - done)) {
                Ok(bytes) => bytes,
                Err(_) if done > 0 => return Ok(done),
                Err(errno) => return Err(errno.into()),
            };
            at = 0;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() && (done > 0 || stream) {
            return Ok(done);
        }
        match socket.send_to(cx, message.target.as_ref(), rest, rights.clone(), message.creds, message.header) {
            Ok(sent) => {
                done += sent as u64;
                at += sent;
                rights.clear();
                if done >= message.len {
                    if urgent {
                        socket.mark_urgent();
                    }
                    return Ok(done);
                }
            }
            Err(error @ (IoError::WouldBlock | IoError::WouldBlockUntil(_))) if waits => {
                cx.scratch().done = done;
                let SysError::Block(mut wait) = file.sys_error(error) else { return Err(Errno::EAGAIN.into()) };
                if let Some(Target::Unix(target)) = &message.target {
                    wait.keys.push(target.point().key());
                }
                return Err(SysError::Block(wait));
            }
            Err(_) if done > 0 => return Ok(done),
            Err(IoError::WouldBlock | IoError::WouldBlockUntil(_)) => return Err(Errno::EAGAIN.into()),
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
    let sender = sender(cx, a.i32::<0>())?;
    let parts = vec![Iovec { iov_base: a.u64::<1>(), iov_len: a.u64::<2>().min(SEND_MAX) }];
    let (file, socket) = match sender {
        Sender::Netlink(file) => {
            let bytes = gather(cx, &parts, 0, MESSAGE_MAX)?;
            return netlink::send(cx, &file, &bytes);
        }
        Sender::Socket(file, socket) => (file, socket),
    };
    let target = target(cx, &socket, a.u64::<4>(), a.u32::<5>())?;
    let creds = cx.ucred();
    let len = length_of(&parts);
    let message = Outgoing { parts, len, target, rights: Vec::new(), creds, header: Header::default() };
    send(cx, &file, &socket, message, a.u32::<3>())
}

/// Reads what is to be sent beside a message.
fn control(
    cx: &mut Ctx<'_>,
    header: &Msghdr,
    rights: &mut Vec<FileRef>,
    creds: &mut Ucred,
    packet: &mut Header,
) -> Result<(), Errno> {
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
        let number = data.first_chunk::<4>().map(|&number| i32::from_le_bytes(number));
        match (head.cmsg_level as u32, head.cmsg_type as u32) {
            (IPPROTO_IPV6, IPV6_HOPLIMIT) | (IPPROTO_IP, IP_TTL) => {
                let hops = number.filter(|hops| (-1..=255).contains(hops)).ok_or(Errno::EINVAL)?;
                packet.hops = (hops >= 0).then_some(hops);
            }
            (IPPROTO_IPV6, IPV6_TCLASS) | (IPPROTO_IP, IP_TOS) => {
                let class = number.filter(|class| (-1..=255).contains(class)).ok_or(Errno::EINVAL)?;
                packet.class = Some(class.max(0));
            }
            _ => {}
        }
        at += length.max(HEAD).next_multiple_of(8);
    }
    Ok(())
}

fn send_message(cx: &mut Ctx<'_>, fd: i32, header: &Msghdr, flags: u32) -> SysResult {
    let sender = sender(cx, fd)?;
    let parts = iovecs(cx, header.msg_iov, header.msg_iovlen)?;
    let len = length_of(&parts);
    let (file, socket) = match sender {
        Sender::Netlink(file) => {
            let bytes = gather(cx, &parts, 0, MESSAGE_MAX)?;
            return netlink::send(cx, &file, &bytes);
        }
        Sender::Socket(file, socket) => (file, socket),
    };
    let name = if header.msg_namelen == 0 { 0 } else { header.msg_name };
    let target = target(cx, &socket, name, header.msg_namelen)?;
    let mut creds = cx.ucred();
    let mut rights = Vec::new();
    let mut packet = Header::default();
    control(cx, header, &mut rights, &mut creds, &mut packet)?;
    send(cx, &file, &socket, Outgoing { parts, len, target, rights, creds, header: packet }, flags)
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

/// Receives into buffers; flags and control messages go to `header`. The answer is the result and the sender's
/// address, empty for none.
fn receive(
    cx: &mut Ctx<'_>,
    fd: i32,
    parts: &[Iovec],
    header: &mut Msghdr,
    flags: u32,
) -> Result<(u64, Vec<u8>), SysError> {
    if let Some(file) = netlink::netlink_of(cx, fd) {
        let (count, out, from) = netlink::receive(cx, &file, parts, flags)?;
        header.msg_controllen = 0;
        header.msg_flags = out as i32;
        return Ok((count, from));
    }
    let (file, socket) = socket_of(cx, fd)?;
    // Datagrams of the Internet do not look at the flag.
    match (flags & MSG_OOB != 0, socket.is_inet(), socket.kind()) {
        (true, _, SOCK_STREAM) => return receive_urgent(cx, &socket, parts, header, flags),
        (true, false, _) => return Err(Errno::EOPNOTSUPP.into()),
        _ => {}
    }
    let total: u64 = parts.iter().map(|part| part.iov_len).sum();
    let peek = flags & MSG_PEEK != 0;
    // What an earlier execution of a call with MSG_WAITALL has stored.
    let before = cx.scratch().done;
    let mut buf = vec![0; total.saturating_sub(before).min(1 << 20) as usize];
    let result = socket.receive(&mut buf, peek);
    let received = match socket.limit_wait(cx, SO_RCVTIMEO, Errno::EAGAIN, result) {
        Ok(received) => received,
        Err(error) => match file.sys_error(error) {
            SysError::Block(_) if flags & MSG_DONTWAIT != 0 => return Err(Errno::EAGAIN.into()),
            SysError::Errno(_) if before > 0 => return Ok((before, Vec::new())),
            error => return Err(error),
        },
    };
    scatter(cx, parts, before, buf.get(..received.count).unwrap_or_default())?;
    let all = before + received.count as u64;
    let goes_on = flags & MSG_WAITALL != 0 && !socket.at_mark();
    let whole = goes_on && socket.kind() == SOCK_STREAM && !peek && received.rights.is_empty();
    if whole && received.count > 0 && all < total && flags & MSG_DONTWAIT == 0 && !file.nonblocking() {
        cx.scratch().done = all;
        return receive(cx, fd, parts, header, flags);
    }
    let mut out = 0;
    let cut = socket.kind() != SOCK_STREAM && received.full > received.count;
    if cut {
        out |= MSG_TRUNC;
    }
    let mut items: Vec<(u32, u32, Vec<u8>)> = Vec::new();
    if socket.is_inet() && socket.kind() == SOCK_DGRAM {
        packet_items(&socket, &received.packet, &mut items);
    }
    if let (Some(creds), true) = (received.creds, socket.pass_creds()) {
        items.push((SOL_SOCKET, SCM_CREDENTIALS, bytemuck::bytes_of(&creds).to_vec()));
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
            items.push((SOL_SOCKET, SCM_RIGHTS, numbers));
        }
    }
    for (level, kind, data) in items {
        let left = room.saturating_sub(control_at);
        let length = (size_of::<Cmsghdr>() + data.len()) as u64;
        if left < length {
            out |= MSG_CTRUNC;
        }
        if left < size_of::<Cmsghdr>() as u64 {
            break;
        }
        // What does not fit is cut.
        let length = length.min(left);
        let head = Cmsghdr { cmsg_len: length, cmsg_level: level as i32, cmsg_type: kind as i32 };
        let at = header.msg_control.wrapping_add(control_at);
        cx.write_struct(at, &head)?;
        let shown = data.get(..length as usize - size_of::<Cmsghdr>()).unwrap_or_default();
        cx.write_bytes(at.wrapping_add(16), shown)?;
        control_at = (control_at + length.next_multiple_of(8)).min(room);
    }
    header.msg_controllen = control_at;
    header.msg_flags = (out | flags & MSG_CMSG_CLOEXEC) as i32;
    let count = if cut && flags & MSG_TRUNC != 0 { received.full as u64 } else { all };
    let from = if received.from.is_empty() { Vec::new() } else { sockaddr(&socket, &received.from) };
    Ok((count, from))
}

/// Receives the urgent byte of a connection (`MSG_OOB`).
fn receive_urgent(
    cx: &mut Ctx<'_>,
    socket: &Socket,
    parts: &[Iovec],
    header: &mut Msghdr,
    flags: u32,
) -> Result<(u64, Vec<u8>), SysError> {
    let byte = socket.receive_urgent(flags & MSG_PEEK != 0).map_err(open_error)?;
    let room = parts.iter().any(|part| part.iov_len > 0);
    if room {
        scatter(cx, parts, 0, &[byte])?;
    }
    header.msg_controllen = 0;
    header.msg_flags = (MSG_OOB | if room { 0 } else { MSG_TRUNC }) as i32;
    Ok((u64::from(room), Vec::new()))
}

/// What a datagram's receiver asked to be told of its header, by level and type: ip(7), ipv6(7).
fn packet_items(socket: &Socket, packet: &Packet, items: &mut Vec<(u32, u32, Vec<u8>)>) {
    /// The number of the loopback interface.
    const INTERFACE: u32 = 1;
    let asks = |level: u32, name: u32| socket.inet().option(level, name).is_some_and(|value| value != 0);
    let ip = packet.to.ip.octets();
    if socket.domain() == AF_INET {
        let ip = ip.get(12..).unwrap_or_default();
        if asks(IPPROTO_IP, IP_PKTINFO) {
            items.push((IPPROTO_IP, IP_PKTINFO, [&INTERFACE.to_le_bytes(), ip, ip].concat()));
        }
        if asks(IPPROTO_IP, IP_RECVTTL) {
            items.push((IPPROTO_IP, IP_TTL, packet.hops.to_le_bytes().to_vec()));
        }
        if asks(IPPROTO_IP, IP_RECVTOS) {
            items.push((IPPROTO_IP, IP_TOS, vec![packet.class as u8]));
        }
        return;
    }
    if asks(IPPROTO_IPV6, IPV6_RECVPKTINFO) {
        items.push((IPPROTO_IPV6, IPV6_PKTINFO, [ip.as_slice(), &INTERFACE.to_le_bytes()].concat()));
    }
    if asks(IPPROTO_IPV6, IPV6_RECVHOPLIMIT) {
        items.push((IPPROTO_IPV6, IPV6_HOPLIMIT, packet.hops.to_le_bytes().to_vec()));
    }
    if asks(IPPROTO_IPV6, IPV6_RECVTCLASS) {
        items.push((IPPROTO_IPV6, IPV6_TCLASS, packet.class.to_le_bytes().to_vec()));
    }
}

/// Stores bytes in buffers, of which the first `at` bytes are full.
pub(crate) fn scatter(cx: &mut Ctx<'_>, parts: &[Iovec], mut at: u64, mut bytes: &[u8]) -> Result<(), Errno> {
    for part in parts {
        let skipped = at.min(part.iov_len);
        at -= skipped;
        let count = bytes.len().min((part.iov_len - skipped) as usize);
        let (now, later) = bytes.split_at(count);
        cx.write_bytes(part.iov_base.wrapping_add(skipped), now)?;
        bytes = later;
    }
    Ok(())
}

fn receive_message(cx: &mut Ctx<'_>, fd: i32, addr: u64, flags: u32) -> SysResult {
    let mut header: Msghdr = cx.read_struct(addr)?;
    let parts = iovecs(cx, header.msg_iov, header.msg_iovlen)?;
    let (count, from) = receive(cx, fd, &parts, &mut header, flags)?;
    if header.msg_name != 0 {
        let shown = from.get(..from.len().min(header.msg_namelen as usize)).unwrap_or(&from);
        cx.write_bytes(header.msg_name, shown)?;
        header.msg_namelen = from.len() as u32;
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
