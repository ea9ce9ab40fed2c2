//! Every constant and layout against the C compiler's headers for riscv64: a program of static assertions is compiled.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

use friscy_abi::{errno, fcntl, layout, mman, poll, sched, signal, socket, stat, table::Names, time, tty};
use std::fmt::Write as _;
use std::mem::{offset_of, size_of};
use std::process::Command;

/// Compiles `source` and fails with the compiler's words if an assertion in it does not hold.
fn check(name: &str, source: &str) {
    let dir = std::env::temp_dir().join(format!("friscy-abi-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("check.c");
    std::fs::write(&file, source).unwrap();
    let out = Command::new("riscv64-linux-gnu-gcc")
        .args(["-w", "-fsyntax-only"])
        .arg(&file)
        .output()
        .expect("riscv64-linux-gnu-gcc runs");
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// One assertion a constant that the headers define; those that only some versions of the headers have are skipped by
/// name.
fn constants(name: &str, headers: &[&str], groups: &[Names], extra: &[(u64, &'static str)]) {
    let mut source = String::from("#define _GNU_SOURCE\n#include <stdint.h>\n#include <stddef.h>\n");
    for header in headers {
        writeln!(source, "#include <{header}>").unwrap();
    }
    for (value, constant) in groups.iter().copied().flatten().chain(extra) {
        // Enumerators have no macro to test for; a 32-bit comparison lets signed and unsigned spellings agree.
        let bits = if *value >> 32 == 0 { "uint32_t" } else { "uint64_t" };
        writeln!(
            source,
            "_Static_assert(({bits})({constant}) == ({bits})0x{value:x}, \"{constant} is not 0x{value:x}\");"
        )
        .unwrap();
    }
    check(name, &source);
}

#[test]
fn errno_numbers() {
    let names: Vec<(u64, &'static str)> =
        errno::NAMES.iter().filter(|row| row.0 < 512).map(|row| (u64::from(row.0), row.1)).collect();
    constants("errno", &["errno.h"], &[], &names);
}

#[test]
fn fcntl_numbers() {
    use fcntl::*;
    constants(
        "fcntl",
        &[
            "fcntl.h",
            "linux/openat2.h",
            "linux/fs.h",
            "sys/file.h",
            "unistd.h",
            "sys/mman.h",
            "linux/close_range.h",
            "sys/xattr.h",
        ],
        &[
            OPEN_FLAGS,
            AT_FLAGS,
            ACCESS_MODES,
            FCNTL_COMMANDS,
            FD_FLAGS,
            LOCK_TYPES,
            SEALS,
            FLOCK_OPERATIONS,
            SEEK_WHENCE,
            FALLOCATE_MODES,
            RENAME_FLAGS,
            XATTR_FLAGS,
            RESOLVE_FLAGS,
            MEMFD_FLAGS,
            CLOSE_RANGE_FLAGS,
            FADVICE,
            SPLICE_FLAGS,
            RWF_FLAGS,
        ],
        &[(AT_FDCWD as u32 as u64, "AT_FDCWD"), (u64::from(O_ACCMODE), "O_ACCMODE")],
    );
}

#[test]
fn stat_numbers() {
    use stat::*;
    constants(
        "stat",
        &["sys/stat.h", "sys/statfs.h", "linux/magic.h", "sys/statvfs.h", "dirent.h"],
        &[FILE_TYPES, MODE_BITS, STATX_MASK, DIRENT_TYPES, FS_MAGICS, ST_FLAGS],
        &[(u64::from(S_IFMT), "S_IFMT")],
    );
}

#[test]
fn signal_numbers() {
    use signal::*;
    constants(
        "signal",
        &["signal.h", "sys/signalfd.h"],
        &[
            SIGNALS,
            SIGACTION_FLAGS,
            SIGPROCMASK_HOW,
            SIGSTACK_FLAGS,
            SI_CODES,
            FAULT_CODES,
            CHILD_CODES,
            SIGEV_KINDS,
            SFD_FLAGS,
        ],
        &[],
    );
}

#[test]
fn memory_numbers() {
    use mman::*;
    constants(
        "mman",
        &["sys/mman.h", "linux/mman.h", "linux/membarrier.h"],
        &[PROT_FLAGS, MAP_FLAGS, MREMAP_FLAGS, MADVICE, MSYNC_FLAGS, MEMBARRIER_COMMANDS],
        &[],
    );
}

#[test]
fn task_numbers() {
    use sched::*;
    let known: Vec<(u64, &'static str)> = CLONE_FLAGS.iter().copied().filter(|row| row.1 != "CLONE_DETACHED").collect();
    constants(
        "sched",
        &[
            "sched.h",
            "linux/sched.h",
            "linux/futex.h",
            "linux/prctl.h",
            "sys/wait.h",
            "sys/resource.h",
            "linux/capability.h",
        ],
        &[
            FUTEX_COMMANDS,
            FUTEX_FLAGS,
            FUTEX_WORD_BITS,
            PRCTL_OPTIONS,
            WAIT_OPTIONS,
            WAITID_KINDS,
            SCHED_POLICIES,
            PRIO_WHICH,
            RESOURCES,
            RUSAGE_WHO,
            CAPABILITY_VERSIONS,
        ],
        &known,
    );
}

#[test]
fn poll_numbers() {
    use poll::*;
    constants(
        "poll",
        &["poll.h", "sys/epoll.h", "sys/eventfd.h", "sys/timerfd.h", "sys/inotify.h"],
        &[
            POLL_EVENTS,
            EPOLL_EVENTS,
            EPOLL_OPERATIONS,
            EPOLL_FLAGS,
            EVENTFD_FLAGS,
            TIMERFD_FLAGS,
            TIMERFD_TIMER_FLAGS,
            INOTIFY_FLAGS,
        ],
        &[],
    );
}

#[test]
fn terminal_numbers() {
    use tty::*;
    constants(
        "tty",
        &["sys/ioctl.h", "asm/termbits.h", "asm/ioctls.h", "linux/fs.h"],
        &[
            IOCTLS,
            INPUT_MODES,
            OUTPUT_MODES,
            CONTROL_MODES,
            LOCAL_MODES,
            CONTROL_CHARACTERS,
            FLUSH_QUEUES,
            FLOW_ACTIONS,
        ],
        &[],
    );
}

#[test]
fn socket_numbers() {
    use socket::*;
    constants(
        "socket",
        &["sys/socket.h", "netinet/in.h", "netinet/tcp.h"],
        &[
            ADDRESS_FAMILIES,
            SOCKET_TYPES,
            SOCKET_FLAGS,
            MSG_FLAGS,
            SHUTDOWN_HOW,
            SOCKET_LEVELS,
            SOCKET_OPTIONS,
            SCM_KINDS,
        ],
        &[],
    );
}

#[test]
fn time_numbers() {
    use time::*;
    constants("time", &["time.h", "sys/time.h", "sys/stat.h"], &[CLOCKS, TIMER_FLAGS, ITIMERS, UTIME_SPECIALS], &[]);
}

/// A structure's size and some members' offsets, as assertions on the C type.
macro_rules! layout_rows {
    ($out:ident; $($name:ident = $c:literal { $($field:ident $(as $cfield:literal)?),* })*) => {$(
        writeln!($out, "_Static_assert(sizeof({}) == {}, \"size of {}\");", $c, size_of::<layout::$name>(), $c).unwrap();
        $(
            #[allow(unused_mut, unused_assignments)]
            let mut member = stringify!($field);
            $(member = $cfield;)?
            writeln!(
                $out, "_Static_assert(offsetof({}, {member}) == {}, \"{}.{member}\");",
                $c, offset_of!(layout::$name, $field), $c,
            ).unwrap();
        )*
    )*};
}

const HEADERS: &str = "#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <poll.h>
#include <ucontext.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timerfd.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/socket.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/ioctl.h>
#include <dirent.h>
#include <linux/openat2.h>
#include <linux/futex.h>
#include <linux/capability.h>
struct rt_sigframe { siginfo_t info; ucontext_t uc; };
struct kernel_sigaction { void *handler; unsigned long flags; unsigned long mask; };
";

#[test]
fn layouts() {
    let mut source = String::from(HEADERS);
    layout_rows! { source;
        Stat = "struct stat" { st_dev, st_ino, st_mode, st_nlink, st_uid, st_gid, st_rdev, st_size, st_blksize, st_blocks, st_atim, st_mtim, st_ctim }
        StatxTimestamp = "struct statx_timestamp" { tv_sec, tv_nsec }
        Statx = "struct statx" { stx_mask, stx_blksize, stx_attributes, stx_nlink, stx_uid, stx_gid, stx_mode, stx_ino, stx_size, stx_blocks, stx_attributes_mask, stx_atime, stx_btime, stx_ctime, stx_mtime, stx_rdev_major, stx_dev_minor, stx_mnt_id }
        Statfs = "struct statfs" { f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_fsid, f_namelen, f_frsize, f_flags }
        Timespec = "struct timespec" { tv_sec, tv_nsec }
        Timeval = "struct timeval" { tv_sec, tv_usec }
        Timezone = "struct timezone" { tz_minuteswest, tz_dsttime }
        Itimerval = "struct itimerval" { it_interval, it_value }
        Itimerspec = "struct itimerspec" { it_interval, it_value }
        Tms = "struct tms" { tms_utime, tms_stime, tms_cutime, tms_cstime }
        Rusage = "struct rusage" { ru_utime, ru_stime, ru_maxrss, ru_minflt, ru_nivcsw }
        Rlimit = "struct rlimit" { rlim_cur, rlim_max }
        Sigaction = "struct kernel_sigaction" { sa_handler as "handler", sa_flags as "flags", sa_mask as "mask" }
        SigStack = "stack_t" { ss_sp, ss_flags, ss_size }
        Siginfo = "siginfo_t" { si_signo, si_errno, si_code, fields as "si_pid" }
        Sigevent = "struct sigevent" { sigev_value, sigev_signo, sigev_notify, sigev_notify_thread_id as "_sigev_un._tid" }
        Mcontext = "mcontext_t" { gregs as "__gregs", fregs as "__fpregs" }
        Ucontext = "ucontext_t" { uc_link, uc_stack, uc_sigmask, uc_mcontext }
        Sigframe = "struct rt_sigframe" { info, uc }
        Utsname = "struct utsname" { sysname, nodename, release, version, machine, domainname }
        Sysinfo = "struct sysinfo" { uptime, loads, totalram, freeram, procs, totalhigh, freehigh, mem_unit }
        Iovec = "struct iovec" { iov_base, iov_len }
        Msghdr = "struct msghdr" { msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags }
        Mmsghdr = "struct mmsghdr" { msg_hdr, msg_len }
        Cmsghdr = "struct cmsghdr" { cmsg_len, cmsg_level, cmsg_type }
        Ucred = "struct ucred" { pid, uid, gid }
        Pollfd = "struct pollfd" { fd, events, revents }
        EpollEvent = "struct epoll_event" { events, data }
        Winsize = "struct winsize" { ws_row, ws_col, ws_xpixel, ws_ypixel }
        Flock = "struct flock" { l_type, l_whence, l_start, l_len, l_pid }
        OwnerEx = "struct f_owner_ex" { kind as "type", pid }
        RobustListHead = "struct robust_list_head" { list, futex_offset, list_op_pending }
        OpenHow = "struct open_how" { flags, mode, resolve }
        CapHeader = "struct __user_cap_header_struct" { version, pid }
        CapData = "struct __user_cap_data_struct" { effective, permitted, inheritable }
        SignalfdSiginfo = "struct signalfd_siginfo" { ssi_signo, ssi_pid, ssi_status, ssi_int, ssi_ptr, ssi_addr }
    }
    writeln!(
        source,
        "_Static_assert(offsetof(struct dirent64, d_name) == {}, \"d_name\");",
        layout::DIRENT_NAME_OFFSET
    )
    .unwrap();
    check("layouts", &source);
}

#[test]
fn kernel_layouts() {
    let mut source = String::from(
        "#include <stddef.h>\n#include <stdint.h>\n#include <asm/termbits.h>\n#include <linux/sched.h>\n#include <linux/types.h>\n",
    );
    layout_rows! { source;
        Termios = "struct termios" { c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc }
        Termios2 = "struct termios2" { c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc, c_ispeed, c_ospeed }
        CloneArgs = "struct clone_args" { flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, cgroup }
    }
    check("kernel-layouts", &source);
}
