//! Options of sockets: getsockopt(2), setsockopt(2), socket(7), tcp(7), ip(7), ipv6(7).

use crate::args::Args;
use crate::socket::socket_of;
use friscy_abi::Errno;
use friscy_abi::layout::Timeval;
use friscy_abi::socket::*;
use friscy_kernel::files::{SOCKET_BUFFER, Socket};
use friscy_kernel::{Ctx, SysResult};

/// Size of `struct tcp_info` of Linux 6.12, in bytes.
const TCP_INFO_SIZE: usize = 248;
/// The most that `SO_SNDBUF` and `SO_RCVBUF` allow (`net.core.wmem_max`).
const BUFFER_MAX: u64 = 212_992;

fn number(value: u64) -> Vec<u8> {
    (value as u32).to_le_bytes().to_vec()
}

/// Whether it is a socket of UDP or of UDP-Lite.
fn is_udp(socket: &Socket) -> bool {
    matches!(socket.protocol(), IPPROTO_UDP | IPPROTO_UDPLITE)
}

/// The level under which an option is kept: those of UDP-Lite are options of UDP as well.
fn level_of(socket: &Socket, level: u32, name: u32) -> u32 {
    match (level, name) {
        (IPPROTO_UDP, UDPLITE_SEND_CSCOV | UDPLITE_RECV_CSCOV) if is_udp(socket) => IPPROTO_UDPLITE,
        _ => level,
    }
}

/// The value of an option that is only kept, before it is set.
fn default_of(socket: &Socket, level: u32, name: u32) -> Option<u64> {
    let tcp = socket.is_inet() && socket.kind() == SOCK_STREAM;
    Some(match (level, name) {
        (SOL_SOCKET, SO_SNDBUF) => {
            if tcp {
                16_384
            } else {
                SOCKET_BUFFER as u64
            }
        }
        (SOL_SOCKET, SO_RCVBUF) => {
            if tcp {
                131_072
            } else {
                SOCKET_BUFFER as u64
            }
        }
        (SOL_SOCKET, SO_RCVLOWAT | SO_SNDLOWAT) => 1,
        (
            SOL_SOCKET,
            SO_REUSEADDR | SO_REUSEPORT | SO_KEEPALIVE | SO_BROADCAST | SO_DEBUG | SO_DONTROUTE | SO_OOBINLINE
            | SO_PRIORITY | SO_TIMESTAMP | SO_BUSY_POLL | SO_NO_CHECK | SO_MARK | SO_INCOMING_CPU,
        ) => 0,
        (IPPROTO_TCP, _) if !tcp => return None,
        (
            IPPROTO_TCP,
            TCP_NODELAY | TCP_CORK | TCP_DEFER_ACCEPT | TCP_USER_TIMEOUT | TCP_WINDOW_CLAMP | TCP_FASTOPEN,
        ) => 0,
        (IPPROTO_TCP, TCP_MAXSEG) => 536,
        (IPPROTO_TCP, TCP_KEEPIDLE) => 7200,
        (IPPROTO_TCP, TCP_KEEPINTVL) => 75,
        (IPPROTO_TCP, TCP_KEEPCNT) => 9,
        (IPPROTO_TCP, TCP_SYNCNT) => 6,
        (IPPROTO_TCP, TCP_LINGER2) => 60,
        (IPPROTO_TCP, TCP_QUICKACK) => 1,
        (IPPROTO_TCP, TCP_NOTSENT_LOWAT) => u64::from(u32::MAX),
        (IPPROTO_IP, IP_TTL) => 64,
        (IPPROTO_IP, IP_MULTICAST_TTL | IP_MULTICAST_LOOP | IP_MTU_DISCOVER) => 1,
        (
            IPPROTO_IP,
            IP_TOS
            | IP_PKTINFO
            | IP_RECVERR
            | IP_RECVTTL
            | IP_RECVTOS
            | IP_FREEBIND
            | IP_BIND_ADDRESS_NO_PORT
            | IP_MULTICAST_IF,
        ) => 0,
        (IPPROTO_IPV6, _) if socket.domain() != AF_INET6 => return None,
        (IPPROTO_IPV6, IPV6_UNICAST_HOPS) => 64,
        (IPPROTO_IPV6, IPV6_MULTICAST_HOPS | IPV6_MULTICAST_LOOP | IPV6_MTU_DISCOVER) => 1,
        (
            IPPROTO_IPV6,
            IPV6_V6ONLY | IPV6_MULTICAST_IF | IPV6_RECVERR | IPV6_RECVPKTINFO | IPV6_RECVHOPLIMIT | IPV6_RECVTCLASS
            | IPV6_TCLASS | IPV6_DONTFRAG,
        ) => 0,
        (IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV | UDPLITE_RECV_CSCOV) if is_udp(socket) => 0,
        _ => return None,
    })
}

