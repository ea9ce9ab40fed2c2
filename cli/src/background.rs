//! What is compiled when a command has ended: what it ran and was not worth waiting for, so that the next run has it.
//!
//! It is done by a process of its own, as `git gc --auto` is: of the lowest priority, without a terminal, at most one for a
//! cache folder, and for no longer than [`MAX_SECONDS`].

use crate::code_cache::CodeCache;
use crate::host::Events;
use friscy_cpu::Rest;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Resource, Rlimit};
use rustix::time::{ClockId, clock_gettime};
use std::cell::RefCell;
use std::fs::OpenOptions;
use std::time::Duration;

/// The most processor time that is taken, in seconds.
const MAX_SECONDS: i64 = 30;

/// Between two looks at whether something was compiled.
const INTERVAL: Duration = Duration::from_micros(500);

/// Compiles what the run has left in a process of its own, and keeps it. Where there cannot be one, the next run does without.
/// `release` frees there what is not needed any more, the guest's memory above all.
pub fn keep(code: &RefCell<CodeCache>, rest: &Rest, release: impl FnOnce()) {
    if !code.borrow().has_new() && rest.is_empty() {
        return;
    }
    // Somebody else is at it.
    let Some(lock) = code.borrow().lock().filter(|lock| flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok())
    else {
        return;
    };
    // SAFETY: the child goes on with this thread alone. It takes no lock that another thread may have held: those compile,
    // which it does by itself from now on, or copy files, and the allocator looks after itself.
    match unsafe { libc::fork() } {
        0 => {
            alone(code, rest, release);
            drop(lock);
            // SAFETY: ends the process without what the parent does at its end.
            unsafe { libc::_exit(0) }
        }
        _ => drop(lock),
    }
}

/// What the process of its own does.
fn alone(code: &RefCell<CodeCache>, rest: &Rest, release: impl FnOnce()) {
    // What cannot be had is done without.
    let _ = rustix::process::setsid();
    let _ = rustix::process::nice(19);
    // Whatever holds it up.
    let most = Some(2 * MAX_SECONDS as u64);
    let _ = rustix::process::setrlimit(Resource::Cpu, Rlimit { current: most, maximum: most });
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
    release();
    friscy_jit::without_threads();
    rest.compile(&|_| clock_gettime(ClockId::ProcessCPUTime).tv_sec < MAX_SECONDS);
    let _ = code.borrow().write();
}

/// Compiles what the run has left, and keeps it, before this returns or a signal comes.
pub fn keep_now(code: &RefCell<CodeCache>, rest: &Rest, events: &Events) {
    rest.compile(&|waits| {
        if waits {
            std::thread::sleep(INTERVAL);
        }
        events.signals().next().is_none()
    });
    // The next run does without.
    let _ = code.borrow().write();
}
