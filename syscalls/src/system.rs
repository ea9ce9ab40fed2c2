//! The system and what it says of itself: uname(2), sysinfo(2), getrandom(2), riscv_hwprobe(2), scheduling, limits,
//! prctl(2).

use crate::args::Args;
use crate::process::rusage;
use friscy_abi::Errno;
use friscy_abi::layout::{Hwprobe, Rlimit, Sysinfo, Utsname};
use friscy_abi::sched::*;
use friscy_kernel::fs::{RELEASE, VERSION, used_memory};
use friscy_kernel::process::Usage;
use friscy_kernel::{Ctx, SysResult, Tid};

const CAP_SYS_RESOURCE: u32 = 24;

fn field(text: &[u8]) -> [u8; 65] {
    let mut field = [0; 65];
    for (slot, byte) in field.iter_mut().take(64).zip(text) {
        *slot = *byte;
    }
    field
}

/// uname(2).
pub(crate) fn uname(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let name = Utsname {
        sysname: field(b"Linux"),
        nodename: field(&cx.kernel.config.hostname),
        release: field(RELEASE.as_bytes()),
        version: field(VERSION.as_bytes()),
        machine: field(b"riscv64"),
        domainname: field(b"(none)"),
    };
    cx.write_struct(a.u64::<0>(), &name)?;
    Ok(0)
}

/// sethostname(2).
pub(crate) fn sethostname(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    const CAP_SYS_ADMIN: u32 = 21;
    if !cx.task().cred.capable(CAP_SYS_ADMIN) {
        return Err(Errno::EPERM.into());
    }
    if a.i32::<1>() < 0 || a.i32::<1>() > 64 {
        return Err(Errno::EINVAL.into());
    }
    cx.kernel.config.hostname = cx.read_bytes(a.u64::<0>(), u64::from(a.u32::<1>()))?;
    Ok(0)
}

/// sysinfo(2).
pub(crate) fn sysinfo(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let total = cx.kernel.config.memory;
    let info = Sysinfo {
        uptime: (cx.kernel.now() / 1_000_000_000) as i64,
        totalram: total,
        freeram: total.saturating_sub(used_memory(cx.kernel)),
        procs: cx.kernel.tasks.len().min(usize::from(u16::MAX)) as u16,
        mem_unit: 1,
        ..Sysinfo::default()
    };
    cx.write_struct(a.u64::<0>(), &info)?;
    Ok(0)
}

/// getrandom(2).
pub(crate) fn getrandom(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    const NONBLOCK: u32 = 1;
    const RANDOM: u32 = 2;
    const INSECURE: u32 = 4;
    let flags = a.u32::<2>();
    if flags & !(NONBLOCK | RANDOM | INSECURE) != 0 || flags & (RANDOM | INSECURE) == RANDOM | INSECURE {
        return Err(Errno::EINVAL.into());
    }
    let count = a.u64::<1>().min(0x7fff_ffff);
    let mut done = 0;
    let mut buf = [0; 1024];
    while done < count {
        let want = (count - done).min(buf.len() as u64) as usize;
        let part = buf.get_mut(..want).unwrap_or_default();
        cx.kernel.entropy.fill(part);
        let written = cx.write_some(a.u64::<0>().wrapping_add(done), part);
        done += written as u64;
        if written < want {
            return if done > 0 { Ok(done) } else { Err(Errno::EFAULT.into()) };
        }
    }
    Ok(done)
}

