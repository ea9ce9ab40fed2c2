//! /proc/PID: what is told of a process or thread, proc(5).

use super::proc_root::{TICKS, parse_number};
use super::{ProcWrite, with_kernel};
use crate::mm::{VmaBacking, VmaFlags};
use crate::process::Process;
use crate::task::{RunState, Task};
use crate::{Kernel, Pid, Tid};
use friscy_abi::Errno;
use friscy_abi::layout::{major, minor};
use friscy_abi::signal::SIGCHLD;
use friscy_vfs::{FileType, Location, SynthAttr, SynthDir, SynthFile, SynthLink, SynthNode};
use std::fmt::Write as _;
use std::rc::Rc;

const NANOS: u64 = 1_000_000_000;

/// What a generated file of a thread is made of.
struct Subject<'k> {
    kernel: &'k Kernel,
    process: &'k Process,
    /// Absent for a zombie.
    task: Option<&'k Task>,
    pid: Pid,
    tid: Tid,
}

impl<'k> Subject<'k> {
    fn live(&self) -> Result<&'k Task, Errno> {
        self.task.ok_or(Errno::ESRCH)
    }
}

fn with_subject<R>(pid: Pid, tid: Tid, act: impl FnOnce(Subject<'_>) -> Result<R, Errno>) -> Result<R, Errno> {
    with_kernel(|kernel| {
        let process = kernel.processes.get(&pid).ok_or(Errno::ESRCH)?;
        let task = kernel.tasks.get(&tid).or_else(|| process.threads.first().and_then(|first| kernel.tasks.get(first)));
        act(Subject { kernel, process, task, pid, tid })
    })
}

/// Who owns the files of a process.
fn owner(pid: Pid, tid: Tid, mode: u32) -> SynthAttr {
    let ids = with_subject(pid, tid, |subject| {
        Ok(subject.task.map_or((0, 0), |task| (task.cred.euid, task.cred.egid)))
    });
    let (uid, gid) = ids.unwrap_or((0, 0));
    SynthAttr { uid, gid, ..SynthAttr::root(mode) }
}

type Text = fn(&Subject<'_>) -> Result<Vec<u8>, Errno>;
type Target = fn(&Subject<'_>) -> Result<Location, Errno>;

/// An entry of /proc/PID.
#[derive(Clone, Copy)]
enum Item {
    File(u32, Text),
    Exe,
    Place(Target),
    Fd,
    FdInfo,
    Task,
    Net,
    Ns,
}

const ITEMS: &[(&str, Item)] = &[
    ("auxv", Item::File(0o400, auxv)),
    ("cgroup", Item::File(0o444, |_| Ok(b"0::/\n".to_vec()))),
    ("cmdline", Item::File(0o444, cmdline)),
    ("comm", Item::File(0o644, comm)),
    ("cwd", Item::Place(|subject| Ok(subject.live()?.fs.borrow().cwd.clone()))),
    ("environ", Item::File(0o400, environ)),
    ("exe", Item::Exe),
    ("fd", Item::Fd),
    ("fdinfo", Item::FdInfo),
    ("gid_map", Item::File(0o644, |_| Ok(b"         0          0 4294967295\n".to_vec()))),
    ("limits", Item::File(0o444, limits)),
    ("loginuid", Item::File(0o644, |_| Ok(b"4294967295".to_vec()))),
    ("maps", Item::File(0o444, maps)),
    ("mountinfo", Item::File(0o444, mountinfo)),
    ("mounts", Item::File(0o444, mounts)),
    ("net", Item::Net),
    ("ns", Item::Ns),
    ("oom_adj", Item::File(0o644, |_| Ok(b"0\n".to_vec()))),
    ("oom_score", Item::File(0o444, |_| Ok(b"0\n".to_vec()))),
    ("oom_score_adj", Item::File(0o644, |subject| {
        Ok(format!("{}\n", subject.process.oom_score_adj).into_bytes())
    })),
    ("personality", Item::File(0o400, |subject| Ok(format!("{:08x}\n", subject.live()?.personality).into_bytes()))),
    ("root", Item::Place(|subject| Ok(subject.live()?.fs.borrow().root.clone()))),
    ("smaps", Item::File(0o444, smaps)),
    ("stat", Item::File(0o444, stat)),
    ("statm", Item::File(0o444, statm)),
    ("status", Item::File(0o444, status)),
    ("task", Item::Task),
    ("timerslack_ns", Item::File(0o666, |_| Ok(b"50000\n".to_vec()))),
    ("uid_map", Item::File(0o644, |_| Ok(b"         0          0 4294967295\n".to_vec()))),
    ("wchan", Item::File(0o444, |_| Ok(b"0".to_vec()))),
];

impl Item {
    fn file_type(self) -> FileType {
        match self {
            Item::File(..) => FileType::Regular,
            Item::Exe | Item::Place(_) => FileType::Symlink,
            Item::Fd | Item::FdInfo | Item::Task | Item::Net | Item::Ns => FileType::Directory,
        }
    }
}

/// The directory of process `pid`, seen as thread `tid` (equal to `pid` for /proc/PID).
pub(super) fn directory(pid: Pid, tid: Tid) -> SynthNode {
    SynthNode::Dir(Rc::new(ProcessDir { pid, tid, thread: false }))
}

struct ProcessDir {
    pid: Pid,
    tid: Tid,
    /// /proc/PID/task/TID, which has no `task` itself.
    thread: bool,
}

impl ProcessDir {
    fn items(&self) -> impl Iterator<Item = &'static (&'static str, Item)> {
        let thread = self.thread;
        ITEMS.iter().filter(move |(_, item)| !(thread && matches!(item, Item::Task)))
    }
}

impl SynthDir for ProcessDir {
    fn lookup(&self, name: &[u8]) -> Option<SynthNode> {
        let (pid, tid) = (self.pid, self.tid);
        let &(name, item) = self.items().find(|(other, _)| other.as_bytes() == name)?;
        Some(match item {
            Item::File(mode, text) => SynthNode::File(Rc::new(PidFile { pid, tid, mode, text, name })),
            Item::Exe => SynthNode::Link(Rc::new(Exe { pid, tid })),
            Item::Place(target) => SynthNode::Link(Rc::new(Place { pid, tid, target })),
            Item::Fd => SynthNode::Dir(Rc::new(FdDir { pid, tid, info: false })),
            Item::FdInfo => SynthNode::Dir(Rc::new(FdDir { pid, tid, info: true })),
            Item::Task => SynthNode::Dir(Rc::new(TaskDir { pid })),
            Item::Net | Item::Ns => SynthNode::Dir(Rc::new(super::node::FixedDir(&[]))),
        })
    }

    fn list(&self) -> Vec<(Vec<u8>, FileType)> {
        self.items().map(|(name, item)| (name.as_bytes().to_vec(), item.file_type())).collect()
    }

    fn attr(&self) -> SynthAttr {
        owner(self.pid, self.tid, 0o555)
    }
}

struct PidFile {
    pid: Pid,
    tid: Tid,
    mode: u32,
    text: Text,
    name: &'static str,
}

impl SynthFile for PidFile {
    fn read(&self) -> Result<Vec<u8>, Errno> {
        with_subject(self.pid, self.tid, |subject| (self.text)(&subject))
    }

    fn write(&self, _off: u64, data: &[u8]) -> Result<usize, Errno> {
        let text = data.strip_suffix(b"\n").unwrap_or(data);
        let write = match self.name {
            "comm" => ProcWrite::Comm(self.tid, text.get(..text.len().min(15)).unwrap_or(text).to_vec()),
            "oom_score_adj" => {
                let value = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<i32>().ok());
                let value = value.filter(|value| (-1000..=1000).contains(value)).ok_or(Errno::EINVAL)?;
                ProcWrite::OomScoreAdj(self.pid, value)
            }
            "oom_adj" | "timerslack_ns" | "loginuid" => return Ok(data.len()),
            _ => return Err(Errno::EPERM),
        };
        with_kernel(|kernel| {
            kernel.drivers.proc_writes.borrow_mut().push(write);
            Ok(data.len())
        })
    }

    fn attr(&self) -> SynthAttr {
        owner(self.pid, self.tid, self.mode)
    }
}

struct Exe {
    pid: Pid,
    tid: Tid,
}

impl SynthLink for Exe {
    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        with_subject(self.pid, self.tid, |subject| {
            let exe = subject.live()?.mm.borrow().exe.clone();
            if exe.is_empty() { Err(Errno::ENOENT) } else { Ok(exe) }
        })
    }

    fn attr(&self) -> SynthAttr {
        owner(self.pid, self.tid, 0o777)
    }
}

