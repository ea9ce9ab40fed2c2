//! /proc itself and what does not belong to a process, proc(5).

use super::node::Entry;
use super::{proc_pid, proc_state, with_kernel};
use crate::{Kernel, Pid};
use friscy_vfs::{FileType, SynthAttr, SynthDir, SynthNode};
use std::fmt::Write as _;

/// Clock ticks a second, `sysconf(_SC_CLK_TCK)`.
pub(super) const TICKS: u64 = 100;
const NANOS: u64 = 1_000_000_000;
/// The release that uname(2) and /proc name.
pub const RELEASE: &str = "6.12.0-friscy";
/// The version that uname(2) names.
pub const VERSION: &str = "#1 SMP friscy";

const ENTRIES: &[Entry] = &[
    Entry::File("cmdline", |_| b"\n".to_vec()),
    Entry::File("cpuinfo", cpuinfo),
    Entry::File("devices", |_| {
        b"Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n"
            .to_vec()
    }),
    Entry::File("filesystems", |_| {
        b"nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tpipefs\nnodev\tsockfs\nnodev\tdevpts\nnodev\toverlay\n"
            .to_vec()
    }),
    Entry::File("loadavg", loadavg),
    Entry::File("meminfo", meminfo),
    Entry::Link("mounts", |_| b"self/mounts".to_vec()),
    Entry::Link("net", |_| b"self/net".to_vec()),
    Entry::Link("self", |kernel| kernel.current_pid().to_string().into_bytes()),
    Entry::File("stat", stat),
    Entry::File("swaps", |_| b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_vec()),
    Entry::Dir("sys", SYS),
    Entry::Dir("sysvipc", &[]),
    Entry::Link("thread-self", |kernel| {
        format!("{}/task/{}", kernel.current_pid(), kernel.drivers.current.get()).into_bytes()
    }),
    Entry::File("uptime", uptime),
    Entry::File("version", |_| format!("Linux version {RELEASE} (friscy) (rustc) {VERSION}\n").into_bytes()),
];

const SYS: &[Entry] = &[
    Entry::Dir(
        "fs",
        &[
            Entry::File("file-max", |_| b"1048576\n".to_vec()),
            Entry::File("nr_open", |_| b"1048576\n".to_vec()),
            Entry::File("pipe-max-size", |_| b"1048576\n".to_vec()),
        ],
    ),
    Entry::Dir(
        "kernel",
        &[
            Entry::File("cap_last_cap", |_| b"40\n".to_vec()),
            Entry::File("core_pattern", |_| b"core\n".to_vec()),
            Entry::File("hostname", |kernel| {
                let mut text = kernel.config.hostname.clone();
                text.push(b'\n');
                text
            }),
            Entry::File("ngroups_max", |_| b"65536\n".to_vec()),
            Entry::File("osrelease", |_| format!("{RELEASE}\n").into_bytes()),
            Entry::File("ostype", |_| b"Linux\n".to_vec()),
            Entry::File("overflowgid", |_| b"65534\n".to_vec()),
            Entry::File("overflowuid", |_| b"65534\n".to_vec()),
            Entry::File("pid_max", |_| format!("{}\n", crate::process::PID_MAX).into_bytes()),
            Entry::Dir(
                "random",
                &[
                    Entry::File("boot_id", |kernel| uuid(kernel.drivers.boot_id)),
                    Entry::File("entropy_avail", |_| b"256\n".to_vec()),
                    Entry::File("poolsize", |_| b"256\n".to_vec()),
                    Entry::File("uuid", |kernel| uuid(kernel.drivers.next_uuid())),
                ],
            ),
            Entry::File("threads-max", |_| format!("{}\n", crate::process::THREADS_MAX).into_bytes()),
            Entry::File("version", |_| format!("{VERSION}\n").into_bytes()),
        ],
    ),
    Entry::Dir("net", &[Entry::Dir("core", &[Entry::File("somaxconn", |_| b"4096\n".to_vec())])]),
    Entry::Dir(
        "vm",
        &[
            Entry::File("max_map_count", |_| b"65530\n".to_vec()),
            Entry::File("mmap_min_addr", |_| b"65536\n".to_vec()),
            Entry::File("overcommit_memory", |_| b"0\n".to_vec()),
            Entry::File("overcommit_ratio", |_| b"50\n".to_vec()),
            Entry::File("swappiness", |_| b"60\n".to_vec()),
        ],
    ),
];

/// The root directory of /proc.
pub(super) struct Root;

