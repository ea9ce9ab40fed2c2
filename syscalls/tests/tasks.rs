//! Processes, identities, signals, time, memory and the system, call by call. What is expected was seen on Linux or
//! under qemu-user.

mod support;

use friscy_abi::Errno;
use friscy_abi::layout::{
    CapData, CapHeader, Hwprobe, Itimerval, Rlimit, SigStack, Sigaction, Timespec, Timeval, Utsname,
};
use friscy_abi::mman::*;
use friscy_abi::sched::*;
use friscy_kernel::RestartKind;
use friscy_kernel::process::ExitStatus;
use support::{Done, Guest};

#[test]
fn who_am_i() {
    let mut guest = Guest::new();
    for (name, value) in [("getpid", 1), ("gettid", 1), ("getppid", 0), ("getuid", 0), ("getegid", 0)] {
        assert_eq!(guest.ok(name, &[]), value, "{name}");
    }
    guest.add_process(2, 1, 2, 1);
    guest.as_task(2, |guest| {
        assert_eq!(guest.ok("getppid", &[]), 1);
        assert_eq!(guest.ok("getpgid", &[0]), 2);
        assert_eq!(guest.ok("getsid", &[0]), 1);
        guest.fails("getpgid", &[77], Errno::ESRCH);
    });
    guest.fails("setsid", &[], Errno::EPERM);
}

#[test]
fn ids_change_as_privileges_allow() {
    let mut guest = Guest::new();
    guest.ok("setresuid", &[1000, 1000, 0]);
    assert_eq!(guest.ok("geteuid", &[]), 1000);
    guest.fails("setuid", &[7], Errno::EPERM);
    guest.ok("setuid", &[0]);
    assert_eq!((guest.ok("geteuid", &[]), guest.ok("getuid", &[])), (0, 1000));
    guest.ok("setuid", &[5]);
    guest.fails("setuid", &[0], Errno::EPERM);
    guest.fails("setgroups", &[0, 0], Errno::EPERM);
    let at = guest.room(12);
    guest.ok("getresuid", &[at, at + 4, at + 8]);
    assert_eq!(guest.get_struct::<[u32; 3]>(at), [5, 5, 5]);
    assert_eq!(guest.ok("setfsuid", &[9]), 5);
    assert_eq!(guest.ok("setfsuid", &[u64::MAX]), 5);
}

#[test]
fn capabilities() {
    let mut guest = Guest::new();
    let header = guest.put_struct(&CapHeader { version: 0, pid: 0 });
    let data = guest.room(24);
    guest.fails("capget", &[header, data], Errno::EINVAL);
    assert_eq!(guest.get_struct::<CapHeader>(header).version, _LINUX_CAPABILITY_VERSION_3);
    guest.ok("capget", &[header, data]);
    let [low, high]: [CapData; 2] = guest.get_struct(data);
    assert_eq!((low.effective, high.effective), (u32::MAX, 0x1ff));
    let none = guest.put_struct(&[CapData::default(); 2]);
    guest.ok("capset", &[header, none]);
    let all = guest.put_struct(&[low, high]);
    guest.fails("capset", &[header, all], Errno::EPERM);
}

#[test]
fn a_child_is_waited_for() {
    let mut guest = Guest::new();
    guest.fails("wait4", &[u64::MAX, 0, 0, 0], Errno::ECHILD);
    // A shared address space needs no memory of its own.
    let child = guest.ok("clone", &[CLONE_VM | 17, 0, 0, 0, 0]);
    let status = guest.room(4);
    assert_eq!(guest.ok("wait4", &[u64::MAX, status, u64::from(WNOHANG), 0]), 0);
    guest.waits("wait4", &[child, status, 0, 0]);
    guest.kernel.exit_group(child as u32, ExitStatus::Exited(3));
    guest.kernel.settle();
    let info = guest.room(128);
    guest.ok("waitid", &[u64::from(P_PID), child, info, u64::from(WEXITED | WNOWAIT), 0]);
    assert_eq!(guest.get_struct::<[i32; 7]>(info)[..7], [17, 0, 1, 0, child as i32, 0, 3]);
    assert_eq!(guest.ok("wait4", &[u64::MAX, status, 0, 0]), child);
    assert_eq!(guest.get_struct::<u32>(status), 0x300);
    guest.fails("wait4", &[child, status, 0, 0], Errno::ECHILD);
    guest.fails("wait4", &[child, status, 0x4000, 0], Errno::EINVAL);
    guest.fails("waitid", &[u64::from(P_PID), child, info, 0, 0], Errno::EINVAL);
}