struct Place {
    pid: Pid,
    tid: Tid,
    target: Target,
}

impl SynthLink for Place {
    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        let place = with_subject(self.pid, self.tid, |subject| (self.target)(&subject))?;
        Ok(place.path_from(None).proc_text())
    }

    fn follow(&self) -> Result<Option<Location>, Errno> {
        with_subject(self.pid, self.tid, |subject| (self.target)(&subject)).map(Some)
    }

    fn attr(&self) -> SynthAttr {
        owner(self.pid, self.tid, 0o777)
    }
}

struct FdDir {
    pid: Pid,
    tid: Tid,
    info: bool,
}

impl SynthDir for FdDir {
    fn lookup(&self, name: &[u8]) -> Option<SynthNode> {
        let (pid, tid) = (self.pid, self.tid);
        let fd = i32::try_from(parse_number(name)?).ok()?;
        let there = with_subject(pid, tid, |subject| Ok(subject.live()?.files.borrow().get(fd).is_ok())).ok()?;
        there.then(|| {
            if self.info {
                SynthNode::File(Rc::new(FdInfo { pid, tid, fd }))
            } else {
                SynthNode::Link(Rc::new(FdLink { pid, tid, fd }))
            }
        })
    }

    fn list(&self) -> Vec<(Vec<u8>, FileType)> {
        let kind = if self.info { FileType::Regular } else { FileType::Symlink };
        with_subject(self.pid, self.tid, |subject| {
            let files = subject.live()?.files.borrow();
            Ok(files.iter().map(|(fd, _)| (fd.to_string().into_bytes(), kind)).collect())
        })
        .unwrap_or_default()
    }

