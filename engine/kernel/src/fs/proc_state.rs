//! /proc/PID: what is told of a process's state, proc(5).

use super::proc_pid::Subject;
use super::proc_root::TICKS;
use crate::task::{RunState, Task};
use friscy_abi::Errno;
use friscy_abi::signal::SIGCHLD;
use std::fmt::Write as _;

const NANOS: u64 = 1_000_000_000;

/// Bytes of a task's memory that count as resident: what is writable.
pub(super) fn resident(task: &Task) -> u64 {
    task.mm.borrow().vmas.values().filter(|vma| vma.prot.read || vma.prot.write).map(|vma| vma.end - vma.start).sum()
}

pub(super) fn guest_range(subject: &Subject<'_>, range: (u64, u64)) -> Result<Vec<u8>, Errno> {
    let Some(task) = subject.task else { return Ok(Vec::new()) };
    let len = range.1.saturating_sub(range.0).min(1 << 21) as usize;
    let mut bytes = vec![0; len];
    if len > 0 && subject.kernel.cpu.copy_in(task.mm_id, range.0, &mut bytes).is_err() {
        return Err(Errno::EIO);
    }
    Ok(bytes)
}

pub(super) fn cmdline(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let Some(task) = subject.task else { return Ok(Vec::new()) };
    let range = task.mm.borrow().args;
    guest_range(subject, range)
}

pub(super) fn environ(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let range = subject.live()?.mm.borrow().env;
    guest_range(subject, range)
}

pub(super) fn auxv(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let mm = subject.live()?.mm.borrow();
    Ok(mm.auxv.iter().flat_map(|&(key, value)| [key.to_le_bytes(), value.to_le_bytes()].concat()).collect())
}

pub(super) fn name_of(subject: &Subject<'_>) -> Vec<u8> {
    subject.task.map(|task| task.comm.clone()).unwrap_or_else(|| b"?".to_vec())
}

pub(super) fn comm(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let mut name = name_of(subject);
    name.push(b'\n');
    Ok(name)
}

pub(super) fn state_letter(subject: &Subject<'_>) -> (char, &'static str) {
    match subject.task.map(|task| &task.state) {
        _ if subject.process.zombie.is_some() => ('Z', "zombie"),
        _ if subject.process.stopped.is_some() => ('T', "stopped"),
        Some(RunState::Ready) => ('R', "running"),
        Some(RunState::Stopped) => ('T', "stopped"),
        Some(RunState::Dead) | None => ('Z', "zombie"),
        Some(RunState::Blocked(_)) => ('S', "sleeping"),
    }
}

pub(super) fn stat(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let Subject { kernel, process, task, pid, tid } = subject;
    let usage = kernel.usage_of(*pid);
    let ticks = |nanos: u64| nanos * TICKS / NANOS;
    let mut text = format!("{tid} (").into_bytes();
    text.extend(name_of(subject));
    let tty = process.tty.map_or(0, |index| (136 << 8 | index & 0xff) as i32);
    let foreground =
        process.tty.and_then(|index| kernel.drivers.terminal(index)).map_or(-1, |tty| tty.foreground() as i32);
    let (size, rss) = task.map_or((0, 0), |task| (task.mm.borrow().total, resident(task) / 4096));
    let (stack, args, env) = task.map_or((0, (0, 0), (0, 0)), |task| {
        let mm = task.mm.borrow();
        (mm.stack_start, mm.args, mm.env)
    });
    let nice = task.map_or(0, |task| task.nice);
    let mut rest = format!(
        ") {} {} {} {} {tty} {foreground} 4194304 0 0 0 0 {} {} {} {} {} {nice} {} 0 {} {size} {rss} 18446744073709551615",
        state_letter(subject).0,
        process.parent,
        process.pgid,
        process.sid,
        ticks(usage.user_time),
        ticks(usage.system_time),
        ticks(process.children_usage.user_time),
        ticks(process.children_usage.system_time),
        20 + nice,
        process.threads.len().max(1),
        ticks(process.start_time),
    );
    let (pending, blocked, ignored, caught) = signal_sets(subject);
    let _ = writeln!(
        rest,
        " 0 0 {stack} 0 0 {} {} {} {} 0 0 0 {SIGCHLD} 0 0 0 0 0 0 0 0 0 {} {} {} {} 0",
        pending & 0x7fff_ffff,
        blocked & 0x7fff_ffff,
        ignored & 0x7fff_ffff,
        caught & 0x7fff_ffff,
        args.0,
        args.1,
        env.0,
        env.1,
    );
    text.extend(rest.into_bytes());
    Ok(text)
}

/// Pending (for the thread), blocked, ignored and caught signals.
pub(super) fn signal_sets(subject: &Subject<'_>) -> (u64, u64, u64, u64) {
    let Some(task) = subject.task else { return (0, 0, 0, 0) };
    let sighand = task.sighand.borrow();
    let (mut ignored, mut caught) = (0, 0);
    for signo in 1..=64 {
        let action = sighand.get(signo);
        if action.is_ignore() {
            ignored |= 1 << (signo - 1);
        } else if !action.is_default() {
            caught |= 1 << (signo - 1);
        }
    }
    (task.pending.set.0, task.mask.0, ignored, caught)
}

