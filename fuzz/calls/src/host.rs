//! What sequences may cost the host: memory, descriptors, mappings, time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The host's allocator, counting.
pub struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn count(added: usize, removed: usize) {
    let live = LIVE.fetch_add(added, Ordering::Relaxed) + added;
    MOST.fetch_max(live, Ordering::Relaxed);
    LIVE.fetch_sub(removed, Ordering::Relaxed);
}

// SAFETY: every request goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Numbers of this process's descriptors, and how many mappings it has.
fn holdings() -> (Vec<OsString>, usize) {
    let descriptors = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let maps = std::fs::read("/proc/self/maps").unwrap_or_default();
    (descriptors.map(|entry| entry.file_name()).collect(), maps.iter().filter(|&&byte| byte == b'\n').count())
}

/// What the descriptors are open on that are there `now` and were not `before`.
fn new_ones(before: &[OsString], now: &[OsString]) -> String {
    // The one that the listing itself was read through is gone.
    let links = now
        .iter()
        .filter(|number| !before.contains(number))
        .filter_map(|number| std::fs::read_link(Path::new("/proc/self/fd").join(number)).ok());
    links.map(|target| target.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Bytes that a sequence may have allocated at a time. Its files may have 33 MiB, and growing a buffer doubles it.
const MOST_BYTES: usize = 256 << 20;

/// Bytes that may be left after a sequence: what is made once for a process.
const LEFT_BYTES: usize = 64 << 10;

/// Mappings that may be left: the allocator's, and stacks'.
const LEFT_MAPPINGS: usize = 40;

/// A sequence may take so long in a debug build on a busy host.
const LIMIT: Duration = Duration::from_secs(60);

/// What is executed now, and since when: the watchdog's.
static CURRENT: Mutex<Option<(Instant, String)>> = Mutex::new(None);

fn current() -> MutexGuard<'static, Option<(Instant, String)>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process, saying what was executed, when a sequence takes too long.
pub fn start_watchdog() {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            if let Some((since, text)) = &*current()
                && since.elapsed() > LIMIT
            {
                eprintln!("a sequence hangs:\n{text}");
                std::process::abort();
            }
        }
    });
}

/// Executes `act`, named by `text`, and says what of the host it used beyond what it may. Memory is only counted where
/// [`Counting`] is the allocator, and descriptors only make sense while nothing else runs in the process.
///
/// # Errors
/// What was used up or left.
pub fn watched<R>(text: String, act: impl FnOnce() -> R) -> Result<R, String> {
    *current() = Some((Instant::now(), text));
    let (descriptors, mappings) = holdings();
    let live = LIVE.load(Ordering::Relaxed);
    MOST.store(live, Ordering::Relaxed);
    let result = act();
    *current() = None;
    let most = MOST.load(Ordering::Relaxed).saturating_sub(live);
    if most > MOST_BYTES {
        return Err(format!("{most} bytes were allocated at a time"));
    }
    let left = LIVE.load(Ordering::Relaxed).saturating_sub(live);
    if left > LEFT_BYTES {
        return Err(format!("{left} bytes are left"));
    }
    let now = holdings();
    if now.0.len() > descriptors.len() {
        return Err(format!("descriptors are left: {}", new_ones(&descriptors, &now.0)));
    }
    if now.1 > mappings + LEFT_MAPPINGS {
        return Err(format!("{} mappings are left", now.1 - mappings));
    }
    Ok(result)
}
