//! Descriptors, transfers and the file tree, call by call. What is expected was seen on Linux or under qemu-user.

mod support;

use friscy_abi::Errno;
use friscy_abi::fcntl::*;
use friscy_abi::layout::{Flock, Iovec, Stat, Statx};
use friscy_abi::stat::{S_IFMT, S_IFREG};
use support::{AT_FDCWD, BASE, Guest};

#[test]
fn a_file_is_written_and_read_back() {
    let mut guest = Guest::new();
    let fd = guest.open("/f", O_RDWR | O_CREAT | O_EXCL);
    assert_eq!(fd, 3);
    assert_eq!(guest.write(fd, b"hello world"), 11);
    assert_eq!(guest.ok("lseek", &[fd, 0, 0]), 0);
    assert_eq!(guest.read(fd, 5), b"hello");
    assert_eq!(guest.read(fd, 100), b" world");
    assert_eq!(guest.read(fd, 100), b"");
    let at = guest.room(8);
    assert_eq!(guest.ok("pread64", &[fd, at, 5, 6]), 5);
    assert_eq!(guest.get(at, 5), b"world");
    let text = guest.put(b"W");
    assert_eq!(guest.ok("pwrite64", &[fd, text, 1, 6]), 1);
    assert_eq!(guest.ok("lseek", &[fd, -5i64 as u64, 2]), 6);
    assert_eq!(guest.read(fd, 100), b"World");
    guest.fails("lseek", &[fd, -1i64 as u64, 0], Errno::EINVAL);
    guest.fails("lseek", &[fd, 0, 9], Errno::EINVAL);
    let path = guest.str("/f");
    guest.fails("openat", &[AT_FDCWD, path, u64::from(O_CREAT | O_EXCL), 0o644], Errno::EEXIST);
    assert_eq!(guest.ok("close", &[fd]), 0);
    guest.fails("close", &[fd], Errno::EBADF);
    guest.fails("read", &[fd, at, 1], Errno::EBADF);
}

#[test]
fn access_modes_and_append() {
    let mut guest = Guest::new();
    let fd = guest.open("/f", O_WRONLY | O_CREAT);
    let at = guest.room(8);
    guest.fails("read", &[fd, at, 1], Errno::EBADF);
    guest.write(fd, b"abc");
    let append = guest.open("f", O_WRONLY | O_APPEND);
    guest.write(append, b"def");
    let reader = guest.open("./f", O_RDONLY);
    guest.fails("write", &[reader, at, 1], Errno::EBADF);
    assert_eq!(guest.read(reader, 10), b"abcdef");
    let path = guest.open("/f", O_PATH);
    guest.fails("read", &[path, at, 1], Errno::EBADF);
    guest.fails("fchmod", &[path, 0o600], Errno::EBADF);
}

#[test]
fn bad_pointers() {
    let mut guest = Guest::new();
    let fd = guest.open("/f", O_RDWR | O_CREAT);
    guest.write(fd, b"abcdef");
    guest.ok("lseek", &[fd, 0, 0]);
    guest.fails("read", &[fd, 0, 4], Errno::EFAULT);
    assert_eq!(guest.read(fd, 6), b"abcdef", "what could not be stored was not read");
    guest.fails("write", &[fd, 0, 4], Errno::EFAULT);
    guest.fails("write", &[fd, 1 << 40, 4], Errno::EFAULT);
    guest.fails("openat", &[AT_FDCWD, 8, 0, 0], Errno::EFAULT);
    guest.fails("fstat", &[fd, 8], Errno::EFAULT);
    // The last bytes of memory: what can be read is written.
    let end = BASE + (4 << 20);
    assert_eq!(guest.ok("write", &[fd, end - 3, 10]), 3);
}