/// riscv_hwprobe(2): `Documentation/arch/riscv/hwprobe.rst` of Linux.
pub(crate) fn riscv_hwprobe(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    const WHICH_CPUS: u32 = 1;
    let (addr, count, flags) = (a.u64::<0>(), a.u64::<1>(), a.u32::<4>());
    if flags & !WHICH_CPUS != 0 {
        return Err(Errno::EINVAL.into());
    }
    // With a set of processors: one that names none of ours is an error. All processors are alike.
    let (size, set) = (a.u64::<2>(), a.u64::<3>());
    let asked = if size > 0 && set != 0 { cx.read_bytes(set, size.min(128))? } else { Vec::new() };
    let ours = own_cpus(cx);
    let none = asked.iter().zip(ours.to_le_bytes()).all(|(asked, own)| asked & own == 0);
    if flags & WHICH_CPUS == 0 && !asked.is_empty() && none {
        return Err(Errno::EINVAL.into());
    }
    if flags & WHICH_CPUS != 0 && asked.is_empty() {
        return Err(Errno::EINVAL.into());
    }
    let mut matches = true;
    for at in 0..count {
        let at = addr.wrapping_add(at.wrapping_mul(size_of::<Hwprobe>() as u64));
        let pair: Hwprobe = cx.read_struct(at)?;
        let known = cx.kernel.config.hwprobe.iter().find(|known| i64::from(known.0) == pair.key).map(|known| known.1);
        if flags & WHICH_CPUS == 0 {
            let answer = match known {
                Some(value) => Hwprobe { key: pair.key, value },
                None => Hwprobe { key: -1, value: 0 },
            };
            cx.write_struct(at, &answer)?;
        } else {
            matches &= known == Some(pair.value);
        }
    }
    if flags & WHICH_CPUS != 0 {
        let cpus: Vec<u8> = asked
            .iter()
            .enumerate()
            .map(|(byte, &asked)| {
                let own = ours.to_le_bytes().get(byte).copied().unwrap_or(0);
                let wanted = if none { own } else { asked & own };
                if matches { wanted } else { 0 }
            })
            .collect();
        cx.write_bytes(set, &cpus)?;
    }
    Ok(0)
}

/// riscv_flush_icache(2).
pub(crate) fn riscv_flush_icache(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    const LOCAL: u64 = 1;
    if a.u64::<2>() & !LOCAL != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (start, end) = (a.u64::<0>(), a.u64::<1>());
    let mm = cx.mm_id();
    if end > start {
        cx.kernel.cpu.flush_icache(mm, start, end - start);
    } else {
        cx.kernel.cpu.flush_icache(mm, 0, friscy_boundary::WINDOW_SIZE);
    }
    Ok(0)
}

/// The processors there are, as a bit set.
fn own_cpus(cx: &Ctx<'_>) -> u64 {
    match cx.kernel.config.cpus {
        0 => 1,
        cpus if cpus >= 64 => u64::MAX,
        cpus => (1 << cpus) - 1,
    }
}