    fn attr(&self) -> SynthAttr {
        owner(self.pid, self.tid, if self.info { 0o555 } else { 0o500 })
    }
}

struct FdLink {
    pid: Pid,
    tid: Tid,
    fd: i32,
}

impl SynthLink for FdLink {
    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        with_subject(self.pid, self.tid, |subject| {
            let task = subject.live()?;
            let files = task.files.borrow();
            let file = files.get(self.fd).map_err(|_| Errno::ENOENT)?;
            let root = task.fs.borrow().root.clone();
            Ok(file.location().path_from(Some(&root)).proc_text())
        })
    }

    fn follow(&self) -> Result<Option<Location>, Errno> {
        with_subject(self.pid, self.tid, |subject| {
            let files = subject.live()?.files.borrow();
            let file = files.get(self.fd).map_err(|_| Errno::ENOENT)?;
            Ok(Some(file.location().clone()))
        })
    }

    fn attr(&self) -> SynthAttr {
        let mode = with_subject(self.pid, self.tid, |subject| {
            let files = subject.live()?.files.borrow();
            let file = files.get(self.fd)?;
            Ok(if file.readable() { 0o500 } else { 0 } | if file.writable() { 0o300 } else { 0 })
        });
        owner(self.pid, self.tid, mode.unwrap_or(0o700))
    }
}

struct FdInfo {
    pid: Pid,
    tid: Tid,
    fd: i32,
}

impl SynthFile for FdInfo {
    fn read(&self) -> Result<Vec<u8>, Errno> {
        with_subject(self.pid, self.tid, |subject| {
            let files = subject.live()?.files.borrow();
            let descriptor = files.descriptor(self.fd).map_err(|_| Errno::ENOENT)?;
            let file = &descriptor.file;
            let mut flags = file.flags() | friscy_abi::fcntl::O_LARGEFILE;
            if descriptor.cloexec {
                flags |= friscy_abi::fcntl::O_CLOEXEC;
            }
            let mut text = format!(
                "pos:\t{}\nflags:\t0{flags:o}\nmnt_id:\t{}\nino:\t{}\n",
                file.offset(),
                file.location().mount().id(),
                file.location().metadata().ino,
            );
            if let Some(epoll) = file.downcast::<crate::files::Epoll>() {
                for (fd, events, data) in epoll.entries() {
                    let _ = writeln!(text, "tfd: {fd:8} events: {events:8x} data: {data:16x}");
                }
            }
            Ok(text.into_bytes())
        })
    }
}

struct TaskDir {
    pid: Pid,
}