#[test]
fn descriptors_are_duplicated() {
    let mut guest = Guest::new();
    let fd = guest.open("/f", O_RDWR | O_CREAT);
    assert_eq!(guest.ok("dup", &[fd]), 4);
    guest.write(4, b"xy");
    assert_eq!(guest.ok("lseek", &[fd, 0, 1]), 2, "the offset is shared");
    assert_eq!(guest.ok("dup3", &[fd, 9, u64::from(O_CLOEXEC)]), 9);
    assert_eq!(guest.ok("fcntl", &[9, u64::from(F_GETFD), 0]), 1);
    assert_eq!(guest.ok("fcntl", &[fd, u64::from(F_GETFD), 0]), 0);
    guest.fails("dup3", &[fd, fd, 0], Errno::EINVAL);
    guest.fails("dup3", &[77, 5, 0], Errno::EBADF);
    guest.fails("dup3", &[fd, 1 << 21, 0], Errno::EBADF);
    assert_eq!(guest.ok("fcntl", &[fd, u64::from(F_DUPFD), 6]), 6);
    guest.fails("fcntl", &[fd, u64::from(F_DUPFD), 1 << 30], Errno::EINVAL);
    assert_eq!(guest.ok("fcntl", &[fd, u64::from(F_GETFL), 0]), u64::from(O_RDWR | O_LARGEFILE));
    guest.ok("fcntl", &[fd, u64::from(F_SETFL), u64::from(O_NONBLOCK | O_APPEND | O_WRONLY)]);
    assert_eq!(guest.ok("fcntl", &[4, u64::from(F_GETFL), 0]), u64::from(O_RDWR | O_LARGEFILE | O_NONBLOCK | O_APPEND));
    guest.ok("close_range", &[4, u64::from(u32::MAX), 0]);
    guest.fails("fcntl", &[9, u64::from(F_GETFD), 0], Errno::EBADF);
    assert_eq!(guest.ok("dup", &[fd]), 4);
}

#[test]
fn the_limit_of_descriptors() {
    let mut guest = Guest::new();
    let limit = guest.put_struct(&[5u64, 5u64]);
    guest.ok("prlimit64", &[0, 7, limit, 0]);
    guest.ok("dup", &[0]);
    guest.ok("dup", &[0]);
    guest.fails("dup", &[0], Errno::EMFILE);
    let pair = guest.room(8);
    guest.ok("close", &[4]);
    guest.fails("pipe2", &[pair, 0], Errno::EMFILE);
    assert_eq!(guest.ok("dup", &[0]), 4, "the end that was made is gone again");
}

#[test]
fn vectors() {
    let mut guest = Guest::new();
    let fd = guest.open("/f", O_RDWR | O_CREAT);
    let (one, two) = (guest.put(b"ab"), guest.put(b"cde"));
    let iov = guest.put_struct(&[
        Iovec { iov_base: one, iov_len: 2 },
        Iovec { iov_base: 0, iov_len: 0 },
        Iovec { iov_base: two, iov_len: 3 },
    ]);
    assert_eq!(guest.ok("writev", &[fd, iov, 3]), 5);
    assert_eq!(guest.ok("pwritev", &[fd, iov, 1, 5]), 2);
    assert_eq!(guest.ok("preadv", &[fd, iov, 3, 2]), 5);
    assert_eq!(guest.get(one, 2), b"cd");
    assert_eq!(guest.get(two, 3), b"eab");
    guest.fails("writev", &[fd, iov, 1025], Errno::EINVAL);
    let (reader, writer) = guest.pipe(0);
    guest.fails("pwritev", &[writer, iov, 1, 0], Errno::ESPIPE);
    guest.ok("writev", &[writer, iov, 3]);
    assert_eq!(guest.read(reader, 9), b"cdeab");
}

#[test]
fn what_stat_says() {
    let mut guest = Guest::new();
    let fd = guest.open("/f", O_RDWR | O_CREAT);
    guest.write(fd, &[1; 5000]);
    let at = guest.room(256);
    guest.ok("fstat", &[fd, at]);
    let stat: Stat = guest.get_struct(at);
    assert_eq!((stat.st_mode, stat.st_size, stat.st_nlink), (S_IFREG | 0o644, 5000, 1));
    let empty = guest.str("");
    guest.ok("newfstatat", &[fd, empty, at, u64::from(AT_EMPTY_PATH)]);
    assert_eq!(guest.get_struct::<Stat>(at), stat);
    guest.fails("newfstatat", &[fd, empty, at, 0], Errno::ENOENT);
    guest.fails("newfstatat", &[AT_FDCWD, empty, at, 1], Errno::EINVAL);
    let path = guest.str("f");
    guest.ok("statx", &[AT_FDCWD, path, 0, 0x7ff, at]);
    let statx: Statx = guest.get_struct(at);
    assert_eq!((statx.stx_mask, statx.stx_size, statx.stx_ino), (0x17ff, 5000, stat.st_ino));
    let (reader, _) = guest.pipe(0);
    guest.ok("fstat", &[reader, at]);
    assert_eq!(guest.get_struct::<Stat>(at).st_mode & S_IFMT, 0o010000);
}