fn task_of(cx: &Ctx<'_>, tid: i32) -> Result<Tid, Errno> {
    match tid {
        0 => Ok(cx.tid),
        tid if tid > 0 && cx.kernel.tasks.contains_key(&(tid as Tid)) => Ok(tid as Tid),
        tid if tid > 0 => Err(Errno::ESRCH),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_getaffinity(2).
pub(crate) fn sched_getaffinity(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    // Unlike other calls, this one takes a negative number for that of a task that is not there.
    task_of(cx, a.i32::<0>()).map_err(|_| Errno::ESRCH)?;
    if a.u64::<1>() % 8 != 0 || a.u64::<1>() == 0 {
        return Err(Errno::EINVAL.into());
    }
    let cpus = own_cpus(cx);
    cx.write_struct(a.u64::<2>(), &cpus)?;
    Ok(8)
}

/// sched_setaffinity(2).
pub(crate) fn sched_setaffinity(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    // Unlike other calls, this one takes a negative number for that of a task that is not there.
    task_of(cx, a.i32::<0>()).map_err(|_| Errno::ESRCH)?;
    let wanted = cx.read_bytes(a.u64::<2>(), a.u64::<1>().min(128))?;
    if wanted.iter().zip(own_cpus(cx).to_le_bytes()).all(|(wanted, own)| wanted & own == 0) {
        return Err(Errno::EINVAL.into());
    }
    Ok(0)
}

/// getcpu(2).
pub(crate) fn getcpu(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    for addr in [a.u64::<0>(), a.u64::<1>()] {
        if addr != 0 {
            cx.write_struct(addr, &0u32)?;
        }
    }
    Ok(0)
}

/// Threads that getpriority(2) and setpriority(2) name.
fn priority_targets(cx: &Ctx<'_>, which: u32, who: u32) -> Result<Vec<Tid>, Errno> {
    let tasks = cx.kernel.tasks.values();
    let found: Vec<Tid> = match which {
        PRIO_PROCESS => {
            let tid = if who == 0 { cx.tid } else { who };
            tasks.filter(|task| task.tid == tid).map(|task| task.tid).collect()
        }
        PRIO_PGRP => {
            let pgid = if who == 0 { cx.process().pgid } else { who };
            let in_group = |tgid| {
                cx.kernel.processes.get(&tgid).is_some_and(|process: &friscy_kernel::Process| process.pgid == pgid)
            };
            tasks.filter(|task| in_group(task.tgid)).map(|task| task.tid).collect()
        }
        PRIO_USER => {
            let uid = if who == 0 { cx.task().cred.uid } else { who };
            tasks.filter(|task| task.cred.uid == uid).map(|task| task.tid).collect()
        }
        _ => return Err(Errno::EINVAL),
    };
    if found.is_empty() { Err(Errno::ESRCH) } else { Ok(found) }
}

/// getpriority(2): 20 minus the nice value, so that the result is never negative.
pub(crate) fn getpriority(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let nice = priority_targets(cx, a.u32::<0>(), a.u32::<1>())?
        .into_iter()
        .filter_map(|tid| cx.kernel.tasks.get(&tid))
        .map(|task| task.nice)
        .min();
    Ok((20 - nice.unwrap_or(0)) as u64)
}

/// setpriority(2).
pub(crate) fn setpriority(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    const CAP_SYS_NICE: u32 = 23;
    let nice = a.i32::<2>().clamp(-20, 19);
    let privileged = cx.task().cred.capable(CAP_SYS_NICE);
    for tid in priority_targets(cx, a.u32::<0>(), a.u32::<1>())? {
        if let Some(task) = cx.kernel.tasks.get_mut(&tid) {
            if nice < task.nice && !privileged {
                return Err(Errno::EACCES.into());
            }
            task.nice = nice;
        }
    }
    Ok(0)
}

/// ioprio_get(2): best effort, level 4.
pub(crate) fn ioprio_get(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let _ = (cx, a);
    Ok(2 << 13 | 4)
}

/// ioprio_set(2).
pub(crate) fn ioprio_set(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let _ = cx;
    if matches!(a.u32::<0>(), 1..=3) { Ok(0) } else { Err(Errno::EINVAL.into()) }
}

/// prlimit64(2).
pub(crate) fn prlimit64(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let pid = if a.i32::<0>() == 0 { cx.pid() } else { a.u32::<0>() };
    let resource = a.u32::<1>() as usize;
    let process = cx.kernel.processes.get(&pid).ok_or(Errno::ESRCH)?;
    let old = *process.rlimits.0.get(resource).ok_or(Errno::EINVAL)?;
    if a.u64::<2>() != 0 {
        let new: Rlimit = cx.read_struct(a.u64::<2>())?;
        if new.rlim_cur > new.rlim_max {
            return Err(Errno::EINVAL.into());
        }
        let most_files = resource == RLIMIT_NOFILE as usize && new.rlim_max > 1_048_576;
        if new.rlim_max > old.rlim_max && !cx.task().cred.capable(CAP_SYS_RESOURCE) || most_files {
            return Err(Errno::EPERM.into());
        }
        if let Some(process) = cx.kernel.processes.get_mut(&pid)
            && let Some(slot) = process.rlimits.0.get_mut(resource)
        {
            *slot = new;
        }
    }
    if a.u64::<3>() != 0 {
        cx.write_struct(a.u64::<3>(), &old)?;
    }
    Ok(0)
}

/// getrlimit(2).
pub(crate) fn getrlimit(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    prlimit64(cx, &Args([0, a.u64::<0>(), 0, a.u64::<1>(), 0, 0]))
}

/// setrlimit(2).
pub(crate) fn setrlimit(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    prlimit64(cx, &Args([0, a.u64::<0>(), a.u64::<1>(), 0, 0, 0]))
}

/// getrusage(2).
pub(crate) fn getrusage(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let usage: Usage = match a.i32::<0>() {
        RUSAGE_SELF => cx.kernel.usage_of(cx.pid()),
        RUSAGE_CHILDREN => cx.process().children_usage,
        RUSAGE_THREAD => cx.kernel.task_usage(cx.task()),
        _ => return Err(Errno::EINVAL.into()),
    };
    cx.write_struct(a.u64::<1>(), &rusage(&usage))?;
    Ok(0)
}

/// personality(2).
pub(crate) fn personality(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let old = cx.task().personality;
    if a.u32::<0>() != u32::MAX {
        cx.task_mut().personality = a.u32::<0>();
    }
    Ok(u64::from(old))
}

/// prctl(2).
pub(crate) fn prctl(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let (option, arg) = (a.u32::<0>(), a.u64::<1>());
    Ok(match option {
        PR_SET_NAME => {
            let mut name = vec![0; 16];
            let got = cx.read_some(arg, &mut name);
            name.truncate(got);
            let end = name.iter().position(|&byte| byte == 0);
            if end.is_none() && got < 16 {
                return Err(Errno::EFAULT.into());
            }
            name.truncate(end.unwrap_or(15));
            cx.task_mut().comm = name;
            0
        }
        PR_GET_NAME => {
            let mut name = [0; 16];
            for (slot, &byte) in name.iter_mut().take(15).zip(&cx.task().comm) {
                *slot = byte;
            }
            cx.write_bytes(arg, &name)?;
            0
        }
        PR_SET_PDEATHSIG => {
            if arg > 64 {
                return Err(Errno::EINVAL.into());
            }
            cx.task_mut().parent_death_signal = arg as u32;
            0
        }
        PR_GET_PDEATHSIG => {
            let signal = cx.task().parent_death_signal;
            cx.write_struct(arg, &signal)?;
            0
        }
        PR_GET_DUMPABLE => u64::from(cx.process().dumpable),
        PR_SET_DUMPABLE if arg <= 1 => {
            cx.process_mut().dumpable = arg as u32;
            0
        }
        PR_GET_KEEPCAPS => u64::from(cx.task().cred.keep_caps),
        PR_SET_KEEPCAPS if arg <= 1 => {
            std::rc::Rc::make_mut(&mut cx.task_mut().cred).keep_caps = arg == 1;
            0
        }
        PR_CAPBSET_READ if arg <= 40 => cx.task().cred.cap_bounding >> arg & 1,
        PR_CAPBSET_DROP if arg <= 40 => {
            const CAP_SETPCAP: u32 = 8;
            if !cx.task().cred.capable(CAP_SETPCAP) {
                return Err(Errno::EPERM.into());
            }
            std::rc::Rc::make_mut(&mut cx.task_mut().cred).cap_bounding &= !(1 << arg);
            0
        }
        PR_SET_CHILD_SUBREAPER => {
            cx.process_mut().subreaper = arg != 0;
            0
        }
        PR_GET_CHILD_SUBREAPER => {
            let on = u32::from(cx.process().subreaper);
            cx.write_struct(arg, &on)?;
            0
        }
        PR_SET_NO_NEW_PRIVS if arg == 1 => {
            std::rc::Rc::make_mut(&mut cx.task_mut().cred).no_new_privs = true;
            0
        }
        PR_GET_NO_NEW_PRIVS => u64::from(cx.task().cred.no_new_privs),
        PR_GET_SECUREBITS | PR_GET_TIMING | PR_GET_THP_DISABLE | PR_GET_SECCOMP => 0,
        PR_SET_TIMERSLACK | PR_SET_THP_DISABLE | PR_SET_PTRACER => 0,
        PR_GET_TIMERSLACK => 50_000,
        PR_GET_TID_ADDRESS => {
            let address = cx.task().clear_child_tid;
            cx.write_struct(arg, &address)?;
            0
        }
        // Names of anonymous mappings are for /proc alone; Linux without the option answers the same.
        PR_SET_VMA => return Err(Errno::EINVAL.into()),
        _ => return Err(Errno::EINVAL.into()),
    })
}

/// sync(2).
pub(crate) fn sync(cx: &mut Ctx<'_>, a: &Args) -> SysResult {
    let _ = (cx, a);
    Ok(0)
}