impl SynthDir for TaskDir {
    fn lookup(&self, name: &[u8]) -> Option<SynthNode> {
        let pid = self.pid;
        let tid = parse_number(name)?;
        let there = with_subject(pid, pid, |subject| Ok(subject.process.threads.contains(&tid))).ok()?;
        there.then(|| SynthNode::Dir(Rc::new(ProcessDir { pid, tid, thread: true })))
    }

    fn list(&self) -> Vec<(Vec<u8>, FileType)> {
        with_subject(self.pid, self.pid, |subject| {
            let threads = &subject.process.threads;
            Ok(threads.iter().map(|tid| (tid.to_string().into_bytes(), FileType::Directory)).collect())
        })
        .unwrap_or_default()
    }

    fn attr(&self) -> SynthAttr {
        owner(self.pid, self.pid, 0o555)
    }
}

/// Bytes of a task's memory that count as resident: what is writable.
pub(super) fn resident(task: &Task) -> u64 {
    task.mm.borrow().vmas.values().filter(|vma| vma.prot.read || vma.prot.write).map(|vma| vma.end - vma.start).sum()
}

fn guest_range(subject: &Subject<'_>, range: (u64, u64)) -> Result<Vec<u8>, Errno> {
    let Some(task) = subject.task else { return Ok(Vec::new()) };
    let len = range.1.saturating_sub(range.0).min(1 << 21) as usize;
    let mut bytes = vec![0; len];
    if len > 0 && subject.kernel.cpu.copy_in(task.mm_id, range.0, &mut bytes).is_err() {
        return Err(Errno::EIO);
    }
    Ok(bytes)
}

fn cmdline(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let Some(task) = subject.task else { return Ok(Vec::new()) };
    let range = task.mm.borrow().args;
    guest_range(subject, range)
}

fn environ(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let range = subject.live()?.mm.borrow().env;
    guest_range(subject, range)
}

fn auxv(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let mm = subject.live()?.mm.borrow();
    Ok(mm.auxv.iter().flat_map(|&(key, value)| [key.to_le_bytes(), value.to_le_bytes()].concat()).collect())
}

fn name_of(subject: &Subject<'_>) -> Vec<u8> {
    subject.task.map(|task| task.comm.clone()).unwrap_or_else(|| b"?".to_vec())
}

fn comm(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let mut name = name_of(subject);
    name.push(b'\n');
    Ok(name)
}

fn state_letter(subject: &Subject<'_>) -> (char, &'static str) {
    match subject.task.map(|task| &task.state) {
        _ if subject.process.zombie.is_some() => ('Z', "zombie"),
        _ if subject.process.stopped.is_some() => ('T', "stopped"),
        Some(RunState::Ready) => ('R', "running"),
        Some(RunState::Stopped) => ('T', "stopped"),
        Some(RunState::Dead) | None => ('Z', "zombie"),
        Some(RunState::Blocked(_)) => ('S', "sleeping"),
    }
}

