//! Terminals: the machine's own and pseudoterminals. What is expected was seen on Linux.

mod support;

use friscy_abi::Errno;
use friscy_abi::fcntl::{O_NOCTTY, O_RDWR};
use friscy_abi::layout::{Pollfd, Termios, Winsize};
use friscy_abi::poll::{POLLIN, POLLOUT};
use friscy_abi::tty::*;
use friscy_kernel::ports::WindowSize;
use friscy_kernel::signal::{SIGHUP, SIGINT, SIGTTOU, SIGWINCH};
use support::{Done, Guest, Host};

const WINDOW: WindowSize = WindowSize { rows: 24, cols: 80, xpixel: 0, ypixel: 0 };

fn guest() -> Guest {
    Guest::with_window(Some(WINDOW))
}

fn type_bytes(guest: &mut Guest, bytes: &[u8]) {
    guest.host.borrow_mut().input.extend(bytes);
    guest.kernel.pump_terminal();
    guest.kernel.settle_effects();
}

fn shown(guest: &mut Guest) -> String {
    String::from_utf8(std::mem::take(&mut guest.host.borrow_mut().output)).unwrap()
}

#[test]
fn a_line_is_read_when_it_is_complete() {
    let mut guest = guest();
    let at = guest.room(16);
    guest.waits("read", &[0, at, 16]);
    type_bytes(&mut guest, b"ab\x7fc");
    assert!(matches!(guest.again("read", &[0, at, 16]), Done::Waits(_)));
    type_bytes(&mut guest, b"\r");
    assert!(matches!(guest.again("read", &[0, at, 16]), Done::Value(3)));
    assert_eq!(guest.get(at, 3), b"ac\n");
    assert_eq!(shown(&mut guest), "ab\x08 \x08c\r\n");
    assert_eq!(guest.write(1, b"x\ny"), 3);
    assert_eq!(shown(&mut guest), "x\r\ny");
}

#[test]
fn keys_signal_the_foreground() {
    let mut guest = guest();
    guest.add_process(2, 1, 2, 1);
    let group = guest.put_struct(&2u32);
    guest.ok("ioctl", &[0, u64::from(TIOCSPGRP), group]);
    type_bytes(&mut guest, b"\x03");
    assert!(guest.kernel.pending_set(2).has(SIGINT));
    assert!(!guest.kernel.pending_set(1).has(SIGINT));
    assert_eq!(shown(&mut guest), "^C");
    let at = guest.room(4);
    guest.ok("ioctl", &[0, u64::from(TIOCGPGRP), at]);
    assert_eq!(guest.get_struct::<u32>(at), 2);
    guest.ok("ioctl", &[0, u64::from(TIOCGSID), at]);
    assert_eq!(guest.get_struct::<u32>(at), 1);
    let nobody = guest.put_struct(&77u32);
    guest.kernel.task_mut(1).mask.add(SIGTTOU);
    guest.fails("ioctl", &[0, u64::from(TIOCSPGRP), nobody], Errno::ESRCH);
}

#[test]
fn the_window_changes() {
    let mut guest = guest();
    let at = guest.room(8);
    guest.ok("ioctl", &[1, u64::from(TIOCGWINSZ), at]);
    assert_eq!(guest.get_struct::<Winsize>(at), Winsize { ws_row: 24, ws_col: 80, ..Winsize::default() });
    // A signal that is ignored by default is not kept without a handler.
    let action = guest.put_struct(&[0x1000u64, 0, 0]);
    guest.ok("rt_sigaction", &[u64::from(SIGWINCH), action, 0, 8]);
    guest.host.borrow_mut().window = Some(WindowSize { rows: 30, cols: 100, xpixel: 0, ypixel: 0 });
    type_bytes(&mut guest, b"");
    assert!(guest.kernel.pending_set(1).has(SIGWINCH));
    guest.ok("ioctl", &[1, u64::from(TIOCGWINSZ), at]);
    assert_eq!(guest.get_struct::<Winsize>(at), Winsize { ws_row: 30, ws_col: 100, ..Winsize::default() });
}

/// A page makes its terminal while the first program runs already.
#[test]
fn who_asks_for_a_window_that_is_to_come_waits() {
    let mut guest = Guest::on(Host { window: Some(WINDOW), window_pending: true, ..Host::default() });
    let action = guest.put_struct(&[0x1000u64, 0, 0]);
    guest.ok("rt_sigaction", &[u64::from(SIGWINCH), action, 0, 8]);
    let at = guest.room(8);
    guest.waits("ioctl", &[1, u64::from(TIOCGWINSZ), at]);
    guest.host.borrow_mut().window = Some(WindowSize { rows: 30, cols: 100, xpixel: 0, ypixel: 0 });
    guest.host.borrow_mut().window_pending = false;
    type_bytes(&mut guest, b"");
    guest.ok("ioctl", &[1, u64::from(TIOCGWINSZ), at]);
    assert_eq!(guest.get_struct::<Winsize>(at), Winsize { ws_row: 30, ws_col: 100, ..Winsize::default() });
    assert!(!guest.kernel.pending_set(1).has(SIGWINCH), "nobody knew another size");
}

fn set(guest: &mut Guest, change: impl FnOnce(&mut Termios)) {
    let at = guest.room(36);
    guest.ok("ioctl", &[0, u64::from(TCGETS), at]);
    let mut termios: Termios = guest.get_struct(at);
    change(&mut termios);
    let at = guest.put_struct(&termios);
    guest.ok("ioctl", &[0, u64::from(TCSETS), at]);
}