pub(super) fn statm(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let Some(task) = subject.task else { return Ok(b"0 0 0 0 0 0 0\n".to_vec()) };
    let (size, rss) = (task.mm.borrow().total / 4096, resident(task) / 4096);
    Ok(format!("{size} {rss} 0 0 0 {rss} 0\n").into_bytes())
}

pub(super) fn status(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let Subject { kernel, process, task, pid, tid } = subject;
    let (letter, word) = state_letter(subject);
    let mut out = b"Name:\t".to_vec();
    out.extend(name_of(subject));
    let mut text = String::from("\n");
    if let Some(task) = task {
        let _ = writeln!(text, "Umask:\t{:04o}", task.fs.borrow().umask);
    }
    let _ = write!(
        text,
        "State:\t{letter} ({word})\nTgid:\t{pid}\nNgid:\t0\nPid:\t{tid}\nPPid:\t{}\nTracerPid:\t0\n",
        process.parent
    );
    if let Some(task) = task {
        let cred = &task.cred;
        let _ = writeln!(text, "Uid:\t{}\t{}\t{}\t{}", cred.uid, cred.euid, cred.suid, cred.fsuid);
        let _ = writeln!(text, "Gid:\t{}\t{}\t{}\t{}", cred.gid, cred.egid, cred.sgid, cred.fsgid);
        let _ = writeln!(text, "FDSize:\t{}", task.files.borrow().len().next_power_of_two().max(64));
        text.push_str("Groups:\t");
        for group in &cred.groups {
            let _ = write!(text, "{group} ");
        }
        let _ = write!(text, "\nNStgid:\t{pid}\nNSpid:\t{tid}\nNSpgid:\t{}\nNSsid:\t{}\n", process.pgid, process.sid);
        let (size, rss) = (task.mm.borrow().total / 1024, resident(task) / 1024);
        let locked = task.mm.borrow().locked() / 1024;
        let _ = write!(
            text,
            "VmPeak:\t{size:8} kB\nVmSize:\t{size:8} kB\nVmLck:\t{locked:8} kB\nVmPin:\t       0 kB\nVmHWM:\t{rss:8} kB\nVmRSS:\t{rss:8} kB\nRssAnon:\t{rss:8} kB\nRssFile:\t       0 kB\nRssShmem:\t       0 kB\nVmData:\t{rss:8} kB\nVmStk:\t     132 kB\nVmExe:\t       0 kB\nVmLib:\t       0 kB\nVmPTE:\t       0 kB\nVmSwap:\t       0 kB\n"
        );
    }
    let (pending, blocked, ignored, caught) = signal_sets(subject);
    let _ = write!(
        text,
        "Threads:\t{}\nSigQ:\t{}/{}\nSigPnd:\t{pending:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n",
        process.threads.len().max(1),
        kernel.queued_signals(kernel.process_uid(*pid)),
        process.rlimits.soft(friscy_abi::sched::RLIMIT_SIGPENDING),
        process.pending.set.0,
    );
    if let Some(task) = task {
        let cred = &task.cred;
        let _ = write!(
            text,
            "CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\nNoNewPrivs:\t{}\nSeccomp:\t0\nSeccomp_filters:\t0\n",
            cred.cap_inheritable,
            cred.cap_permitted,
            cred.cap_effective,
            cred.cap_bounding,
            cred.cap_ambient,
            u32::from(cred.no_new_privs),
        );
        let cpus = kernel.config.cpus.clamp(1, 32);
        let mask = (1u64 << cpus) - 1;
        let list = if cpus == 1 { String::from("0") } else { format!("0-{}", cpus - 1) };
        let _ = write!(
            text,
            "Cpus_allowed:\t{mask:x}\nCpus_allowed_list:\t{list}\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n",
            task.switches.0, task.switches.1
        );
    }
    out.extend(text.into_bytes());
    Ok(out)
}

pub(super) fn limits(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    const ROWS: [(&str, &str); 16] = [
        ("Max cpu time", "seconds"),
        ("Max file size", "bytes"),
        ("Max data size", "bytes"),
        ("Max stack size", "bytes"),
        ("Max core file size", "bytes"),
        ("Max resident set", "bytes"),
        ("Max processes", "processes"),
        ("Max open files", "files"),
        ("Max locked memory", "bytes"),
        ("Max address space", "bytes"),
        ("Max file locks", "locks"),
        ("Max pending signals", "signals"),
        ("Max msgqueue size", "bytes"),
        ("Max nice priority", ""),
        ("Max realtime priority", ""),
        ("Max realtime timeout", "us"),
    ];
    let mut text = format!("{:<26}{:<21}{:<21}{:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    let show = |value: u64| if value == u64::MAX { String::from("unlimited") } else { value.to_string() };
    for ((name, unit), limit) in ROWS.iter().zip(subject.process.rlimits.0.iter()) {
        let _ = writeln!(text, "{name:<26}{:<21}{:<21}{unit:<10}", show(limit.rlim_cur), show(limit.rlim_max));
    }
    Ok(text.into_bytes())
}
