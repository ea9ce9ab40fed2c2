//! Compiling beside the guest: threads of this process, one a processor beside the guest's, each take the smallest region
//! there is, so that those that the guest waits for most often come soon.

use crate::compile::{Compiler, Finished};
use crate::emit::Emitted;
use friscy_lift_ir::Region;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// There are no threads.
static WITHOUT: AtomicBool = AtomicBool::new(false);

/// From now on whoever asks compiles, for all tiers of this process: one that was forked has no threads.
pub fn without_threads() {
    WITHOUT.store(true, Ordering::Relaxed);
}

/// Whether [`without_threads`] was called.
pub(crate) fn is_without() -> bool {
    WITHOUT.load(Ordering::Relaxed)
}

/// A region to compile.
struct Job {
    number: u64,
    region: Box<Region>,
    reply: Sender<Answer>,
}

/// A region that was compiled, or the reason why not.
pub(crate) struct Answer {
    pub(crate) number: u64,
    pub(crate) region: Box<Region>,
    pub(crate) result: Emitted<Finished>,
    /// How long it took.
    pub(crate) time: Duration,
}

/// The most threads. One processor is left to the guest.
const MAX_THREADS: usize = 4;

/// What the threads are to do.
#[derive(Default)]
struct Jobs {
    waiting: Mutex<Vec<Job>>,
    came: Condvar,
}

/// The threads.
struct Pool {
    jobs: Arc<Jobs>,
    threads: usize,
}

/// The threads; nothing if the host refuses any.
fn pool() -> Option<&'static Pool> {
    static POOL: OnceLock<Option<Pool>> = OnceLock::new();
    POOL.get_or_init(|| {
        let jobs = Arc::new(Jobs::default());
        let wanted =
            thread::available_parallelism().map_or(1, |processors| (processors.get() - 1).clamp(1, MAX_THREADS));
        let start = |_: &usize| {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name("friscy-jit".to_owned()).spawn(move || work(&jobs)).is_ok()
        };
        let threads = (0..wanted).take_while(start).count();
        (threads > 0).then_some(Pool { jobs, threads })
    })
    .as_ref()
}

/// Compiles what there is.
fn work(jobs: &Jobs) {
    let mut compiler = None;
    while let Some(Job { number, region, reply }) = jobs.next() {
        let begin = Instant::now();
        let result = compiler.get_or_insert_with(Compiler::new).compile(&region);
        // A tier that is gone does not want it any more.
        let _ = reply.send(Answer { number, region, result, time: begin.elapsed() });
    }
}

impl Jobs {
    fn add(&self, job: Job) -> bool {
        let Ok(mut waiting) = self.waiting.lock() else { return false };
        waiting.push(job);
        self.came.notify_one();
        true
    }

    /// Waits for a job and takes the smallest.
    fn next(&self) -> Option<Job> {
        let waiting = self.waiting.lock().ok()?;
        let mut waiting = self.came.wait_while(waiting, |waiting| waiting.is_empty()).ok()?;
        let smallest = waiting.iter().enumerate().min_by_key(|(_, job)| job.region.insts.len())?.0;
        Some(waiting.remove(smallest))
    }
}

/// What one tier has given to the threads.
pub(crate) struct Queue {
    reply: Sender<Answer>,
    answers: Receiver<Answer>,
    next: u64,
    /// The jobs that are wanted, with where their regions are.
    wanted: Vec<(u64, std::ops::Range<u64>)>,
}

impl Queue {
    pub(crate) fn new() -> Queue {
        let (reply, answers) = channel();
        Queue { reply, answers, next: 0, wanted: Vec::new() }
    }

    /// Gives a region to the threads; whether there are any.
    pub(crate) fn add(&mut self, region: Region) -> bool {
        let Some(pool) = pool() else { return false };
        let number = self.next;
        self.next += 1;
        let span = region.span();
        let job = Job { number, region: Box::new(region), reply: self.reply.clone() };
        if !pool.jobs.add(job) {
            return false;
        }
        self.wanted.push((number, span));
        true
    }

    /// A region that is finished and still wanted.
    pub(crate) fn take(&mut self) -> Option<Answer> {
        loop {
            let answer = self.answers.try_recv().ok()?;
            if let Some(at) = self.wanted.iter().position(|(number, _)| *number == answer.number) {
                self.wanted.swap_remove(at);
                return Some(answer);
            }
        }
    }

    /// Whether some thread has none of these to do.
    pub(crate) fn leaves_one_idle(&self) -> bool {
        self.wanted.is_empty() || pool().is_some_and(|pool| self.wanted.len() < pool.threads)
    }

    /// Regions with code in `range` are not wanted any more.
    pub(crate) fn forget(&mut self, range: &std::ops::Range<u64>) {
        self.wanted.retain(|(_, span)| span.start >= range.end || range.start >= span.end);
    }

    /// None are.
    pub(crate) fn clear(&mut self) {
        self.wanted.clear();
    }
}