#[test]
fn names() {
    let mut guest = Guest::new();
    let (d, e, f, link) = (guest.str("d"), guest.str("d/e"), guest.str("d/f"), guest.str("d/l"));
    guest.ok("mkdirat", &[AT_FDCWD, d, 0o777]);
    guest.ok("mkdirat", &[AT_FDCWD, e, 0o777]);
    guest.fails("mkdirat", &[AT_FDCWD, d, 0o777], Errno::EEXIST);
    let fd = guest.open("d/f", O_RDWR | O_CREAT);
    guest.ok("symlinkat", &[f, AT_FDCWD, link]);
    let buf = guest.room(64);
    assert_eq!(guest.ok("readlinkat", &[AT_FDCWD, link, buf, 64]), 3);
    assert_eq!(guest.get(buf, 3), b"d/f");
    assert_eq!(guest.ok("readlinkat", &[AT_FDCWD, link, buf, 2]), 2);
    guest.fails("readlinkat", &[AT_FDCWD, f, buf, 64], Errno::EINVAL);
    guest.fails("unlinkat", &[AT_FDCWD, d, u64::from(AT_REMOVEDIR)], Errno::ENOTEMPTY);
    guest.fails("unlinkat", &[AT_FDCWD, d, 0], Errno::EISDIR);
    let hard = guest.str("d/h");
    guest.ok("linkat", &[AT_FDCWD, f, AT_FDCWD, hard, 0]);
    let moved = guest.str("m");
    guest.ok("renameat2", &[AT_FDCWD, hard, AT_FDCWD, moved, 0]);
    guest.fails("renameat2", &[AT_FDCWD, moved, AT_FDCWD, f, u64::from(RENAME_NOREPLACE)], Errno::EEXIST);
    guest.ok("unlinkat", &[AT_FDCWD, moved, 0]);
    let dir = guest.open("d", O_RDONLY | O_DIRECTORY);
    let inner = guest.str("f");
    guest.ok("faccessat", &[dir, inner, 0]);
    guest.fails("openat", &[fd, inner, 0, 0], Errno::ENOTDIR);
    guest.ok("fchdir", &[dir]);
    assert_eq!(guest.ok("getcwd", &[buf, 64]), 3);
    assert_eq!(guest.get(buf, 3), b"/d\0");
    guest.fails("getcwd", &[buf, 2], Errno::ERANGE);
    guest.fails("fchdir", &[fd], Errno::ENOTDIR);
}

#[test]
fn directories_are_listed_in_pieces() {
    let mut guest = Guest::new();
    for name in ["aa", "bb", "cc"] {
        let path = guest.str(name);
        guest.ok("mkdirat", &[AT_FDCWD, path, 0o755]);
    }
    let dir = guest.open("/", O_RDONLY);
    let buf = guest.room(64);
    guest.fails("getdents64", &[dir, buf, 8], Errno::EINVAL);
    let mut names = Vec::new();
    loop {
        let count = guest.ok("getdents64", &[dir, buf, 64]) as usize;
        if count == 0 {
            break;
        }
        let bytes = guest.get(buf, count);
        let mut at = 0;
        while at < count {
            let length = usize::from(u16::from_le_bytes([bytes[at + 16], bytes[at + 17]]));
            assert_eq!(length % 8, 0);
            assert_eq!(bytes[at + 18], 4);
            let name = bytes[at + 19..at + length].split(|&byte| byte == 0).next().unwrap();
            names.push(String::from_utf8(name.to_vec()).unwrap());
            at += length;
        }
    }
    names.sort();
    assert_eq!(names, [".", "..", "aa", "bb", "cc", "dev", "proc", "sys"]);
    guest.ok("lseek", &[dir, 0, 0]);
    assert!(guest.ok("getdents64", &[dir, buf, 64]) > 0);
    let fd = guest.open("/f", O_CREAT | O_RDWR);
    guest.fails("getdents64", &[fd, buf, 64], Errno::ENOTDIR);
}

