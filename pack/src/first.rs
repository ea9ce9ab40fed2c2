//! Which files the first program needs before it shows anything.
//!
//! They are the program, its interpreter and libraries as far as the files tell, and the files that shells, glibc and
//! ncurses read when they start. A file that is missing here is fetched when it is read; a file too many costs time.

use crate::layout::read_file;
use friscy_vfs::{FileType, Lower, LowerId, resolve};
use goblin::elf::Elf;
use std::collections::{BTreeSet, VecDeque};

/// Where libraries are looked for, as glibc and musl do on Debian for riscv64.
const LIBRARY_FOLDERS: [&str; 6] =
    ["lib/riscv64-linux-gnu", "usr/lib/riscv64-linux-gnu", "lib64/lp64d", "lib", "usr/lib", "usr/lib64"];

/// What shells, glibc and ncurses read at their start.
const USUAL: [&str; 19] = [
    "etc/ld.so.cache",
    "etc/ld.so.preload",
    "etc/nsswitch.conf",
    "etc/passwd",
    "etc/group",
    "etc/profile",
    "etc/bash.bashrc",
    "etc/inputrc",
    "etc/hosts",
    "etc/localtime",
    "etc/debian_version",
    "etc/terminfo/x/xterm-256color",
    "lib/terminfo/x/xterm-256color",
    "usr/share/terminfo/x/xterm-256color",
    "usr/lib/locale/C.utf8/LC_CTYPE",
    "usr/lib/riscv64-linux-gnu/gconv/gconv-modules.cache",
    "root/.bashrc",
    "root/.profile",
    "root/.bash_profile",
];

/// The files that `program`, an absolute path inside the image, needs at its start: libraries first needed first, then
/// what is usual.
#[must_use]
pub fn needed(lower: &dyn Lower, program: &str) -> Vec<LowerId> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut todo = VecDeque::from([program.to_owned()]);
    while let Some(path) = todo.pop_front() {
        let Some(id) = resolve(lower, path.as_bytes()) else { continue };
        let Ok(stat) = lower.stat(id) else { continue };
        if stat.file_type != FileType::Regular || !seen.insert(id) {
            continue;
        }
        found.push(id);
        let Ok(bytes) = read_file(lower, id, path.as_bytes(), stat.size) else { continue };
        if let Some(line) = bytes.strip_prefix(b"#!") {
            let line = line.split(|&b| b == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line).into_owned();
            todo.extend(line.split_whitespace().next().map(str::to_owned));
        } else if let Ok(elf) = Elf::parse(&bytes) {
            todo.extend(elf.interpreter.map(str::to_owned));
            for library in &elf.libraries {
                let place = LIBRARY_FOLDERS
                    .iter()
                    .map(|folder| format!("{folder}/{library}"))
                    .find(|path| resolve(lower, path.as_bytes()).is_some());
                todo.extend(place);
            }
        }
    }
    for path in USUAL {
        if let Some(id) = resolve(lower, path.as_bytes()) {
            if lower.stat(id).is_ok_and(|stat| stat.file_type == FileType::Regular) && seen.insert(id) {
                found.push(id);
            }
        }
    }
    found
}