/// The error for a level, or an option of a level, that a socket does not have.
fn unknown(socket: &Socket, level: u32) -> Errno {
    match level {
        SOL_SOCKET => Errno::ENOPROTOOPT,
        IPPROTO_TCP | IPPROTO_UDP | IPPROTO_UDPLITE | IPPROTO_IP | IPPROTO_IPV6 if socket.is_inet() => {
            Errno::ENOPROTOOPT
        }
        _ => Errno::EOPNOTSUPP,
    }
}

fn value_of(socket: &Socket, level: u32, name: u32) -> Result<Vec<u8>, Errno> {
    let kept = socket.inet().option(level, name);
    Ok(match (level, name) {
        (SOL_SOCKET, SO_TYPE) => number(u64::from(socket.kind())),
        (SOL_SOCKET, SO_ERROR) => number(socket.take_error().map_or(0, |errno| u64::from(errno.0))),
        (SOL_SOCKET, SO_DOMAIN) => number(u64::from(socket.domain())),
        (SOL_SOCKET, SO_PROTOCOL) => number(u64::from(socket.protocol())),
        (SOL_SOCKET, SO_ACCEPTCONN) => number(u64::from(socket.listening())),
        (SOL_SOCKET, SO_PASSCRED) => number(u64::from(socket.pass_creds())),
        (SOL_SOCKET, SO_PEERCRED) => bytemuck::bytes_of(&socket.peer_creds()).to_vec(),
        // `l_onoff` in the lowest bit, `l_linger` above it.
        (SOL_SOCKET, SO_LINGER) => {
            let kept = kept.unwrap_or(0);
            [number(kept & 1), number(kept >> 1)].concat()
        }
        (SOL_SOCKET, SO_RCVTIMEO | SO_SNDTIMEO) => {
            let time: Timeval = crate::time::timeval(kept.unwrap_or(0));
            bytemuck::bytes_of(&time).to_vec()
        }
        (IPPROTO_TCP, TCP_INFO) if socket.is_inet() && socket.kind() == SOCK_STREAM => {
            let mut info = vec![0; TCP_INFO_SIZE];
            // TCP_ESTABLISHED, TCP_LISTEN or TCP_CLOSE.
            let state = if socket.listening() { 10 } else { if socket.peer().is_some() { 1 } else { 7 } };
            if let Some(slot) = info.first_mut() {
                *slot = state;
            }
            info
        }
        (IPPROTO_TCP, TCP_CONGESTION) if socket.is_inet() && socket.kind() == SOCK_STREAM => {
            let mut name = b"cubic".to_vec();
            name.resize(16, 0);
            name
        }
        _ => number(kept.or(default_of(socket, level, name)).ok_or(unknown(socket, level))?),
    })
}

/// getsockopt(2).
pub(crate) fn getsockopt(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if let Some(file) = crate::netlink::netlink_of(cx, a.i32::<0>()) {
        return crate::netlink::getsockopt(cx, &file, a);
    }
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    let room: u32 = cx.read_struct(a.u64::<4>())?;
    if (room as i32) < 0 {
        return Err(Errno::EINVAL.into());
    }
    let name = a.u32::<2>();
    let value = value_of(&socket, level_of(&socket, a.u32::<1>(), name), name)?;
    let shown = value.get(..value.len().min(room as usize)).unwrap_or(&value);
    cx.write_bytes(a.u64::<3>(), shown)?;
    cx.write_struct(a.u64::<4>(), &(shown.len() as u32))?;
    Ok(0)
}

