//! Sockets: socket(2), unix(7).

use crate::table::constants;

constants! {
    /// Address families.
    ADDRESS_FAMILIES: u32;
    AF_UNSPEC = 0,
    AF_UNIX = 1,
    AF_INET = 2,
    AF_INET6 = 10,
    AF_NETLINK = 16,
    AF_PACKET = 17,
    AF_VSOCK = 40,
    AF_ALG = 38,
}

constants! {
    /// Types of socket.
    SOCKET_TYPES: u32;
    SOCK_STREAM = 1,
    SOCK_DGRAM = 2,
    SOCK_RAW = 3,
    SOCK_RDM = 4,
    SOCK_SEQPACKET = 5,
}

constants! {
    /// Flags beside the type.
    SOCKET_FLAGS: u32;
    SOCK_CLOEXEC = 0x8_0000,
    SOCK_NONBLOCK = 0x800,
}

constants! {
    /// Flags of sendmsg(2) and recvmsg(2).
    MSG_FLAGS: u32;
    MSG_OOB = 1,
    MSG_PEEK = 2,
    MSG_DONTROUTE = 4,
    MSG_CTRUNC = 8,
    MSG_TRUNC = 0x20,
    MSG_DONTWAIT = 0x40,
    MSG_EOR = 0x80,
    MSG_WAITALL = 0x100,
    MSG_NOSIGNAL = 0x4000,
    MSG_MORE = 0x8000,
    MSG_WAITFORONE = 0x1_0000,
    MSG_CMSG_CLOEXEC = 0x4000_0000,
}

constants! {
    /// How of shutdown(2).
    SHUTDOWN_HOW: u32;
    SHUT_RD = 0,
    SHUT_WR = 1,
    SHUT_RDWR = 2,
}

constants! {
    /// Levels of options.
    SOCKET_LEVELS: u32;
    SOL_SOCKET = 1,
    IPPROTO_IP = 0,
    IPPROTO_TCP = 6,
    IPPROTO_UDP = 17,
    IPPROTO_IPV6 = 41,
}

constants! {
    /// Options of SOL_SOCKET.
    SOCKET_OPTIONS: u32;
    SO_DEBUG = 1,
    SO_REUSEADDR = 2,
    SO_TYPE = 3,
    SO_ERROR = 4,
    SO_DONTROUTE = 5,
    SO_BROADCAST = 6,
    SO_SNDBUF = 7,
    SO_RCVBUF = 8,
    SO_KEEPALIVE = 9,
    SO_OOBINLINE = 10,
    SO_PRIORITY = 12,
    SO_LINGER = 13,
    SO_REUSEPORT = 15,
    SO_PASSCRED = 16,
    SO_PEERCRED = 17,
    SO_RCVLOWAT = 18,
    SO_SNDLOWAT = 19,
    SO_RCVTIMEO = 20,
    SO_SNDTIMEO = 21,
    SO_ACCEPTCONN = 30,
    SO_PEERSEC = 31,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE = 33,
    SO_PROTOCOL = 38,
    SO_DOMAIN = 39,
}

constants! {
    /// Control messages of unix(7).
    SCM_KINDS: u32;
    SCM_RIGHTS = 1,
    SCM_CREDENTIALS = 2,
}