#[test]
fn the_mask_of_new_files() {
    let mut guest = Guest::new();
    assert_eq!(guest.ok("umask", &[0o1077]), 0o22);
    assert_eq!(guest.ok("umask", &[0o027]), 0o77);
    let path = guest.str("f");
    guest.ok("openat", &[AT_FDCWD, path, u64::from(O_CREAT), 0o666]);
    let at = guest.room(128);
    guest.ok("newfstatat", &[AT_FDCWD, path, at, 0]);
    assert_eq!(guest.get_struct::<Stat>(at).st_mode & 0o7777, 0o640);
    guest.ok("fchmodat", &[AT_FDCWD, path, 0o4755]);
    guest.ok("fchownat", &[AT_FDCWD, path, 10, 20, 0]);
    guest.ok("newfstatat", &[AT_FDCWD, path, at, 0]);
    let stat: Stat = guest.get_struct(at);
    assert_eq!((stat.st_uid, stat.st_gid), (10, 20));
    let times = guest.put_struct(&[[5i64, 6], [7, 0x3fff_fffe]]);
    guest.ok("utimensat", &[AT_FDCWD, path, times, 0]);
    guest.ok("newfstatat", &[AT_FDCWD, path, at, 0]);
    let changed: Stat = guest.get_struct(at);
    assert_eq!((changed.st_atim.tv_sec, changed.st_atim.tv_nsec), (5, 6));
    assert_eq!(changed.st_mtim, stat.st_mtim);
}

