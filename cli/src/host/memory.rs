//! How much of the host's memory the machine takes.

use std::fs;

/// Bytes of anonymous and shared memory that this process has resident: guest memory, and files that the guest wrote.
/// Pages of the image, which the host can drop, do not count. 0 when the host does not say (proc(5), /proc/PID/status).
pub fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .filter_map(|line| line.strip_prefix("RssAnon:").or_else(|| line.strip_prefix("RssShmem:")))
        .filter_map(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .sum::<u64>()
        << 10
}