#[test]
fn raw_reads_count_and_time() {
    let mut guest = guest();
    set(&mut guest, |termios| {
        termios.c_lflag &= !(ICANON | ECHO);
        termios.c_cc[VMIN] = 3;
    });
    let at = guest.room(16);
    type_bytes(&mut guest, b"ab");
    guest.waits("read", &[0, at, 16]);
    type_bytes(&mut guest, b"c");
    assert_eq!(guest.read(0, 16), b"abc");
    set(&mut guest, |termios| {
        termios.c_cc[VMIN] = 0;
        termios.c_cc[VTIME] = 5;
    });
    let now = guest.kernel.now();
    assert_eq!(guest.waits("read", &[0, at, 16]).deadline, Some(now + 500_000_000));
    guest.kernel.advance(500_000_000);
    assert!(matches!(guest.again("read", &[0, at, 16]), Done::Value(0)));
    set(&mut guest, |termios| termios.c_cc[VTIME] = 0);
    assert_eq!(guest.read(0, 16), b"");
    let fds = guest.put_struct(&Pollfd { fd: 0, events: (POLLIN | POLLOUT) as u16, revents: 0 });
    guest.ok("ppoll", &[fds, 1, 0, 0, 0]);
    assert_eq!(u32::from(guest.get_struct::<Pollfd>(fds).revents), POLLOUT);
}

#[test]
fn a_pseudoterminal() {
    let mut guest = guest();
    let master = guest.open("/dev/ptmx", O_RDWR);
    let at = guest.room(8);
    guest.ok("ioctl", &[master, u64::from(TIOCGPTN), at]);
    assert_eq!(guest.get_struct::<u32>(at), 1);
    let name = guest.str("/dev/pts/1");
    guest.fails("openat", &[support::AT_FDCWD, name, u64::from(O_RDWR), 0], Errno::EIO);
    let unlocked = guest.put_struct(&0u32);
    guest.ok("ioctl", &[master, u64::from(TIOCSPTLCK), unlocked]);
    let slave = guest.open("/dev/pts/1", O_RDWR | O_NOCTTY);
    guest.write(master, b"hi\r");
    assert_eq!(guest.read(slave, 16), b"hi\n");
    assert_eq!(guest.read(master, 16), b"hi\r\n", "the echo");
    guest.write(slave, b"out\n");
    assert_eq!(guest.read(master, 16), b"out\r\n");
    guest.fails("ioctl", &[slave, u64::from(TIOCGPGRP), at], Errno::ENOTTY);
    guest.ok("close", &[slave]);
    let buf = guest.room(4);
    guest.fails("read", &[master, buf, 4], Errno::EIO);
    guest.ok("close", &[master]);
    guest.fails("openat", &[support::AT_FDCWD, name, u64::from(O_RDWR), 0], Errno::ENOENT);
}

#[test]
fn the_end_of_a_master_hangs_up() {
    let mut guest = Guest::new();
    guest.add_process(5, 1, 5, 5);
    let master = guest.open("/dev/ptmx", O_RDWR);
    let unlocked = guest.put_struct(&0u32);
    guest.ok("ioctl", &[master, u64::from(TIOCSPTLCK), unlocked]);
    let slave = guest.as_task(5, |guest| guest.open("/dev/pts/0", O_RDWR));
    assert_eq!(guest.kernel.process(5).tty, Some(0), "a session leader without terminal gets it");
    guest.ok("close", &[master]);
    assert!(guest.kernel.pending_set(5).has(SIGHUP));
    assert_eq!(guest.kernel.process(5).tty, None);
    guest.as_task(5, |guest| {
        assert_eq!(guest.read(slave, 4), b"");
        let at = guest.room(4);
        guest.fails("write", &[slave, at, 1], Errno::EIO);
    });
}

#[test]
fn streams_that_are_no_terminal() {
    let mut guest = Guest::new();
    let at = guest.room(36);
    guest.fails("ioctl", &[0, u64::from(TCGETS), at], Errno::ENOTTY);
    guest.waits("read", &[0, at, 4]);
    guest.host.borrow_mut().input.extend(b"data");
    assert_eq!(guest.read(0, 3), b"dat");
    guest.write(2, b"err");
    assert_eq!(shown(&mut guest), "err");
    let path = guest.str("/dev/tty");
    guest.fails("openat", &[support::AT_FDCWD, path, u64::from(O_RDWR), 0], Errno::ENXIO);
    let again = guest.open("/dev/stdout", friscy_abi::fcntl::O_WRONLY);
    guest.write(again, b"more");
    assert_eq!(shown(&mut guest), "more");
}

/// A terminal takes whatever is typed, and drops what its line has no room for: in between others have their turns.
#[test]
fn a_long_write_does_not_keep_others_waiting() {
    let mut guest = guest();
    let master = guest.open("/dev/ptmx", O_RDWR);
    let len = 300 << 10;
    let at = guest.room(len);
    let args = [master, at, len as u64];
    let wait = guest.waits("write", &args);
    assert_eq!((wait.deadline, wait.keys.len()), (Some(guest.kernel.now()), 0));
    assert!(matches!(guest.again("write", &args), Done::Waits(_)));
    assert!(matches!(guest.again("write", &args), Done::Value(done) if done == len as u64));
}
