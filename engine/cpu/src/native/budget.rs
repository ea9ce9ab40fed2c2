//! The budget of host mappings and of descriptors.
//!
//! The host allows a process a fixed number of mappings (`vm.max_map_count`, 65,530 by default), and all guest windows
//! and the host's own allocator share it. Past it the host's `malloc` fails, so that a guest must be stopped first.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Mappings in use by all address spaces of this process.
static USED: AtomicUsize = AtomicUsize::new(0);

/// What the host allows when it does not say.
const DEFAULT_MAX: usize = 65_530;

/// How many mappings all address spaces together may use: seven eighths of what the host allows.
fn total() -> usize {
    static TOTAL: OnceLock<usize> = OnceLock::new();
    *TOTAL.get_or_init(|| {
        let max = std::fs::read_to_string("/proc/sys/vm/max_map_count")
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(DEFAULT_MAX);
        max / 8 * 7
    })
}

/// How many mappings one address space may use: half of what all may.
pub fn default_share() -> usize {
    total() / 2
}

/// Lets this process have as many descriptors as the host grants at all: each address space and each mapped file takes
/// one, and the usual limit of 1,024 is soon reached.
pub fn raise_descriptor_limit() {
    // SAFETY: plain system calls on a value that is ours.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max;
            // If the host refuses, there are as many as before.
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// The mappings that one address space uses, given back when it is dropped.
pub struct Mappings {
    used: usize,
    share: usize,
}

impl Mappings {
    /// None in use, at most `share` allowed.
    pub fn new(share: usize) -> Mappings {
        Mappings { used: 0, share }
    }

    /// Whether `more` mappings may be added.
    pub fn allows(&self, more: usize) -> bool {
        more == 0 || self.used + more <= self.share && USED.load(Ordering::Relaxed) + more <= total()
    }

    /// Sets the number in use.
    pub fn set(&mut self, used: usize) {
        USED.fetch_add(used, Ordering::Relaxed);
        USED.fetch_sub(self.used, Ordering::Relaxed);
        self.used = used;
    }

    /// The number in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// The number allowed.
    pub fn share(&self) -> usize {
        self.share
    }

    /// Sets the number allowed.
    pub fn set_share(&mut self, share: usize) {
        self.share = share;
    }
}

impl Drop for Mappings {
    fn drop(&mut self) {
        USED.fetch_sub(self.used, Ordering::Relaxed);
    }
}