fn stat(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
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
    let _ = write!(
        rest,
        " 0 0 {stack} 0 0 {} {} {} {} 0 0 0 {SIGCHLD} 0 0 0 0 0 0 0 0 0 {} {} {} {} 0\n",
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
fn signal_sets(subject: &Subject<'_>) -> (u64, u64, u64, u64) {
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

fn statm(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let Some(task) = subject.task else { return Ok(b"0 0 0 0 0 0 0\n".to_vec()) };
    let (size, rss) = (task.mm.borrow().total / 4096, resident(task) / 4096);
    Ok(format!("{size} {rss} 0 0 0 {rss} 0\n").into_bytes())
}

fn status(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
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
        let _ = write!(
            text,
            "VmPeak:\t{size:8} kB\nVmSize:\t{size:8} kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\nVmHWM:\t{rss:8} kB\nVmRSS:\t{rss:8} kB\nRssAnon:\t{rss:8} kB\nRssFile:\t       0 kB\nRssShmem:\t       0 kB\nVmData:\t{rss:8} kB\nVmStk:\t     132 kB\nVmExe:\t       0 kB\nVmLib:\t       0 kB\nVmPTE:\t       0 kB\nVmSwap:\t       0 kB\n"
        );
    }
    let (pending, blocked, ignored, caught) = signal_sets(subject);
    let _ = write!(
        text,
        "Threads:\t{}\nSigQ:\t0/{}\nSigPnd:\t{pending:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n",
        process.threads.len().max(1),
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

/// The lines of /proc/PID/maps with the length of each mapping.
fn map_lines(subject: &Subject<'_>) -> Result<Vec<(Vec<u8>, u64)>, Errno> {
    let Some(task) = subject.task else { return Ok(Vec::new()) };
    let mm = task.mm.borrow();
    let lines = mm.vmas.values().map(|vma| {
        let flag = |on: bool, letter: char| if on { letter } else { '-' };
        let (offset, dev, ino, name) = match &vma.backing {
            VmaBacking::Object { offset, file: Some(file), .. } => (*offset, file.dev, file.ino, file.path.clone()),
            VmaBacking::Object { offset, file: None, .. } => (*offset, 1, 1, b"/dev/zero (deleted)".to_vec()),
            VmaBacking::Anonymous => {
                let name: &[u8] = if vma.flags.contains(VmaFlags::STACK) {
                    b"[stack]"
                } else if vma.flags.contains(VmaFlags::HEAP) {
                    b"[heap]"
                } else if vma.flags.contains(VmaFlags::VDSO) {
                    b"[vdso]"
                } else {
                    b""
                };
                (0, 0, 0, name.to_vec())
            }
        };
        let mut line = format!(
            "{:08x}-{:08x} {}{}{}{} {offset:08x} {:02x}:{:02x} {ino} ",
            vma.start,
            vma.end,
            flag(vma.prot.read, 'r'),
            flag(vma.prot.write, 'w'),
            flag(vma.prot.exec, 'x'),
            if vma.is_shared() { 's' } else { 'p' },
            major(dev),
            minor(dev),
        )
        .into_bytes();
        if !name.is_empty() {
            line.resize(line.len().max(73), b' ');
            line.extend(name);
        }
        line.push(b'\n');
        (line, vma.end - vma.start)
    });
    Ok(lines.collect())
}

fn maps(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    Ok(map_lines(subject)?.into_iter().flat_map(|(line, _)| line).collect())
}

fn smaps(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let mut out = Vec::new();
    for (line, len) in map_lines(subject)? {
        out.extend(line);
        let size = len / 1024;
        out.extend(
            format!(
                "Size:           {size:8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss:            {size:8} kB\nPss:            {size:8} kB\n"
            )
            .into_bytes(),
        );
    }
    Ok(out)
}

fn limits(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
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

/// A path in a mount table: blanks and backslashes in octal.
fn escape(path: &[u8]) -> String {
    let mut text = String::new();
    for &byte in path {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\\') {
            let _ = write!(text, "\\{byte:03o}");
        } else {
            text.push(byte as char);
        }
    }
    text
}

fn mount_options(flags: friscy_vfs::MountFlags) -> String {
    let mut text = String::from(if flags.read_only { "ro" } else { "rw" });
    for (on, name) in
        [(flags.no_suid, ",nosuid"), (flags.no_dev, ",nodev"), (flags.no_exec, ",noexec"), (flags.no_atime, ",noatime")]
    {
        if on {
            text.push_str(name);
        }
    }
    text.push_str(",relatime");
    text
}

fn mounts(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let root = subject.live()?.fs.borrow().root.clone();
    let mut text = String::new();
    for info in subject.kernel.vfs.mounts(&root) {
        let _ = writeln!(
            text,
            "{} {} {} {} 0 0",
            escape(&info.source),
            escape(&info.mount_point),
            info.mount.file_system().super_block().name(),
            mount_options(info.mount.flags()),
        );
    }
    Ok(text.into_bytes())
}

fn mountinfo(subject: &Subject<'_>) -> Result<Vec<u8>, Errno> {
    let root = subject.live()?.fs.borrow().root.clone();
    let mut text = String::new();
    for info in subject.kernel.vfs.mounts(&root) {
        let sb = info.mount.file_system().super_block();
        let dev = sb.dev();
        let _ = writeln!(
            text,
            "{} {} {}:{} {} {} {} - {} {} {}",
            info.mount.id(),
            info.parent_id,
            major(dev),
            minor(dev),
            escape(&info.root),
            escape(&info.mount_point),
            mount_options(info.mount.flags()),
            sb.name(),
            escape(&info.source),
            if info.mount.flags().read_only { "ro" } else { "rw" },
        );
    }
    Ok(text.into_bytes())
}
