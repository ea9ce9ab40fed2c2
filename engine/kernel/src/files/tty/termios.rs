//! Terminal settings, termios(3).

use friscy_abi::layout::{Termios, Termios2};
use friscy_abi::tty::{
    B38400, CREAD, CS8, ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, HUPCL, ICANON, ICRNL, IEXTEN, ISIG, IUTF8, IXON, ONLCR,
    OPOST, VDISCARD, VEOF, VERASE, VINTR, VKILL, VLNEXT, VMIN, VQUIT, VREPRINT, VSTART, VSTOP, VSUSP, VWERASE,
};

/// A control character that no input matches (`_POSIX_VDISABLE`).
pub const DISABLED: u8 = 0;

/// The settings of a new terminal: those of Linux (`tty_std_termios`), with `IUTF8` as terminal emulators set it.
#[must_use]
pub fn initial() -> Termios2 {
    let mut c_cc = [DISABLED; 19];
    let ctrl = |letter: u8| letter & 0x1f;
    for (index, value) in [
        (VINTR, ctrl(b'C')),
        (VQUIT, ctrl(b'\\')),
        (VERASE, 0x7f),
        (VKILL, ctrl(b'U')),
        (VEOF, ctrl(b'D')),
        (VMIN, 1),
        (VSTART, ctrl(b'Q')),
        (VSTOP, ctrl(b'S')),
        (VSUSP, ctrl(b'Z')),
        (VREPRINT, ctrl(b'R')),
        (VDISCARD, ctrl(b'O')),
        (VWERASE, ctrl(b'W')),
        (VLNEXT, ctrl(b'V')),
    ] {
        if let Some(slot) = c_cc.get_mut(index) {
            *slot = value;
        }
    }
    Termios2 {
        c_iflag: ICRNL | IXON | IUTF8,
        c_oflag: OPOST | ONLCR,
        c_cflag: B38400 | CS8 | CREAD | HUPCL,
        c_lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        c_line: 0,
        c_cc,
        c_ispeed: 38_400,
        c_ospeed: 38_400,
    }
}

/// What TCGETS shows of the settings.
#[must_use]
pub fn to_short(full: &Termios2) -> Termios {
    Termios {
        c_iflag: full.c_iflag,
        c_oflag: full.c_oflag,
        c_cflag: full.c_cflag,
        c_lflag: full.c_lflag,
        c_line: full.c_line,
        c_cc: full.c_cc,
    }
}

/// The settings after TCSETS: speeds stay.
#[must_use]
pub fn from_short(short: &Termios, old: &Termios2) -> Termios2 {
    Termios2 {
        c_iflag: short.c_iflag,
        c_oflag: short.c_oflag,
        c_cflag: short.c_cflag,
        c_lflag: short.c_lflag,
        c_line: short.c_line,
        c_cc: short.c_cc,
        ..*old
    }
}