impl SynthDir for Root {
    fn lookup(&self, name: &[u8]) -> Option<SynthNode> {
        if let Some(entry) = ENTRIES.iter().find(|entry| entry.name().as_bytes() == name) {
            return Some(entry.node());
        }
        let pid = parse_number(name)?;
        with_kernel(|kernel| {
            // A thread can be named too, though only processes are listed.
            let tgid = kernel.tasks.get(&pid).map_or(pid, |task| task.tgid);
            Ok(kernel.processes.contains_key(&tgid).then(|| proc_pid::directory(tgid, pid)))
        })
        .ok()?
    }

    fn list(&self) -> Vec<(Vec<u8>, FileType)> {
        let mut names: Vec<_> =
            ENTRIES.iter().map(|entry| (entry.name().as_bytes().to_vec(), entry.file_type())).collect();
        let pids: Vec<Pid> = with_kernel(|kernel| Ok(kernel.processes.keys().copied().collect())).unwrap_or_default();
        names.extend(pids.into_iter().map(|pid| (pid.to_string().into_bytes(), FileType::Directory)));
        names
    }

    fn attr(&self) -> SynthAttr {
        SynthAttr { ino: 1, ..SynthAttr::root(0o555) }
    }
}

/// A decimal number without sign or leading zeros.
pub(super) fn parse_number(name: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(name).ok()?;
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn uuid(bytes: [u8; 16]) -> Vec<u8> {
    let mut bytes = bytes;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    text.into_bytes()
}

fn cpuinfo(kernel: &Kernel) -> Vec<u8> {
    let mut text = String::new();
    for cpu in 0..kernel.config.cpus.max(1) {
        let isa = &kernel.config.isa;
        let _ = write!(
            text,
            "processor\t: {cpu}\nhart\t\t: {cpu}\nisa\t\t: {isa}\nmmu\t\t: sv39\nuarch\t\t: friscy\nmvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: {isa}\n\n"
        );
    }
    text.into_bytes()
}

/// Bytes of memory that processes use.
#[must_use]
pub fn used_memory(kernel: &Kernel) -> u64 {
    let mapped: u64 = kernel
        .processes
        .values()
        .filter_map(|process| process.threads.first().and_then(|tid| kernel.tasks.get(tid)))
        .map(proc_state::resident)
        .sum();
    mapped.min(kernel.config.memory / 2)
}

fn meminfo(kernel: &Kernel) -> Vec<u8> {
    let total = kernel.config.memory / 1024;
    let free = total - used_memory(kernel) / 1024;
    let mut text = String::new();
    for (name, value) in [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("Active", total - free),
        ("Inactive", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", total - free),
        ("Mapped", 0),
        ("Shmem", 0),
        ("Slab", 0),
        ("SReclaimable", 0),
        ("SUnreclaim", 0),
        ("CommitLimit", total / 2),
        ("Committed_AS", total - free),
        ("VmallocTotal", 0),
        ("VmallocUsed", 0),
    ] {
        let _ = writeln!(text, "{:<15} {value:>8} kB", format!("{name}:"));
    }
    text.push_str("HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n");
    text.into_bytes()
}

fn loadavg(kernel: &Kernel) -> Vec<u8> {
    let running = kernel.tasks.values().filter(|task| task.state == crate::RunState::Ready).count();
    format!("0.00 0.00 0.00 {running}/{} {}\n", kernel.tasks.len(), kernel.last_pid).into_bytes()
}

fn uptime(kernel: &Kernel) -> Vec<u8> {
    let hundredths = kernel.now() / (NANOS / 100);
    format!("{}.{:02} 0.00\n", hundredths / 100, hundredths % 100).into_bytes()
}

fn stat(kernel: &Kernel) -> Vec<u8> {
    let user: u64 = kernel.tasks.values().map(|task| task.user_time).sum::<u64>() * TICKS / NANOS;
    let system: u64 = kernel.tasks.values().map(|task| task.system_time).sum::<u64>() * TICKS / NANOS;
    let idle = (kernel.now() * TICKS / NANOS).saturating_sub(user + system);
    let boot = kernel.realtime().saturating_sub(kernel.now()) / NANOS;
    let mut text = format!("cpu  {user} 0 {system} {idle} 0 0 0 0 0 0\n");
    for cpu in 0..kernel.config.cpus.max(1) {
        let _ = writeln!(text, "cpu{cpu} {user} 0 {system} {idle} 0 0 0 0 0 0");
    }
    let blocked = 0;
    let running = kernel.tasks.values().filter(|task| task.state == crate::RunState::Ready).count().max(1);
    let _ = write!(
        text,
        "intr 0\nctxt 0\nbtime {boot}\nprocesses {}\nprocs_running {running}\nprocs_blocked {blocked}\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
        kernel.last_pid
    );
    text.into_bytes()
}
