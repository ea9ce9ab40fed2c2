//! /proc/PID: what is told of a process or thread, proc(5).

use super::proc_maps::{maps, mountinfo, mounts, smaps};
use super::proc_root::parse_number;
use super::proc_state::{auxv, cmdline, comm, environ, limits, stat, statm, status};
use super::{ProcWrite, with_kernel};
use crate::process::Process;
use crate::task::Task;
use crate::{Kernel, Pid, Tid};
use friscy_abi::Errno;
use friscy_vfs::{FileType, Location, SynthAttr, SynthDir, SynthFile, SynthLink, SynthNode};
use std::fmt::Write as _;
use std::rc::Rc;

/// What a generated file of a thread is made of.
pub(super) struct Subject<'k> {
    pub(super) kernel: &'k Kernel,
    pub(super) process: &'k Process,
    /// Absent for a zombie.
    pub(super) task: Option<&'k Task>,
    pub(super) pid: Pid,
    pub(super) tid: Tid,
}

impl<'k> Subject<'k> {
    pub(super) fn live(&self) -> Result<&'k Task, Errno> {
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
    let ids =
        with_subject(pid, tid, |subject| Ok(subject.task.map_or((0, 0), |task| (task.cred.euid, task.cred.egid))));
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
    ("oom_score_adj", Item::File(0o644, |subject| Ok(format!("{}\n", subject.process.oom_score_adj).into_bytes()))),
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
