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
    IPPROTO_ICMP = 1,
    IPPROTO_TCP = 6,
    IPPROTO_UDP = 17,
    IPPROTO_IPV6 = 41,
    IPPROTO_UDPLITE = 136,
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
    SO_NO_CHECK = 11,
    SO_PRIORITY = 12,
    SO_LINGER = 13,
    SO_REUSEPORT = 15,
    SO_PASSCRED = 16,
    SO_PEERCRED = 17,
    SO_RCVLOWAT = 18,
    SO_SNDLOWAT = 19,
    SO_RCVTIMEO = 20,
    SO_SNDTIMEO = 21,
    SO_BINDTODEVICE = 25,
    SO_TIMESTAMP = 29,
    SO_ACCEPTCONN = 30,
    SO_PEERSEC = 31,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE = 33,
    SO_MARK = 36,
    SO_PROTOCOL = 38,
    SO_DOMAIN = 39,
    SO_BUSY_POLL = 46,
    SO_INCOMING_CPU = 49,
}

constants! {
    /// Options of IPPROTO_UDPLITE: how many bytes of a datagram the checksum covers.
    UDPLITE_OPTIONS: u32;
    UDPLITE_SEND_CSCOV = 10,
    UDPLITE_RECV_CSCOV = 11,
}

constants! {
    /// Options of IPPROTO_TCP.
    TCP_OPTIONS: u32;
    TCP_NODELAY = 1,
    TCP_MAXSEG = 2,
    TCP_CORK = 3,
    TCP_KEEPIDLE = 4,
    TCP_KEEPINTVL = 5,
    TCP_KEEPCNT = 6,
    TCP_SYNCNT = 7,
    TCP_LINGER2 = 8,
    TCP_DEFER_ACCEPT = 9,
    TCP_WINDOW_CLAMP = 10,
    TCP_INFO = 11,
    TCP_QUICKACK = 12,
    TCP_CONGESTION = 13,
    TCP_USER_TIMEOUT = 18,
    TCP_FASTOPEN = 23,
    TCP_NOTSENT_LOWAT = 25,
}

constants! {
    /// Options of IPPROTO_IP.
    IP_OPTIONS: u32;
    IP_TOS = 1,
    IP_TTL = 2,
    IP_PKTINFO = 8,
    IP_MTU_DISCOVER = 10,
    IP_RECVERR = 11,
    IP_RECVTTL = 12,
    IP_RECVTOS = 13,
    IP_FREEBIND = 15,
    IP_BIND_ADDRESS_NO_PORT = 24,
    IP_MULTICAST_IF = 32,
    IP_MULTICAST_TTL = 33,
    IP_MULTICAST_LOOP = 34,
}

constants! {
    /// Options of IPPROTO_IPV6.
    IPV6_OPTIONS: u32;
    IPV6_UNICAST_HOPS = 16,
    IPV6_MULTICAST_IF = 17,
    IPV6_MULTICAST_HOPS = 18,
    IPV6_MULTICAST_LOOP = 19,
    IPV6_MTU_DISCOVER = 23,
    IPV6_RECVERR = 25,
    IPV6_V6ONLY = 26,
    IPV6_RECVPKTINFO = 49,
    IPV6_PKTINFO = 50,
    IPV6_RECVHOPLIMIT = 51,
    IPV6_HOPLIMIT = 52,
    IPV6_DONTFRAG = 62,
    IPV6_RECVTCLASS = 66,
    IPV6_TCLASS = 67,
}

constants! {
    /// Requests about interfaces, netdevice(7), and of a connection's urgent data.
    INTERFACE_IOCTLS: u32;
    FIOSETOWN = 0x8901,
    SIOCSPGRP = 0x8902,
    FIOGETOWN = 0x8903,
    SIOCGPGRP = 0x8904,
    SIOCATMARK = 0x8905,
    SIOCGIFNAME = 0x8910,
    SIOCGIFCONF = 0x8912,
    SIOCGIFFLAGS = 0x8913,
    SIOCGIFADDR = 0x8915,
    SIOCGIFBRDADDR = 0x8919,
    SIOCGIFNETMASK = 0x891b,
    SIOCGIFMTU = 0x8921,
    SIOCGIFHWADDR = 0x8927,
    SIOCGIFINDEX = 0x8933,
    SIOCGIFTXQLEN = 0x8942,
}

constants! {
    /// Flags of interfaces, netdevice(7).
    INTERFACE_FLAGS: u32;
    IFF_UP = 1,
    IFF_LOOPBACK = 8,
    IFF_RUNNING = 0x40,
    IFF_LOWER_UP = 0x1_0000,
}

constants! {
    /// Control messages of unix(7).
    SCM_KINDS: u32;
    SCM_RIGHTS = 1,
    SCM_CREDENTIALS = 2,
}
