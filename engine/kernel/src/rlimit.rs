//! Resource limits, getrlimit(2).

use friscy_abi::layout::Rlimit;
use friscy_abi::sched::{
    RLIM_INFINITY, RLIM_NLIMITS, RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE,
    RLIMIT_NPROC, RLIMIT_RTPRIO, RLIMIT_SIGPENDING, RLIMIT_STACK,
};

/// The limits of a process, by resource number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rlimits(pub [Rlimit; RLIM_NLIMITS]);

impl Default for Rlimits {
    /// Those of a container's first process on an ordinary Linux host.
    fn default() -> Rlimits {
        let infinite = Rlimit { rlim_cur: RLIM_INFINITY, rlim_max: RLIM_INFINITY };
        let mut limits = [infinite; RLIM_NLIMITS];
        let mut set = |resource: u32, rlim_cur: u64, rlim_max: u64| {
            if let Some(slot) = limits.get_mut(resource as usize) {
                *slot = Rlimit { rlim_cur, rlim_max };
            }
        };
        set(RLIMIT_STACK, 8 << 20, RLIM_INFINITY);
        set(RLIMIT_CORE, 0, RLIM_INFINITY);
        set(RLIMIT_NPROC, 7_800, 7_800);
        set(RLIMIT_NOFILE, 1_024, 1_048_576);
        set(RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
        set(RLIMIT_SIGPENDING, 7_800, 7_800);
        set(RLIMIT_MSGQUEUE, 819_200, 819_200);
        set(RLIMIT_NICE, 0, 0);
        set(RLIMIT_RTPRIO, 0, 0);
        Rlimits(limits)
    }
}

impl Rlimits {
    /// The soft limit of a resource; none for a number that is not one.
    #[must_use]
    pub fn soft(&self, resource: u32) -> u64 {
        self.0.get(resource as usize).map_or(RLIM_INFINITY, |limit| limit.rlim_cur)
    }
}
