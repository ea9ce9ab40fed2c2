//! Copies of an image's larger files, each a file of the cache: a tar has no page boundaries, so what lies in it can be read but
//! not mapped into a guest. A copy is made beside the first run that wants one, which does without it.

use crate::layers::Layers;
use crate::store::{Cache, Kind};
use friscy_vfs::{ContentSource, HostFile, ReadError};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

/// How many bytes a file has of which there is a copy. Shorter ones are as well read anew each time, and who maps a longer one
/// uses little of it.
const BYTES: std::ops::RangeInclusive<u64> = 16 << 10..=256 << 20;

/// Bytes copied at a time.
const CHUNK: usize = 1 << 20;

/// The contents of an image, with copies of its files in the cache.
pub(crate) struct Aligned {
    layers: Layers,
    cache: Cache,
    /// The key of the image's record.
    key: String,
    /// The copies that were asked for, by where the file begins and how long it is; nothing of one that is not there.
    copies: RefCell<BTreeMap<(u64, u64), Option<File>>>,
}

impl Aligned {
    /// These layers, with copies if there is a cache; `key` is that of the image's record there.
    pub(crate) fn source(layers: Layers, cache: Option<&Cache>, key: &str) -> Rc<dyn ContentSource> {
        match cache {
            Some(cache) => {
                Rc::new(Aligned { layers, cache: cache.clone(), key: key.to_owned(), copies: RefCell::default() })
            }
            None => Rc::new(layers),
        }
    }

    /// The copy of a file. If there is none, one is made, for later runs.
    fn copy(&self, off: u64, len: u64) -> Option<File> {
        let name = format!("{}.{off:x}.{len:x}", self.key);
        let copy = self.cache.open(Kind::Copy, &name);
        if let Some(copy) = copy.filter(|copy| copy.metadata().is_ok_and(|meta| meta.len() == len)) {
            return Some(copy);
        }
        let (layer, off) = self.layers.at(off)?;
        let job = Job { cache: self.cache.clone(), name, layer: layer.file().try_clone().ok()?, off, len };
        // Without the thread there is no copy.
        let _ = worker()?.send(job);
        None
    }
}

impl ContentSource for Aligned {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        self.layers.read_at(off, buf)
    }

    fn slice(&self, off: u64, len: u64) -> Option<&[u8]> {
        self.layers.slice(off, len)
    }

    fn host_file(&self, off: u64, len: u64) -> Option<HostFile> {
        if !BYTES.contains(&len) {
            return None;
        }
        let mut copies = self.copies.borrow_mut();
        let copy = copies.entry((off, len)).or_insert_with(|| self.copy(off, len));
        copy.as_ref().map(|file| HostFile(file.as_raw_fd()))
    }
}

/// A copy to be made.
struct Job {
    cache: Cache,
    name: String,
    layer: File,
    off: u64,
    len: u64,
}

/// The thread that makes copies; nothing if the host has none. What it has not finished when the process ends is removed by the
/// next run.
fn worker() -> Option<&'static Sender<Job>> {
    static WORKER: OnceLock<Option<Sender<Job>>> = OnceLock::new();
    let start = || {
        let (sender, jobs) = channel();
        let thread = std::thread::Builder::new().name("friscy-cache".to_owned());
        thread.spawn(move || work(&jobs)).is_ok().then_some(sender)
    };
    WORKER.get_or_init(start).as_ref()
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        // A copy that cannot be made is done without.
        let _ = make(&job);
    }
}

fn make(job: &Job) -> io::Result<()> {
    let mut pending = job.cache.begin(&job.name)?;
    let mut buf = vec![0; CHUNK.min(job.len as usize)];
    let mut done = 0;
    while done < job.len {
        let part = buf.len().min((job.len - done) as usize);
        job.layer.read_exact_at(&mut buf[..part], job.off + done)?;
        pending.file.write_all(&buf[..part])?;
        done += part as u64;
    }
    pending.finish(Kind::Copy, &job.name)?;
    job.cache.tidy(&BTreeSet::from([job.cache.path(Kind::Copy, &job.name)]));
    Ok(())
}
