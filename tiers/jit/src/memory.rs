//! Memory for compiled code: one reservation for the whole process, seen twice, to write and to execute, of which tiers
//! take chunks.

use crate::flags;
use crate::host::friscy_jit_fault_landing;
use friscy_seam::access::written;
use std::sync::{Mutex, OnceLock};

/// How much code there can be at once in this process, in bytes.
const TOTAL_BYTES: usize = 1 << 30;

/// What a tier takes at once, in bytes.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

/// How many bytes of a chunk are made ready at once.
const STEP_BYTES: usize = 128 << 10;

struct Memory {
    /// Where code is written and where it runs.
    write: usize,
    execute: usize,
    chunks: Mutex<Chunks>,
}

#[derive(Default)]
struct Chunks {
    used: usize,
    free: Vec<usize>,
}

fn memory() -> Option<&'static Memory> {
    static MEMORY: OnceLock<Option<Memory>> = OnceLock::new();
    MEMORY.get_or_init(Memory::reserve).as_ref()
}

/// Whether the host has given memory for code.
pub(crate) fn is_there() -> bool {
    memory().is_some()
}

impl Memory {
    fn reserve() -> Option<Memory> {
        // SAFETY: a new file and new mappings of it where the host likes, which live as long as the process.
        unsafe {
            let file = libc::memfd_create(c"friscy-code".as_ptr(), libc::MFD_CLOEXEC);
            if file < 0 {
                return None;
            }
            let sized = libc::ftruncate(file, TOTAL_BYTES as libc::off_t) == 0;
            let map = |prot| {
                let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
                libc::mmap(std::ptr::null_mut(), TOTAL_BYTES, prot, flags, file, 0)
            };
            let (write, execute) = (map(libc::PROT_READ | libc::PROT_WRITE), map(libc::PROT_READ | libc::PROT_EXEC));
            libc::close(file);
            if !sized || write == libc::MAP_FAILED || execute == libc::MAP_FAILED {
                return None;
            }
            let execute = execute as usize;
            let landing = friscy_jit_fault_landing as *const () as usize;
            written::declare(execute, execute + TOTAL_BYTES, landing, flags::report);
            Some(Memory { write: write as usize, execute, chunks: Mutex::default() })
        }
    }
}

impl Memory {
    /// Asks the host for the pages at these offsets at once: each by itself would be two faults.
    fn make_ready(&self, range: std::ops::Range<usize>) {
        for (base, advice) in [(self.write, libc::MADV_POPULATE_WRITE), (self.execute, libc::MADV_POPULATE_READ)] {
            // SAFETY: within the mappings, of which nothing changes. A host that does not know it makes them one by one.
            unsafe { libc::madvise((base + range.start) as *mut libc::c_void, range.len(), advice) };
        }
    }
}

/// The code memory of one tier.
#[derive(Default)]
pub(crate) struct CodeMemory {
    /// Offsets of its chunks; the last one is being filled.
    chunks: Vec<usize>,
    filled: usize,
    /// How much of the last one the host has given pages for at once.
    ready: usize,
}

impl CodeMemory {
    /// Bytes taken.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len().saturating_sub(1) * CHUNK_BYTES + self.filled
    }

    /// Copies code in; returns where it runs. Nothing if there is no room.
    pub(crate) fn add(&mut self, code: &[u8]) -> Option<*const u8> {
        let memory = memory()?;
        let start = self.filled.next_multiple_of(16);
        if self.chunks.is_empty() || start + code.len() > CHUNK_BYTES {
            if code.len() > CHUNK_BYTES {
                return None;
            }
            let mut all = memory.chunks.lock().ok()?;
            let chunk = match all.free.pop() {
                Some(chunk) => chunk,
                None if all.used + CHUNK_BYTES <= TOTAL_BYTES => {
                    all.used += CHUNK_BYTES;
                    all.used - CHUNK_BYTES
                }
                None => return None,
            };
            self.chunks.push(chunk);
            (self.filled, self.ready) = (0, 0);
            return self.add(code);
        }
        let chunk = *self.chunks.last()?;
        let at = chunk + start;
        self.filled = start + code.len();
        if self.filled > self.ready {
            let end = self.filled.next_multiple_of(STEP_BYTES).min(CHUNK_BYTES);
            memory.make_ready(chunk + self.ready..chunk + end);
            self.ready = end;
        }
        // SAFETY: within the chunk, which is this tier's; no code that runs is there.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), (memory.write + at) as *mut u8, code.len()) };
        Some((memory.execute + at) as *const u8)
    }

    /// Gives all of it back.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        if let Some(mut all) = memory().and_then(|memory| memory.chunks.lock().ok()) {
            all.free.append(&mut self.chunks);
        }
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        self.clear();
    }
}