#[test]
fn clone3_checks_its_structure() {
    let mut guest = Guest::new();
    let args = guest.room(128);
    guest.fails("clone3", &[args, 56], Errno::EINVAL);
    guest.fails("clone3", &[args, 5000], Errno::E2BIG);
    let beyond = guest.put(&[[0; 88].as_slice(), &[1; 8]].concat());
    guest.fails("clone3", &[beyond, 96], Errno::E2BIG);
    let stack = guest.put_struct(&[0u64, 0, 0, 0, 17, 0x20_0000, 0, 0]);
    guest.fails("clone3", &[stack, 64], Errno::EINVAL);
}

#[test]
fn actions_and_masks() {
    let mut guest = Guest::new();
    let (new, old) =
        (guest.put_struct(&Sigaction { sa_handler: 0x1000, sa_flags: 4, sa_mask: u64::MAX }), guest.room(24));
    guest.ok("rt_sigaction", &[10, new, 0, 8]);
    guest.ok("rt_sigaction", &[10, 0, old, 8]);
    let action: Sigaction = guest.get_struct(old);
    assert_eq!((action.sa_handler, action.sa_flags), (0x1000, 4));
    assert_eq!(action.sa_mask, !(1 << 8 | 1 << 18), "SIGKILL and SIGSTOP are never blocked");
    guest.fails("rt_sigaction", &[9, new, 0, 8], Errno::EINVAL);
    guest.fails("rt_sigaction", &[65, 0, old, 8], Errno::EINVAL);
    guest.fails("rt_sigaction", &[10, 0, old, 16], Errno::EINVAL);
    let set = guest.put_struct(&u64::MAX);
    guest.ok("rt_sigprocmask", &[0, set, old, 8]);
    assert_eq!(guest.get_struct::<u64>(old), 0);
    guest.ok("rt_sigprocmask", &[0, 0, old, 8]);
    assert_eq!(guest.get_struct::<u64>(old), !(1 << 8 | 1 << 18));
    guest.fails("rt_sigprocmask", &[7, set, 0, 8], Errno::EINVAL);
    guest.ok("kill", &[1, 10]);
    guest.ok("rt_sigpending", &[old, 8]);
    assert_eq!(guest.get_struct::<u64>(old), 1 << 9);
    assert_eq!(guest.ok("rt_sigtimedwait", &[set, old, 0, 8]), 10);
    let zero = guest.put_struct(&Timespec::default());
    guest.fails("rt_sigtimedwait", &[set, old, zero, 8], Errno::EAGAIN);
    guest.fails("kill", &[1, 65], Errno::EINVAL);
    guest.fails("kill", &[4000, 0], Errno::ESRCH);
    guest.fails("tgkill", &[0, 1, 10], Errno::EINVAL);
    let wait = guest.waits("rt_sigsuspend", &[zero, 8]);
    assert_eq!((wait.keys.len(), wait.restart), (0, RestartKind::NoHandler));
}

#[test]
fn alternate_stacks() {
    let mut guest = Guest::new();
    let old = guest.room(24);
    guest.ok("sigaltstack", &[0, old]);
    assert_eq!(guest.get_struct::<SigStack>(old).ss_flags, 2);
    let stack = |ss_size, ss_flags| SigStack { ss_sp: 0x20_0000, ss_flags, pad: 0, ss_size };
    let small = guest.put_struct(&stack(100, 0));
    guest.fails("sigaltstack", &[small, 0], Errno::ENOMEM);
    let bad = guest.put_struct(&stack(8192, 8));
    guest.fails("sigaltstack", &[bad, 0], Errno::EINVAL);
    let good = guest.put_struct(&stack(8192, 0));
    guest.ok("sigaltstack", &[good, 0]);
    guest.ok("sigaltstack", &[0, old]);
    assert_eq!(guest.get_struct::<SigStack>(old), stack(8192, 0));
    guest.kernel.task_mut(1).regs.x[2] = 0x20_1000;
    guest.fails("sigaltstack", &[good, 0], Errno::EPERM);
}

#[test]
fn clocks_and_sleep() {
    let mut guest = Guest::new();
    let at = guest.room(16);
    guest.ok("clock_gettime", &[1, at]);
    assert_eq!(guest.get_struct::<Timespec>(at), Timespec { tv_sec: 1, tv_nsec: 0 });
    guest.ok("clock_gettime", &[0, at]);
    assert_eq!(guest.get_struct::<Timespec>(at).tv_sec, 1_767_225_600);
    guest.fails("clock_gettime", &[99, at], Errno::EINVAL);
    guest.ok("clock_getres", &[1, at]);
    assert_eq!(guest.get_struct::<Timespec>(at).tv_nsec, 1);
    guest.ok("gettimeofday", &[at, 0]);
    assert_eq!(guest.get_struct::<Timeval>(at).tv_sec, 1_767_225_600);
    let half = guest.put_struct(&Timespec { tv_sec: 0, tv_nsec: 500_000_000 });
    let rest = guest.room(16);
    assert_eq!(guest.waits("nanosleep", &[half, rest]).deadline, Some(1_500_000_000));
    guest.kernel.advance(200_000_000);
    assert!(matches!(guest.again("nanosleep", &[half, rest]), Done::Waits(_)));
    assert_eq!(guest.get_struct::<Timespec>(rest).tv_nsec, 300_000_000);
    guest.kernel.advance(300_000_000);
    assert!(matches!(guest.again("nanosleep", &[half, rest]), Done::Value(0)));
    let past = guest.put_struct(&Timespec { tv_sec: 1, tv_nsec: 0 });
    assert_eq!(guest.ok("clock_nanosleep", &[1, 1, past, 0]), 0);
    let bad = guest.put_struct(&Timespec { tv_sec: 0, tv_nsec: 1_000_000_000 });
    guest.fails("nanosleep", &[bad, 0], Errno::EINVAL);
}

