//! Pipes, named pipes, counters, timers, sockets, and waiting for them. What is expected was seen on Linux or under
//! qemu-user.

mod support;

use friscy_abi::Errno;
use friscy_abi::fcntl::*;
use friscy_abi::layout::{EpollEvent, Iovec, Itimerspec, Msghdr, Pollfd, Timespec};
use friscy_abi::poll::*;
use friscy_abi::socket::*;
use friscy_abi::tty::FIONREAD;
use friscy_kernel::signal::SIGPIPE;
use support::{AT_FDCWD, Done, Guest};

#[test]
fn an_empty_pipe_waits_and_a_closed_one_ends() {
    let mut guest = Guest::new();
    let (reader, writer) = guest.pipe(0);
    let at = guest.room(16);
    let wait = guest.waits("read", &[reader, at, 16]);
    assert_eq!(wait.keys.len(), 1);
    guest.write(writer, b"abc");
    assert!(matches!(guest.again("read", &[reader, at, 16]), Done::Value(3)));
    assert_eq!(guest.get(at, 3), b"abc");
    guest.ok("close", &[writer]);
    assert_eq!(guest.read(reader, 4), b"");
}

#[test]
fn a_pipe_without_readers_breaks() {
    let mut guest = Guest::new();
    let (reader, writer) = guest.pipe(0);
    guest.ok("close", &[reader]);
    let at = guest.put(b"x");
    guest.fails("write", &[writer, at, 1], Errno::EPIPE);
    assert!(guest.kernel.pending_set(1).has(SIGPIPE));
}

#[test]
fn a_full_pipe_takes_the_rest_later() {
    let mut guest = Guest::new();
    let (reader, writer) = guest.pipe(0);
    let big = guest.room(100_000);
    guest.waits("write", &[writer, big, 100_000]);
    let into = guest.room(65_536);
    assert_eq!(guest.ok("read", &[reader, into, 65_536]), 65_536);
    // The first execution moved 65,536 bytes; the call goes on after them.
    guest.kernel.task_mut(1).scratch.done = 65_536;
    assert!(matches!(guest.again("write", &[writer, big, 100_000]), Done::Value(100_000)));
    let waiting = guest.room(4);
    guest.ok("ioctl", &[reader, u64::from(FIONREAD), waiting]);
    assert_eq!(guest.get_struct::<u32>(waiting), 100_000 - 65_536);
    let (_, nonblocking) = guest.pipe(O_NONBLOCK);
    assert_eq!(guest.ok("write", &[nonblocking, big, 100_000]), 65_536);
    guest.fails("write", &[nonblocking, big, 1], Errno::EAGAIN);
    assert_eq!(guest.ok("fcntl", &[writer, u64::from(F_GETPIPE_SZ), 0]), 65_536);
    assert_eq!(guest.ok("fcntl", &[writer, u64::from(F_SETPIPE_SZ), 50_000]), 65_536);
}

#[test]
fn a_named_pipe_waits_for_the_other_end() {
    let mut guest = Guest::new();
    guest.add_process(2, 1, 2, 1);
    let path = guest.str("/fifo");
    guest.ok("mknodat", &[AT_FDCWD, path, 0o010644, 0]);
    guest.fails("openat", &[AT_FDCWD, path, u64::from(O_WRONLY | O_NONBLOCK), 0], Errno::ENXIO);
    guest.waits("openat", &[AT_FDCWD, path, u64::from(O_RDONLY), 0]);
    let writer = guest.as_task(2, |guest| guest.ok("openat", &[AT_FDCWD, path, u64::from(O_WRONLY), 0]));
    // The writer may come and go before the reader looks again.
    guest.as_task(2, |guest| {
        guest.write(writer, b"hi");
        guest.ok("close", &[writer]);
    });
    let Done::Value(reader) = guest.again("openat", &[AT_FDCWD, path, u64::from(O_RDONLY), 0]) else { panic!() };
    assert_eq!(guest.read(reader, 4), b"hi");
    assert_eq!(guest.read(reader, 4), b"");
}

#[test]
fn a_pipe_is_opened_again_by_its_descriptor() {
    let mut guest = Guest::new();
    let (reader, writer) = guest.pipe(0);
    guest.write(writer, b"again");
    guest.ok("close", &[writer]);
    let second = guest.open(&format!("/proc/self/fd/{reader}"), O_RDONLY);
    assert_eq!(guest.read(second, 8), b"again");
}