#[test]
fn lengths_change() {
    let mut guest = Guest::new();
    let fd = guest.open("/f", O_RDWR | O_CREAT);
    guest.write(fd, b"abcdef");
    guest.ok("ftruncate", &[fd, 3]);
    guest.ok("ftruncate", &[fd, 6]);
    guest.ok("lseek", &[fd, 0, 0]);
    assert_eq!(guest.read(fd, 10), b"abc\0\0\0");
    guest.fails("ftruncate", &[fd, -1i64 as u64], Errno::EINVAL);
    let reader = guest.open("/f", O_RDONLY);
    guest.fails("ftruncate", &[reader, 0], Errno::EINVAL);
    guest.ok("fallocate", &[fd, 0, 0, 10]);
    assert_eq!(guest.ok("lseek", &[fd, 0, 2]), 10);
    let mode = u64::from(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
    guest.ok("fallocate", &[fd, mode, 0, 2]);
    guest.ok("lseek", &[fd, 0, 0]);
    assert_eq!(guest.read(fd, 4), b"\0\0c\0");
    guest.fails("lseek", &[fd, 100, u64::from(SEEK_DATA)], Errno::ENXIO);
}

#[test]
fn files_are_copied() {
    let mut guest = Guest::new();
    let from = guest.open("/a", O_RDWR | O_CREAT);
    guest.write(from, b"0123456789");
    let to = guest.open("/b", O_RDWR | O_CREAT);
    let offset = guest.put_struct(&2u64);
    assert_eq!(guest.ok("sendfile", &[to, from, offset, 3]), 3);
    assert_eq!(guest.get_struct::<u64>(offset), 5);
    assert_eq!(guest.ok("copy_file_range", &[from, offset, to, 0, 100, 0]), 5);
    guest.ok("lseek", &[to, 0, 0]);
    assert_eq!(guest.read(to, 20), b"23456789");
    guest.fails("copy_file_range", &[from, offset, to, 0, 1, 1], Errno::EINVAL);
    let (reader, writer) = guest.pipe(0);
    assert_eq!(guest.ok("splice", &[from, offset, writer, 0, 3, 0]), 0, "the source has ended");
    let start = guest.put_struct(&0u64);
    assert_eq!(guest.ok("splice", &[from, start, writer, 0, 3, 0]), 3);
    assert_eq!(guest.read(reader, 9), b"012");
    guest.fails("sendfile", &[to, reader, 0, 1], Errno::EINVAL);
}

#[test]
fn record_locks_of_two_processes() {
    let mut guest = Guest::new();
    guest.add_process(2, 1, 2, 1);
    let fd = guest.open("/f", O_RDWR | O_CREAT);
    let other = guest.as_task(2, |guest| guest.open("/f", O_RDWR));
    let lock =
        |kind: u16, start: i64, len: i64| Flock { l_type: kind as i16, l_start: start, l_len: len, ..Flock::default() };
    let own = guest.put_struct(&lock(F_WRLCK, 10, 10));
    guest.ok("fcntl", &[fd, u64::from(F_SETLK), own]);
    guest.as_task(2, |guest| {
        let wanted = guest.put_struct(&lock(F_RDLCK, 0, 0));
        guest.fails("fcntl", &[other, u64::from(F_SETLK), wanted], Errno::EAGAIN);
        guest.ok("fcntl", &[other, u64::from(F_GETLK), wanted]);
        let found: Flock = guest.get_struct(wanted);
        assert_eq!((found.l_type as u16, found.l_start, found.l_len, found.l_pid), (F_WRLCK, 10, 10, 1));
        let free = guest.put_struct(&lock(F_WRLCK, 20, 5));
        guest.ok("fcntl", &[other, u64::from(F_SETLK), free]);
        let wanted = guest.put_struct(&lock(F_WRLCK, 19, 1));
        guest.waits("fcntl", &[other, u64::from(F_SETLKW), wanted]);
    });
    // Closing any descriptor of the file drops the process's locks.
    let second = guest.open("/f", O_RDONLY);
    guest.ok("close", &[second]);
    guest.as_task(2, |guest| {
        let wanted = guest.put_struct(&lock(F_WRLCK, 0, 20));
        guest.ok("fcntl", &[other, u64::from(F_SETLK), wanted]);
    });
}

#[test]
fn whole_file_locks_belong_to_descriptions() {
    let mut guest = Guest::new();
    let one = guest.open("/f", O_RDWR | O_CREAT);
    let two = guest.open("/f", O_RDWR);
    guest.ok("flock", &[one, u64::from(LOCK_EX)]);
    guest.fails("flock", &[two, u64::from(LOCK_SH | LOCK_NB)], Errno::EWOULDBLOCK);
    let wait = guest.waits("flock", &[two, u64::from(LOCK_SH)]);
    assert_eq!(wait.keys.len(), 1);
    guest.ok("close", &[one]);
    guest.ok("flock", &[two, u64::from(LOCK_SH | LOCK_NB)]);
    guest.fails("flock", &[two, 0], Errno::EINVAL);
}

#[test]
fn devices() {
    let mut guest = Guest::new();
    let zero = guest.open("/dev/zero", O_RDWR);
    assert_eq!(guest.read(zero, 3), [0; 3]);
    assert_eq!(guest.ok("lseek", &[zero, 5, 0]), 0);
    let null = guest.open("/dev/null", O_RDWR);
    assert_eq!(guest.read(null, 3), b"");
    assert_eq!(guest.write(null, b"abc"), 3);
    let full = guest.open("/dev/full", O_RDWR);
    guest.fails("write", &[full, BASE, 1], Errno::ENOSPC);
    let random = guest.open("/dev/urandom", O_RDONLY);
    assert_ne!(guest.read(random, 16), guest.read(random, 16));
}

#[test]
fn a_memory_file() {
    let mut guest = Guest::new();
    let name = guest.str("x");
    let fd = guest.ok("memfd_create", &[name, u64::from(MFD_CLOEXEC)]);
    guest.write(fd, b"abc");
    guest.ok("lseek", &[fd, 1, 0]);
    assert_eq!(guest.read(fd, 9), b"bc");
    let link = guest.str(&format!("/proc/self/fd/{fd}"));
    let buf = guest.room(64);
    let count = guest.ok("readlinkat", &[AT_FDCWD, link, buf, 64]) as usize;
    assert_eq!(guest.get(buf, count), b"/memfd:x (deleted)");
    guest.fails("memfd_create", &[name, 0x1000], Errno::EINVAL);
}