#[test]
fn interval_timers() {
    let mut guest = Guest::new();
    let time = |tv_sec| Timeval { tv_sec, tv_usec: 0 };
    let new = guest.put_struct(&Itimerval { it_value: time(3), it_interval: time(1) });
    guest.ok("setitimer", &[0, new, 0]);
    guest.kernel.advance(1_000_000_000);
    let old = guest.room(32);
    guest.ok("getitimer", &[0, old]);
    assert_eq!(guest.get_struct::<Itimerval>(old), Itimerval { it_value: time(2), it_interval: time(1) });
    guest.fails("setitimer", &[3, new, 0], Errno::EINVAL);
    let id = guest.room(4);
    guest.ok("timer_create", &[1, 0, id]);
    guest.fails("timer_delete", &[9], Errno::EINVAL);
    guest.ok("timer_delete", &[0]);
}

#[test]
fn futexes() {
    let mut guest = Guest::new();
    let word = guest.put_struct(&5u32);
    let private = u64::from(FUTEX_PRIVATE_FLAG);
    guest.fails("futex", &[word, private, 4, 0, 0, 0], Errno::EAGAIN);
    guest.fails("futex", &[word + 1, private, 5, 0, 0, 0], Errno::EINVAL);
    guest.waits("futex", &[word, private, 5, 0, 0, 0]);
    guest.add_process(2, 1, 2, 1);
    assert_eq!(guest.ok("futex", &[word, private | 1, 10, 0, 0, 0]), 1);
    assert!(guest.kernel.task(1).scratch.deadline.is_none());
    guest.fails("futex", &[word, private | 6, 0, 0, 0, 0], Errno::ESRCH);
    guest.fails("futex", &[word, private | 14, 0, 0, 0, 0], Errno::ENOSYS);
    let short = guest.put_struct(&Timespec { tv_sec: 0, tv_nsec: 0 });
    // FUTEX_LOCK_PI has noted that somebody waited.
    guest.fails("futex", &[word, private, 0x8000_0005, short, 0, 0], Errno::ETIMEDOUT);
}

#[test]
fn mappings() {
    let mut guest = Guest::new();
    let anonymous = u64::from(MAP_PRIVATE | MAP_ANONYMOUS);
    let rw = u64::from(PROT_READ | PROT_WRITE);
    let at = guest.ok("mmap", &[0, 10_000, rw, anonymous, u64::MAX, 0]);
    assert_eq!(at % 4096, 0);
    guest.fails("mmap", &[0, 0, rw, anonymous, u64::MAX, 0], Errno::EINVAL);
    guest.fails("mmap", &[0, 4096, rw, 0x20, u64::MAX, 0], Errno::EINVAL);
    guest.fails("mmap", &[0, 4096, rw, u64::from(MAP_PRIVATE), 0, 0], Errno::ENODEV);
    guest.fails("mmap", &[0, 1 << 40, rw, anonymous, u64::MAX, 0], Errno::ENOMEM);
    let fixed = anonymous | u64::from(MAP_FIXED_NOREPLACE);
    guest.fails("mmap", &[at, 4096, rw, fixed, u64::MAX, 0], Errno::EEXIST);
    guest.ok("mprotect", &[at, 4096, 1]);
    guest.fails("mprotect", &[at + 1, 4096, 1], Errno::EINVAL);
    guest.fails("mprotect", &[at, 1 << 20, 1], Errno::ENOMEM);
    guest.ok("madvise", &[at, 4096, u64::from(MADV_DONTNEED)]);
    guest.fails("madvise", &[at, 4096, 77], Errno::EINVAL);
    let pages = guest.room(4);
    guest.ok("mincore", &[at, 12_288, pages]);
    assert_eq!(guest.get(pages, 3), [1; 3]);
    guest.ok("munmap", &[at, 4096]);
    guest.fails("mincore", &[at, 4096, pages], Errno::ENOMEM);
    guest.ok("munmap", &[at, 4096]);
    assert_eq!(guest.ok("membarrier", &[0, 0]) & 1, 1);
    guest.fails("membarrier", &[1 << 20, 0], Errno::EINVAL);
}