#[test]
fn counters() {
    let mut guest = Guest::new();
    let fd = guest.ok("eventfd2", &[3, 0]);
    assert_eq!(guest.read(fd, 8), 3u64.to_le_bytes());
    let at = guest.room(8);
    guest.waits("read", &[fd, at, 8]);
    guest.write(fd, &5u64.to_le_bytes());
    guest.write(fd, &6u64.to_le_bytes());
    assert_eq!(guest.read(fd, 8), 11u64.to_le_bytes());
    guest.fails("read", &[fd, at, 7], Errno::EINVAL);
    let semaphore = guest.ok("eventfd2", &[2, u64::from(EFD_SEMAPHORE | EFD_NONBLOCK)]);
    assert_eq!(guest.read(semaphore, 8), 1u64.to_le_bytes());
    assert_eq!(guest.read(semaphore, 8), 1u64.to_le_bytes());
    guest.fails("read", &[semaphore, at, 8], Errno::EAGAIN);
    guest.fails("lseek", &[fd, 0, 0], Errno::ESPIPE);
}

#[test]
fn timers_as_files() {
    let mut guest = Guest::new();
    let fd = guest.ok("timerfd_create", &[1, u64::from(TFD_NONBLOCK)]);
    let spec = |value: i64, interval: i64| Itimerspec {
        it_value: Timespec { tv_sec: value, tv_nsec: 0 },
        it_interval: Timespec { tv_sec: interval, tv_nsec: 0 },
    };
    let new = guest.put_struct(&spec(2, 3));
    guest.ok("timerfd_settime", &[fd, 0, new, 0]);
    let at = guest.room(8);
    guest.fails("read", &[fd, at, 8], Errno::EAGAIN);
    guest.kernel.advance(9_000_000_000);
    assert_eq!(guest.read(fd, 8), 3u64.to_le_bytes());
    let left = guest.room(32);
    guest.ok("timerfd_gettime", &[fd, left]);
    assert_eq!(guest.get_struct::<Itimerspec>(left), spec(2, 3));
}

#[test]
fn poll_reports_what_is_ready() {
    let mut guest = Guest::new();
    let (reader, writer) = guest.pipe(0);
    let poll = |fd: u64, events: u32| Pollfd { fd: fd as i32, events: events as u16, revents: 0 };
    let fds = guest.put_struct(&[poll(reader, POLLIN), poll(99, POLLIN), poll(u64::MAX, POLLIN)]);
    assert_eq!(guest.ok("ppoll", &[fds, 3, 0, 0, 0]), 1);
    assert_eq!(guest.get_struct::<[Pollfd; 3]>(fds).map(|poll| u32::from(poll.revents)), [0, POLLNVAL, 0]);
    let wait = guest.waits("ppoll", &[fds, 1, 0, 0, 0]);
    assert_eq!((wait.keys.len(), wait.deadline), (1, None));
    let timeout = guest.put_struct(&Timespec { tv_sec: 1, tv_nsec: 0 });
    let now = guest.kernel.now();
    assert_eq!(guest.waits("ppoll", &[fds, 1, timeout, 0, 0]).deadline, Some(now + 1_000_000_000));
    guest.kernel.advance(1_000_000_000);
    assert!(matches!(guest.again("ppoll", &[fds, 1, timeout, 0, 0]), Done::Value(0)));
    guest.write(writer, b"x");
    assert_eq!(guest.ok("ppoll", &[fds, 1, timeout, 0, 0]), 1);
    guest.ok("close", &[writer]);
    guest.ok("ppoll", &[fds, 1, 0, 0, 0]);
    assert_eq!(u32::from(guest.get_struct::<Pollfd>(fds).revents), POLLIN | POLLHUP);
}

#[test]
fn select_has_bits() {
    let mut guest = Guest::new();
    let (reader, writer) = guest.pipe(0);
    let sets = guest.put_struct(&[1u64 << reader, 1 << writer]);
    assert_eq!(guest.ok("pselect6", &[writer + 1, sets, sets + 8, 0, 0, 0]), 1);
    assert_eq!(guest.get_struct::<[u64; 2]>(sets), [0, 1 << writer]);
    let bad = guest.put_struct(&(1u64 << 60));
    guest.fails("pselect6", &[61, bad, 0, 0, 0, 0], Errno::EBADF);
}

