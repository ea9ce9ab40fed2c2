//! /sys: the little that programs look at.

use super::node::{Entry, FixedDir};
use crate::Kernel;

fn cpu_range(kernel: &Kernel) -> Vec<u8> {
    match kernel.config.cpus {
        0 | 1 => b"0\n".to_vec(),
        cpus => format!("0-{}\n", cpus - 1).into_bytes(),
    }
}

const HUGE_PAGES: &[Entry] = &[
    Entry::File("defrag", |_| b"always defer defer+madvise madvise [never]\n".to_vec()),
    Entry::File("enabled", |_| b"always madvise [never]\n".to_vec()),
    Entry::File("hpage_pmd_size", |_| b"2097152\n".to_vec()),
    Entry::File("shmem_enabled", |_| b"always within_size advise [never] deny force\n".to_vec()),
];

/// The root directory of /sys.
pub(super) fn root() -> FixedDir {
    FixedDir(&[
        Entry::Dir("class", &[]),
        Entry::Dir("dev", &[]),
        Entry::Dir(
            "devices",
            &[Entry::Dir(
                "system",
                &[Entry::Dir(
                    "cpu",
                    &[
                        Entry::File("kernel_max", |_| b"511\n".to_vec()),
                        Entry::File("offline", |_| b"\n".to_vec()),
                        Entry::File("online", cpu_range),
                        Entry::File("possible", cpu_range),
                        Entry::File("present", cpu_range),
                    ],
                )],
            )],
        ),
        Entry::Dir("fs", &[Entry::Dir("cgroup", &[])]),
        Entry::Dir("kernel", &[Entry::Dir("mm", &[Entry::Dir("transparent_hugepage", HUGE_PAGES)])]),
    ])
}
