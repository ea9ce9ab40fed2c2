//! Terminals: termios(3), ioctl_tty(2), and the other ioctl(2) requests that programs make.

use crate::table::constants;

constants! {
    /// Requests of ioctl(2).
    IOCTLS: u32;
    TCGETS = 0x5401,
    TCSETS = 0x5402,
    TCSETSW = 0x5403,
    TCSETSF = 0x5404,
    TCGETS2 = 0x802c_542a,
    TCSETS2 = 0x402c_542b,
    TCSETSW2 = 0x402c_542c,
    TCSETSF2 = 0x402c_542d,
    TCSBRK = 0x5409,
    TCXONC = 0x540a,
    TCFLSH = 0x540b,
    TIOCEXCL = 0x540c,
    TIOCNXCL = 0x540d,
    TIOCSCTTY = 0x540e,
    TIOCGPGRP = 0x540f,
    TIOCSPGRP = 0x5410,
    TIOCOUTQ = 0x5411,
    TIOCSTI = 0x5412,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ = 0x5414,
    TIOCMGET = 0x5415,
    FIONREAD = 0x541b,
    TIOCCONS = 0x541d,
    TIOCPKT = 0x5420,
    FIONBIO = 0x5421,
    TIOCNOTTY = 0x5422,
    TIOCSETD = 0x5423,
    TIOCGETD = 0x5424,
    TCSBRKP = 0x5425,
    TIOCGSID = 0x5429,
    TIOCGPTN = 0x8004_5430,
    TIOCSPTLCK = 0x4004_5431,
    TIOCGPTLCK = 0x8004_5439,
    TIOCGPTPEER = 0x5441,
    FIONCLEX = 0x5450,
    FIOCLEX = 0x5451,
    FIOASYNC = 0x5452,
    FIOQSIZE = 0x5460,
    TIOCVHANGUP = 0x5437,
    TIOCGEXCL = 0x8004_5440,
    FICLONE = 0x4004_9409,
    FICLONERANGE = 0x4020_940d,
    FS_IOC_GETFLAGS = 0x8008_6601,
    FS_IOC_SETFLAGS = 0x4008_6602,
    BLKGETSIZE64 = 0x8008_1272,
}

constants! {
    /// `c_iflag`.
    INPUT_MODES: u32;
    IGNBRK = 1,
    BRKINT = 2,
    IGNPAR = 4,
    PARMRK = 8,
    INPCK = 0x10,
    ISTRIP = 0x20,
    INLCR = 0x40,
    IGNCR = 0x80,
    ICRNL = 0x100,
    IUCLC = 0x200,
    IXON = 0x400,
    IXANY = 0x800,
    IXOFF = 0x1000,
    IMAXBEL = 0x2000,
    IUTF8 = 0x4000,
}

constants! {
    /// `c_oflag`.
    OUTPUT_MODES: u32;
    OPOST = 1,
    OLCUC = 2,
    ONLCR = 4,
    OCRNL = 8,
    ONOCR = 0x10,
    ONLRET = 0x20,
    OFILL = 0x40,
    OFDEL = 0x80,
    XTABS = 0x1800,
}

constants! {
    /// `c_cflag`.
    CONTROL_MODES: u32;
    CSIZE = 0x30,
    CS5 = 0,
    CS6 = 0x10,
    CS7 = 0x20,
    CS8 = 0x30,
    CSTOPB = 0x40,
    CREAD = 0x80,
    PARENB = 0x100,
    PARODD = 0x200,
    HUPCL = 0x400,
    CLOCAL = 0x800,
    B0 = 0,
    B9600 = 0xd,
    B38400 = 0xf,
    B115200 = 0x1002,
    CBAUD = 0x100f,
}

constants! {
    /// `c_lflag`.
    LOCAL_MODES: u32;
    ISIG = 1,
    ICANON = 2,
    XCASE = 4,
    ECHO = 8,
    ECHOE = 0x10,
    ECHOK = 0x20,
    ECHONL = 0x40,
    NOFLSH = 0x80,
    TOSTOP = 0x100,
    ECHOCTL = 0x200,
    ECHOPRT = 0x400,
    ECHOKE = 0x800,
    FLUSHO = 0x1000,
    PENDIN = 0x4000,
    IEXTEN = 0x8000,
    EXTPROC = 0x1_0000,
}

constants! {
    /// Indices into `c_cc`.
    CONTROL_CHARACTERS: usize;
    VINTR = 0,
    VQUIT = 1,
    VERASE = 2,
    VKILL = 3,
    VEOF = 4,
    VTIME = 5,
    VMIN = 6,
    VSWTC = 7,
    VSTART = 8,
    VSTOP = 9,
    VSUSP = 10,
    VEOL = 11,
    VREPRINT = 12,
    VDISCARD = 13,
    VWERASE = 14,
    VLNEXT = 15,
    VEOL2 = 16,
}

constants! {
    /// Which queue TCFLSH drops.
    FLUSH_QUEUES: u32;
    TCIFLUSH = 0,
    TCOFLUSH = 1,
    TCIOFLUSH = 2,
}

constants! {
    /// What TCXONC does.
    FLOW_ACTIONS: u32;
    TCOOFF = 0,
    TCOON = 1,
    TCIOFF = 2,
    TCION = 3,
}
