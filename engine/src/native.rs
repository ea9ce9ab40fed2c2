//! Ports to a native host: its clocks and its entropy.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "what the native host is reached through")]

use friscy_kernel::Nanos;
use friscy_kernel::ports::{Clock, Entropy};
use std::fs::File;
use std::io::Read;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The host's clocks.
#[derive(Clone, Copy, Debug)]
pub struct HostClock {
    start: Instant,
}

impl Default for HostClock {
    fn default() -> HostClock {
        HostClock { start: Instant::now() }
    }
}

impl Clock for HostClock {
    fn monotonic(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }

    fn realtime(&self) -> Nanos {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as Nanos)
    }
}

/// The host's entropy, from /dev/urandom.
#[derive(Debug)]
pub struct HostEntropy {
    source: File,
}

impl HostEntropy {
    /// Opens the host's source.
    ///
    /// # Errors
    /// As opening /dev/urandom.
    pub fn open() -> std::io::Result<HostEntropy> {
        Ok(HostEntropy { source: File::open("/dev/urandom")? })
    }
}

impl Entropy for HostEntropy {
    /// # Panics
    /// If the host's source fails, which Linux promises it does not: going on without entropy would be worse.
    fn fill(&mut self, buf: &mut [u8]) {
        self.source.read_exact(buf).expect("/dev/urandom can be read");
    }
}