#[test]
fn interest_lists() {
    let mut guest = Guest::new();
    let (reader, writer) = guest.pipe(0);
    let list = guest.ok("epoll_create1", &[u64::from(EPOLL_CLOEXEC)]);
    let event = |events: u32, data: u64| EpollEvent { events, pad: 0, data };
    let one = guest.put_struct(&event(EPOLLIN, 7));
    guest.ok("epoll_ctl", &[list, u64::from(EPOLL_CTL_ADD), reader, one]);
    guest.fails("epoll_ctl", &[list, u64::from(EPOLL_CTL_ADD), reader, one], Errno::EEXIST);
    guest.fails("epoll_ctl", &[list, u64::from(EPOLL_CTL_ADD), list, one], Errno::EINVAL);
    let file = guest.open("/f", O_CREAT | O_RDWR);
    guest.fails("epoll_ctl", &[list, u64::from(EPOLL_CTL_ADD), file, one], Errno::EPERM);
    guest.fails("epoll_ctl", &[list, u64::from(EPOLL_CTL_MOD), writer, one], Errno::ENOENT);
    let out = guest.room(64);
    assert_eq!(guest.ok("epoll_pwait", &[list, out, 4, 0, 0, 8]), 0);
    guest.waits("epoll_pwait", &[list, out, 4, u64::MAX, 0, 8]);
    guest.write(writer, b"ab");
    for _ in 0..2 {
        assert_eq!(guest.ok("epoll_pwait", &[list, out, 4, 0, 0, 8]), 1, "level-triggered");
        assert_eq!(guest.get_struct::<EpollEvent>(out), event(EPOLLIN, 7));
    }
    let edge = guest.put_struct(&event(EPOLLIN | EPOLLET, 8));
    guest.ok("epoll_ctl", &[list, u64::from(EPOLL_CTL_MOD), reader, edge]);
    assert_eq!(guest.ok("epoll_pwait", &[list, out, 4, 0, 0, 8]), 1);
    assert_eq!(guest.ok("epoll_pwait", &[list, out, 4, 0, 0, 8]), 0, "edge-triggered");
    guest.write(writer, b"c");
    assert_eq!(guest.ok("epoll_pwait", &[list, out, 4, 0, 0, 8]), 1);
    let once = guest.put_struct(&event(EPOLLIN | EPOLLONESHOT, 9));
    guest.ok("epoll_ctl", &[list, u64::from(EPOLL_CTL_MOD), reader, once]);
    assert_eq!(guest.ok("epoll_pwait", &[list, out, 4, 0, 0, 8]), 1);
    assert_eq!(guest.ok("epoll_pwait", &[list, out, 4, 0, 0, 8]), 0);
    guest.ok("close", &[reader]);
    guest.fails("epoll_ctl", &[list, u64::from(EPOLL_CTL_DEL), reader, 0], Errno::EBADF);
}

/// A `struct sockaddr_un`.
fn address(guest: &mut Guest, path: &[u8]) -> (u64, u64) {
    let mut bytes = 1u16.to_le_bytes().to_vec();
    bytes.extend_from_slice(path);
    (guest.put(&bytes), bytes.len() as u64)
}

#[test]
fn a_pair_of_sockets() {
    let mut guest = Guest::new();
    let at = guest.room(8);
    guest.ok("socketpair", &[1, u64::from(SOCK_STREAM), 0, at]);
    let [one, two]: [i32; 2] = guest.get_struct(at);
    let (one, two) = (one as u64, two as u64);
    guest.write(one, b"abc");
    guest.write(one, b"def");
    assert_eq!(guest.read(two, 4), b"abcd", "a stream has no borders");
    assert_eq!(guest.read(two, 4), b"ef");
    let buf = guest.room(8);
    guest.waits("read", &[two, buf, 4]);
    guest.ok("shutdown", &[one, u64::from(SHUT_WR)]);
    assert_eq!(guest.read(two, 4), b"");
    guest.fails("sendto", &[one, buf, 1, u64::from(MSG_NOSIGNAL), 0, 0], Errno::EPIPE);
    assert!(!guest.kernel.pending_set(1).has(SIGPIPE));
    guest.fails("socket", &[4, 1, 0], Errno::EAFNOSUPPORT);
    guest.fails("socket", &[1, 99, 0], Errno::EINVAL);
    guest.fails("listen", &[0, 1], Errno::ENOTSOCK);
}