#[test]
fn limits() {
    let mut guest = Guest::new();
    let old = guest.room(16);
    guest.ok("prlimit64", &[0, u64::from(RLIMIT_STACK), 0, old]);
    assert_eq!(guest.get_struct::<Rlimit>(old).rlim_cur, 8 << 20);
    let bad = guest.put_struct(&Rlimit { rlim_cur: 2, rlim_max: 1 });
    guest.fails("prlimit64", &[0, u64::from(RLIMIT_STACK), bad, 0], Errno::EINVAL);
    guest.fails("prlimit64", &[0, 16, 0, old], Errno::EINVAL);
    guest.fails("prlimit64", &[4000, 3, 0, old], Errno::ESRCH);
}

#[test]
fn the_system_says_what_it_is() {
    let mut guest = Guest::new();
    let at = guest.room(400);
    guest.ok("uname", &[at]);
    let name: Utsname = guest.get_struct(at);
    assert_eq!(&name.sysname[..6], b"Linux\0");
    assert_eq!(&name.machine[..8], b"riscv64\0");
    assert_eq!(guest.ok("sched_getaffinity", &[0, 128, at]), 8);
    assert_eq!(guest.get_struct::<u64>(at), 1);
    guest.fails("sched_getaffinity", &[0, 7, at], Errno::EINVAL);
    let pair = |key, value| Hwprobe { key, value };
    let pairs = guest.put_struct(&[pair(3, 9), pair(4, 9), pair(999, 9), pair(-5, 9)]);
    guest.ok("riscv_hwprobe", &[pairs, 4, 0, 0, 0]);
    let answers: [Hwprobe; 4] = guest.get_struct(pairs);
    assert_eq!(answers, [pair(3, 1), pair(4, 3), pair(-1, 0), pair(-1, 0)]);
    guest.fails("riscv_hwprobe", &[pairs, 1, 0, 0, 4], Errno::EINVAL);
    guest.ok("riscv_flush_icache", &[0, 0, 0]);
    assert_eq!(guest.ok("getrandom", &[at, 300, 0]), 300);
    guest.fails("getrandom", &[at, 1, 8], Errno::EINVAL);
    let text = guest.str("a name that is too long");
    guest.ok("prctl", &[u64::from(PR_SET_NAME), text]);
    guest.ok("prctl", &[u64::from(PR_GET_NAME), at]);
    assert_eq!(guest.get(at, 16), b"a name that is \0");
    guest.fails("prctl", &[9999, 0], Errno::EINVAL);
    guest.fails("rseq", &[], Errno::ENOSYS);
}

#[test]
fn unknown_numbers_are_noted_once() {
    let mut guest = Guest::new();
    for _ in 0..2 {
        guest.kernel.task_mut(1).regs.x[17] = 5000;
        let result = friscy_syscalls::dispatch(&mut friscy_kernel::Ctx { kernel: &mut guest.kernel, tid: 1 });
        assert_eq!(result, Err(Errno::ENOSYS.into()));
    }
    assert_eq!(guest.kernel.drivers.unknown_calls, [5000]);
}

#[test]
fn proc_tells_of_the_process() {
    let mut guest = Guest::new();
    let mut read = |path: &str| {
        let fd = guest.open(path, 0);
        String::from_utf8(guest.read(fd, 4096)).unwrap()
    };
    assert_eq!(read("/proc/sys/kernel/ostype"), "Linux\n");
    assert!(read("/proc/self/stat").starts_with("1 () R 0 1 1 0 -1 "));
    assert!(read("/proc/self/status").contains("\nPid:\t1\nPPid:\t0\n"));
    assert!(
        read("/proc/1/limits").contains("Max open files            1024                 1048576              files")
    );
    assert!(read("/proc/mounts").contains("proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n"));
    assert!(read("/proc/meminfo").starts_with("MemTotal:        2097152 kB\n"));
    assert_eq!(read("/sys/devices/system/cpu/online"), "0\n");
    let uuid = read("/proc/sys/kernel/random/uuid");
    assert_eq!((uuid.len(), uuid == read("/proc/sys/kernel/random/uuid")), (37, false));
    let fd = guest.open("/proc/self/comm", friscy_abi::fcntl::O_RDWR);
    guest.write(fd, b"renamed\n");
    assert_eq!(guest.kernel.task(1).comm, b"renamed");
    let path = guest.str("/proc/99");
    guest.fails("openat", &[support::AT_FDCWD, path, 0, 0], Errno::ENOENT);
}
