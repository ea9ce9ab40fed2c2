//! The table itself: numbers and names against the headers, the page, and calls as text.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

mod support;

use friscy_abi::Errno;
use friscy_abi::fcntl::{O_CLOEXEC, O_CREAT};
use friscy_kernel::SysError;
use friscy_syscalls::{Filter, LIMIT, Support, TABLE, line, lookup, page};
use std::process::Command;
use support::{AT_FDCWD, Guest};

#[test]
fn numbers_are_those_of_the_headers() {
    let mut source = String::from("#include <asm/unistd.h>\n");
    for row in TABLE {
        // Calls newer than the headers are not checked.
        source +=
            &format!("#if defined(__NR_{0}) && __NR_{0} != {1}\n#error {0} is not {1}\n#endif\n", row.name, row.number);
    }
    let dir = std::env::temp_dir().join(format!("friscy-numbers-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("numbers.c");
    std::fs::write(&file, source).unwrap();
    let out = Command::new("riscv64-linux-gnu-gcc").args(["-fsyntax-only"]).arg(&file).output().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn rows_are_found_by_number() {
    assert!(TABLE.iter().all(|row| usize::from(row.number) < LIMIT));
    assert!(TABLE.windows(2).all(|pair| pair[0].number < pair[1].number));
    assert_eq!(lookup(56).map(|row| row.name), Some("openat"));
    assert_eq!(lookup(258).map(|row| row.name), Some("riscv_hwprobe"));
    assert!(lookup(244).is_none() && lookup(u64::MAX).is_none());
}

#[test]
fn what_programs_were_seen_to_need_is_there() {
    let needed = "close fstat mmap openat read rt_sigaction exit_group prlimit64 write munmap riscv_hwprobe brk clock_gettime \
                  getrandom mprotect newfstatat rt_sigprocmask set_robust_list set_tid_address faccessat futex fcntl clone \
                  ioctl lseek readlinkat getpid pipe2 getcwd wait4 geteuid getuid clone3 execve getdents64 madvise dup3 gettid \
                  uname prctl sched_getaffinity getgid epoll_create1 exit getegid rt_sigreturn unlinkat epoll_ctl epoll_pwait \
                  socket connect mkdirat pread64 ppoll eventfd2 getppid sched_yield sigaltstack statfs sysinfo chdir umask \
                  clock_getres faccessat2 fadvise64 ftruncate pwrite64 renameat2 clock_nanosleep fchmodat setsid socketpair statx \
                  dup fchdir getrusage kill sendto setitimer tgkill fchmod fchown fdatasync flock nanosleep pselect6 writev capget \
                  close_range fsync getcpu mremap rt_sigsuspend symlinkat timerfd_create utimensat waitid copy_file_range fchownat \
                  fstatfs getgroups getpgid linkat mknodat recvmsg sendmsg setgid setgroups setpgid setuid shutdown timer_create \
                  timer_settime times tkill getpriority membarrier msync readv sendfile setfsgid setfsuid setpriority sync";
    for name in needed.split_whitespace() {
        let row = TABLE.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name}"));
        assert!(!matches!(row.support, Support::Stub(_)), "{name} is a stub");
    }
}

#[test]
fn the_page_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/syscalls.md");
    let page = page();
    if std::env::var_os("FRISCY_BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == page, "docs/syscalls.md differs from the table: run the test with FRISCY_BLESS=1");
}

#[test]
fn calls_as_text() {
    let mut guest = Guest::new();
    let path = guest.str("/etc/passwd");
    let mut check = |name: &str, args: &[u64], result: Result<u64, SysError>, text: &str| {
        let row = TABLE.iter().find(|row| row.name == name).unwrap();
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        assert_eq!(line(&mut guest.kernel, 1, u64::from(row.number), &all, Some(&result)), text);
    };
    check(
        "openat",
        &[AT_FDCWD, path, u64::from(O_CLOEXEC), 0o644],
        Ok(3),
        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3",
    );
    check(
        "openat",
        &[5, path, u64::from(O_CREAT | 1), 0o644],
        Err(Errno::EACCES.into()),
        "openat(5, \"/etc/passwd\", O_WRONLY|O_CREAT, 0644) = -1 EACCES",
    );
    check("read", &[3, path, 100], Ok(4), "read(3, \"/etc\", 100) = 4");
    check("write", &[1, path, 3], Ok(3), "write(1, \"/et\", 3) = 3");
    check("close", &[u64::MAX], Err(Errno::EBADF.into()), "close(-1) = -1 EBADF");
    check(
        "mmap",
        &[0, 4096, 3, 0x22, u64::MAX, 0],
        Ok(0x1000_0000),
        "mmap(0, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x10000000",
    );
    check("kill", &[5, 15], Ok(0), "kill(5, SIGTERM) = 0");
    check(
        "futex",
        &[0x1000, 128 | 9, 1, 0, 0, 7],
        Ok(0),
        "futex(0x1000, FUTEX_WAIT_BITSET|FUTEX_PRIVATE_FLAG, 1, 0, 0, 7) = 0",
    );
    check("clone", &[0x11, 0, 0, 0, 0], Ok(9), "clone(SIGCHLD, 0, 0, 0, 0) = 9");
    check("exit_group", &[1], Err(SysError::NoReturn), "exit_group(1) = ?");
    check("rseq", &[1, 2], Err(Errno::ENOSYS.into()), "rseq(0x1, 0x2, 0, 0, 0, 0) = -1 ENOSYS");
    let text = line(&mut guest.kernel, 1, 5000, &[0; 6], None);
    assert_eq!(text, "syscall_5000(0, 0, 0, 0, 0, 0)");
}

#[test]
fn filters() {
    let shows = |text: &str, name: &str| {
        let number = TABLE.iter().find(|row| row.name == name).unwrap().number;
        Filter::parse(text).unwrap().shows(u64::from(number))
    };
    assert!(shows("", "read") && shows("read,write", "write") && !shows("read,write", "close"));
    assert!(shows("!read", "write") && !shows("!read", "read"));
    assert_eq!(Filter::parse("read,nosuch"), Err(String::from("nosuch")));
}