#[test]
fn a_server_by_name() {
    let mut guest = Guest::new();
    let server = guest.ok("socket", &[1, u64::from(SOCK_STREAM), 0]);
    let (name, length) = address(&mut guest, b"/sock\0");
    let client = guest.ok("socket", &[1, u64::from(SOCK_STREAM), 0]);
    guest.fails("connect", &[client, name, length], Errno::ENOENT);
    guest.ok("bind", &[server, name, length]);
    guest.fails("connect", &[client, name, length], Errno::ECONNREFUSED);
    guest.ok("listen", &[server, 1]);
    guest.waits("accept4", &[server, 0, 0, 0]);
    guest.ok("connect", &[client, name, length]);
    let accepted = guest.ok("accept4", &[server, 0, 0, u64::from(SOCK_CLOEXEC)]);
    guest.write(client, b"ping");
    assert_eq!(guest.read(accepted, 9), b"ping");
    let (out, size) = (guest.room(110), guest.put_struct(&110u32));
    guest.ok("getpeername", &[client, out, size]);
    assert_eq!(guest.get_struct::<u32>(size), 8);
    assert_eq!(guest.get(out, 8), b"\x01\0/sock\0");
    let other = guest.ok("socket", &[1, u64::from(SOCK_STREAM), 0]);
    guest.fails("bind", &[other, name, length], Errno::EADDRINUSE);
    guest.ok("close", &[client]);
    assert_eq!(guest.read(accepted, 9), b"");
}

#[test]
fn datagrams_have_borders_and_senders() {
    let mut guest = Guest::new();
    let one = guest.ok("socket", &[1, u64::from(SOCK_DGRAM), 0]);
    let two = guest.ok("socket", &[1, u64::from(SOCK_DGRAM), 0]);
    let (here, here_len) = address(&mut guest, b"\0here");
    let (there, there_len) = address(&mut guest, b"\0there");
    guest.ok("bind", &[one, here, here_len]);
    guest.ok("bind", &[two, there, there_len]);
    let text = guest.put(b"abcdef");
    guest.ok("sendto", &[one, text, 6, 0, there, there_len]);
    guest.ok("sendto", &[one, text, 2, 0, there, there_len]);
    let (buf, from, size) = (guest.room(16), guest.room(110), guest.put_struct(&110u32));
    assert_eq!(guest.ok("recvfrom", &[two, buf, 3, u64::from(MSG_TRUNC), from, size]), 6);
    assert_eq!(guest.get_struct::<u32>(size), 7);
    assert_eq!(guest.get(from, 7), b"\x01\0\0here");
    assert_eq!(guest.ok("recvfrom", &[two, buf, 16, 0, 0, 0]), 2);
    guest.fails("recvfrom", &[two, buf, 16, u64::from(MSG_DONTWAIT), 0, 0], Errno::EAGAIN);
    guest.ok("close", &[two]);
    guest.fails("sendto", &[one, text, 6, 0, there, there_len], Errno::ECONNREFUSED);
}

#[test]
fn descriptors_travel() {
    let mut guest = Guest::new();
    let at = guest.room(8);
    guest.ok("socketpair", &[1, u64::from(SOCK_STREAM), 0, at]);
    let [one, two]: [i32; 2] = guest.get_struct(at);
    let (reader, writer) = guest.pipe(0);
    let data = guest.put(b"!");
    let iov = guest.put_struct(&Iovec { iov_base: data, iov_len: 1 });
    let mut control = 20u64.to_le_bytes().to_vec();
    control.extend(1u32.to_le_bytes());
    control.extend(1u32.to_le_bytes());
    control.extend((reader as u32).to_le_bytes());
    let control = guest.put(&control);
    let header = Msghdr { msg_iov: iov, msg_iovlen: 1, msg_control: control, msg_controllen: 20, ..Msghdr::default() };
    let header_at = guest.put_struct(&header);
    assert_eq!(guest.ok("sendmsg", &[one as u64, header_at, 0]), 1);
    guest.ok("close", &[reader]);
    let room = guest.room(64);
    let into = guest.put_struct(&Msghdr { msg_control: room, msg_controllen: 64, ..header });
    assert_eq!(guest.ok("recvmsg", &[two as u64, into, u64::from(MSG_CMSG_CLOEXEC)]), 1);
    let fd = u64::from(guest.get_struct::<u32>(room + 16));
    guest.write(writer, b"via");
    assert_eq!(guest.read(fd, 9), b"via");
    assert_eq!(guest.ok("fcntl", &[fd, u64::from(F_GETFD), 0]), 1);
    assert_eq!(guest.get_struct::<Msghdr>(into).msg_controllen, 24);
}