/// setsockopt(2).
pub(crate) fn setsockopt(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    if let Some(file) = crate::netlink::netlink_of(cx, a.i32::<0>()) {
        return crate::netlink::setsockopt(cx, &file, a);
    }
    let (_, socket) = socket_of(cx, a.i32::<0>())?;
    let (level, name, addr, len) = (a.u32::<1>(), a.u32::<2>(), a.u64::<3>(), a.u32::<4>());
    if (len as i32) < 0 {
        return Err(Errno::EINVAL.into());
    }
    let level = level_of(&socket, level, name);
    let inet = socket.inet();
    match (level, name) {
        (SOL_SOCKET, SO_RCVTIMEO | SO_SNDTIMEO) => {
            if (len as usize) < size_of::<Timeval>() {
                return Err(Errno::EINVAL.into());
            }
            let time: Timeval = cx.read_struct(addr)?;
            if !(0..1_000_000).contains(&time.tv_usec) {
                return Err(Errno::EDOM.into());
            }
            // A negative time is one that has passed: the shortest wait.
            let time = if time.tv_sec < 0 { 1 } else { crate::time::from_timeval(&time)? };
            inet.set_option(level, name, time);
            return Ok(0);
        }
        (SOL_SOCKET, SO_LINGER) => {
            if len < 8 {
                return Err(Errno::EINVAL.into());
            }
            let [on, seconds]: [u32; 2] = cx.read_struct(addr)?;
            inet.set_option(level, name, u64::from(seconds) << 1 | u64::from(on != 0));
            return Ok(0);
        }
        (SOL_SOCKET, SO_BINDTODEVICE) => return Ok(0),
        (IPPROTO_TCP, TCP_CONGESTION) if socket.is_inet() => {
            let name = cx.read_bytes(addr, u64::from(len.min(16)))?;
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            return if name == b"cubic" || name == b"reno" { Ok(0) } else { Err(Errno::ENOENT.into()) };
        }
        _ => {}
    }
    // Options of the level IPPROTO_IP may be given as one byte.
    let value = match len {
        1..=3 if level == IPPROTO_IP => u32::from(cx.read_struct::<u8>(addr)?),
        0..=3 => return Err(Errno::EINVAL.into()),
        _ => cx.read_struct::<u32>(addr)?,
    };
    match (level, name) {
        (SOL_SOCKET, SO_PASSCRED) => socket.set_pass_creds(value != 0),
        (SOL_SOCKET, SO_TYPE | SO_ERROR | SO_PEERCRED | SO_DOMAIN | SO_PROTOCOL | SO_ACCEPTCONN) => {
            return Err(Errno::ENOPROTOOPT.into());
        }
        // Linux keeps twice what is asked for, to have room for its own data.
        (SOL_SOCKET, SO_SNDBUF | SO_SNDBUFFORCE) => {
            inet.set_option(level, SO_SNDBUF, (u64::from(value).min(BUFFER_MAX) * 2).max(4608));
        }
        (SOL_SOCKET, SO_RCVBUF | SO_RCVBUFFORCE) => {
            inet.set_option(level, SO_RCVBUF, (u64::from(value).min(BUFFER_MAX) * 2).max(2304));
        }
        // At least the header of eight bytes is covered, unless all is; a length is of 16 bits (udplite(7)).
        (IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV | UDPLITE_RECV_CSCOV) if is_udp(&socket) => {
            if socket.protocol() != IPPROTO_UDPLITE {
                return Err(Errno::ENOPROTOOPT.into());
            }
            let covered = if value == 0 { 0 } else { (value as i32).clamp(8, 0xffff) };
            inet.set_option(level, name, covered as u64);
        }
        (IPPROTO_IPV6, IPV6_V6ONLY) if socket.is_inet() && !socket.is_unbound() => return Err(Errno::EINVAL.into()),
        (SOL_SOCKET, SO_REUSEADDR | SO_REUSEPORT | SO_KEEPALIVE | SO_BROADCAST | SO_OOBINLINE)
        | (IPPROTO_TCP, TCP_NODELAY | TCP_CORK) => {
            default_of(&socket, level, name).ok_or(unknown(&socket, level))?;
            inet.set_option(level, name, u64::from(value != 0));
        }
        _ => {
            // They concern speed and what the loopback interface does not do.
            default_of(&socket, level, name).ok_or(unknown(&socket, level))?;
            inet.set_option(level, name, u64::from(value));
        }
    }
    Ok(0)
}
