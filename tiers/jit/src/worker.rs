//! Compiling beside the guest: one thread of this process takes the smallest region there is, so that those that the guest
//! waits for most often come soon.

use crate::compile::{Compiler, Finished};
use crate::emit::{Emitted, Links};
use friscy_lift_ir::Region;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// A region to compile.
struct Job {
    number: u64,
    region: Box<Region>,
    links: Links,
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

/// The thread; nothing if the host refuses one.
fn worker() -> Option<&'static Sender<Job>> {
    static WORKER: OnceLock<Option<Sender<Job>>> = OnceLock::new();
    WORKER
        .get_or_init(|| {
            let (sender, jobs) = channel::<Job>();
            let work = move || {
                let mut compiler = Compiler::new();
                let mut waiting: Vec<Job> = Vec::new();
                while let Some(job) = next(&jobs, &mut waiting) {
                    let begin = Instant::now();
                    let result = compiler.compile(&job.region, &job.links);
                    let Job { number, region, reply, .. } = job;
                    // A tier that is gone does not want it any more.
                    let _ = reply.send(Answer { number, region, result, time: begin.elapsed() });
                }
            };
            std::thread::Builder::new().name("friscy-jit".to_owned()).spawn(work).is_ok().then_some(sender)
        })
        .as_ref()
}

/// The smallest job; nothing if nobody can give any.
fn next(jobs: &Receiver<Job>, waiting: &mut Vec<Job>) -> Option<Job> {
    if waiting.is_empty() {
        waiting.push(jobs.recv().ok()?);
    }
    waiting.extend(jobs.try_iter());
    let smallest = waiting.iter().enumerate().min_by_key(|(_, job)| job.region.insts.len())?.0;
    Some(waiting.remove(smallest))
}

/// What one tier has given to the thread.
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

    /// Gives a region to the thread; whether there is one.
    pub(crate) fn add(&mut self, region: Region, links: Links) -> bool {
        let Some(worker) = worker() else { return false };
        let number = self.next;
        self.next += 1;
        let span = region.span();
        let job = Job { number, region: Box::new(region), links, reply: self.reply.clone() };
        if worker.send(job).is_err() {
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

    /// Whether nothing is wanted.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
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
