//! Processes: creation, end, waiting, groups.

use super::{fork, kernel, thread};
use crate::process::{ExitStatus, WaitWhat, WaitWhich};
use crate::signal::{SIG_IGN_ACTION, SIGCHLD, SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM};
use crate::{Kernel, Pid};
use friscy_abi::Errno;
use friscy_abi::sched::{WCONTINUED, WEXITED, WNOWAIT, WUNTRACED};

const ALL: u32 = WEXITED | WUNTRACED | WCONTINUED;

fn waited(k: &mut Kernel, parent: Pid, options: u32) -> Result<Option<(Pid, WaitWhat)>, Errno> {
    Ok(k.wait_child(parent, WaitWhich::Any, options)?.map(|report| (report.pid, report.what)))
}

#[test]
fn a_zombie_is_reported_once() {
    let mut k = kernel();
    let child = fork(&mut k, 1);
    assert_eq!(k.task(child).regs.pc, k.task(1).regs.pc + 4);
    assert_eq!(waited(&mut k, 1, ALL), Ok(None));
    k.exit_group(child, ExitStatus::Exited(3));
    let expected = Ok(Some((child, WaitWhat::Ended(ExitStatus::Exited(3)))));
    assert!(k.pending_set(1).is_empty(), "SIGCHLD is ignored by default");
    assert_eq!(waited(&mut k, 1, WUNTRACED), Ok(None));
    assert_eq!(waited(&mut k, 1, ALL | WNOWAIT), expected);
    assert_eq!(waited(&mut k, 1, ALL), expected);
    assert_eq!(waited(&mut k, 1, ALL), Err(Errno::ECHILD));
    assert_eq!(ExitStatus::Exited(3).to_wstatus(), 0x300);
    assert_eq!(ExitStatus::Signaled { signo: 11, core: true }.to_wstatus(), 0x8b);
}

#[test]
fn stops_and_continuations_are_reported() {
    let mut k = kernel();
    let child = fork(&mut k, 1);
    k.kill(1, child as i32, SIGSTOP).unwrap();
    assert_eq!(k.deliver_signals(child, None), crate::signal::Delivered::Off);
    assert_eq!(waited(&mut k, 1, WEXITED), Ok(None));
    assert_eq!(waited(&mut k, 1, ALL), Ok(Some((child, WaitWhat::Stopped(SIGSTOP)))));
    assert_eq!(waited(&mut k, 1, ALL), Ok(None));
    k.kill(1, child as i32, SIGCONT).unwrap();
    assert_eq!(waited(&mut k, 1, ALL), Ok(Some((child, WaitWhat::Continued))));
    assert_eq!(k.task(child).state, crate::RunState::Ready);
    k.kill(1, child as i32, SIGKILL).unwrap();
    k.settle();
    let killed = ExitStatus::Signaled { signo: SIGKILL, core: false };
    assert_eq!(waited(&mut k, 1, ALL), Ok(Some((child, WaitWhat::Ended(killed)))));
}

#[test]
fn who_ignores_children_has_no_zombies() {
    let mut k = kernel();
    k.sigaction(1, SIGCHLD, Some(SIG_IGN_ACTION)).unwrap();
    let child = fork(&mut k, 1);
    k.exit_group(child, ExitStatus::Exited(0));
    assert_eq!(waited(&mut k, 1, ALL), Err(Errno::ECHILD));
    assert!(!k.processes.contains_key(&child));
}

#[test]
fn orphans_go_to_the_first_process_or_a_subreaper() {
    let mut k = kernel();
    let reaper = fork(&mut k, 1);
    let middle = fork(&mut k, reaper);
    let orphan = fork(&mut k, middle);
    k.process_mut(reaper).subreaper = true;
    k.exit_group(middle, ExitStatus::Exited(0));
    assert_eq!(k.process(orphan).parent, reaper);
    assert_eq!(k.process(reaper).children, [middle, orphan]);
    k.exit_group(reaper, ExitStatus::Exited(0));
    assert_eq!(k.process(orphan).parent, 1);
    assert_eq!(k.process(middle).parent, 1);
}

#[test]
fn the_end_of_the_first_process_ends_all() {
    let mut k = kernel();
    let child = fork(&mut k, 1);
    thread(&mut k, child);
    k.exit_group(1, ExitStatus::Exited(5));
    k.settle();
    assert_eq!(k.exit_status, Some(ExitStatus::Exited(5)));
    assert!(k.tasks.is_empty());
}

#[test]
fn groups_and_sessions() {
    let mut k = kernel();
    let (a, b) = (fork(&mut k, 1), fork(&mut k, 1));
    assert_eq!(k.setpgid(1, a as i32, 0), Ok(()));
    assert_eq!(k.setpgid(1, b as i32, a as i32), Ok(()));
    assert_eq!(k.group_members(a), [a, b]);
    assert_eq!(k.setpgid(1, 0, a as i32), Err(Errno::EPERM), "a session leader stays");
    assert_eq!(k.setpgid(1, b as i32, 999), Err(Errno::EPERM));
    assert_eq!(k.setpgid(a, b as i32, 0), Err(Errno::ESRCH));
    k.process_mut(b).did_exec = true;
    assert_eq!(k.setpgid(1, b as i32, b as i32), Err(Errno::EACCES));
    assert_eq!(k.setsid(a), Err(Errno::EPERM), "a group leader stays");
    assert_eq!(k.setsid(b), Ok(b));
    assert_eq!((k.process(b).pgid, k.process(b).sid), (b, b));
    assert_eq!(k.setpgid(1, b as i32, 1), Err(Errno::EPERM), "it is in another session");
}

#[test]
fn a_stopped_group_that_is_orphaned_is_hung_up() {
    let mut k = kernel();
    let shell = fork(&mut k, 1);
    let job = fork(&mut k, shell);
    k.setpgid(shell, job as i32, 0).unwrap();
    // The shell in a session of its own: its end orphans the job's group.
    k.process_mut(shell).sid = shell;
    k.process_mut(shell).pgid = shell;
    k.process_mut(job).sid = shell;
    assert!(!k.is_orphaned_group(job));
    k.stop_process(job, SIGSTOP);
    k.exit_group(shell, ExitStatus::Exited(0));
    assert!(k.is_orphaned_group(job));
    assert!(k.pending_set(job).has(SIGHUP));
    assert_eq!(k.process(job).stopped, None, "SIGCONT follows");
}

#[test]
fn kill_names_processes_groups_and_all() {
    let mut k = kernel();
    let (a, b) = (fork(&mut k, 1), fork(&mut k, 1));
    k.setpgid(1, a as i32, 0).unwrap();
    assert_eq!(k.kill(1, 999, SIGTERM), Err(Errno::ESRCH));
    assert_eq!(k.kill(1, 1, 65), Err(Errno::EINVAL));
    assert_eq!(k.kill(1, -(a as i32), SIGTERM), Ok(()));
    assert!(k.pending_set(a).has(SIGTERM) && !k.pending_set(b).has(SIGTERM));
    assert_eq!(k.kill(b, -1, SIGTERM), Ok(()));
    assert!(!k.pending_set(1).has(SIGTERM) && !k.pending_set(b).has(SIGTERM));
    // A user may signal his own processes only.
    let user = std::rc::Rc::new(crate::cred::Cred::new(1000, 1000, Vec::new()));
    k.task_mut(b).cred = user.clone();
    assert_eq!(k.kill(b, a as i32, 0), Err(Errno::EPERM));
    k.task_mut(a).cred = user;
    assert_eq!(k.kill(b, a as i32, 0), Ok(()));
}
