//! Programs whose time from start to exit is measured.

use crate::contender::{Baseline, Contender, Entry, Field, NATIVE};
use crate::kernels::{Build, GUEST};
use crate::places::{Places, QEMU};
use anyhow::Result;
use std::fs;

/// A program and who runs it.
pub struct Start {
    /// What the table calls it.
    pub name: String,
    /// The commands.
    pub entries: Vec<Entry>,
}

/// Programs of the root file system, larger ones last, which not every one has.
const COMMANDS: [(&str, &[&str]); 10] = [
    ("bash -c :", &["/usr/bin/bash", "-c", ":"]),
    ("perl", &["/usr/bin/perl", "-e", "print qq(hello\\n)"]),
    ("sqlite3", &["/usr/bin/sqlite3", ":memory:", "select 1"]),
    ("lua5.4", &["/usr/bin/lua5.4", "-e", "print(1)"]),
    ("python3 hello", &["/usr/bin/python3", "-c", "print('hello')"]),
    ("redis-server --version", &["/usr/bin/redis-server", "--version"]),
    ("php", &["/usr/bin/php", "-r", "1;"]),
    ("caddy version", &["/usr/bin/caddy", "version"]),
    ("ruby -e 0", &["/usr/bin/ruby", "-e", "0"]),
    ("node -e 0", &["/usr/bin/node", "-e", "0"]),
];

/// The programs that are wanted, by name.
///
/// # Errors
/// If the static program cannot be compiled.
pub fn starts(places: &Places, field: &Field, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Start>> {
    let mut starts = Vec::new();
    if wanted("static hello") {
        starts.push(hello(places, field)?);
    }
    if let Some(rootfs) = &places.rootfs {
        // A link may lead to where only the guest finds something.
        let is_there = |program: &str| rootfs.join(program.trim_start_matches('/')).symlink_metadata().is_ok();
        let there =
            COMMANDS.into_iter().filter(|(_, command)| command.first().is_some_and(|program| is_there(program)));
        for (name, command) in there.filter(|(name, _)| wanted(name)) {
            starts.push(Start { name: name.to_owned(), entries: inside(places, field, command) });
        }
    }
    Ok(starts)
}

/// A static program, which the host runs too.
fn hello(places: &Places, field: &Field) -> Result<Start> {
    const STATIC: Build = Build { suffix: "native", compiler: "gcc", flags: &["-static"] };
    let source = places.built.join("hello.c");
    fs::write(&source, "#include <stdio.h>\nint main(void)\n{\n    puts(\"hello\");\n    return 0;\n}\n")?;
    let guest = GUEST.compile(&source, &places.built)?;
    let host = STATIC.compile(&source, &places.built)?;
    let mut entries: Vec<Entry> = field.native_tiers().map(|tier| places.friscy(tier, &guest, &[])).collect();
    if field.has(Baseline::Qemu) {
        entries.push(Entry::new(Contender::Other(Baseline::Qemu), &[QEMU, &guest.to_string_lossy()]));
    }
    entries.push(Entry::new(NATIVE, &[&host.to_string_lossy()]));
    Ok(Start { name: String::from("static hello"), entries })
}

/// Who runs a command of the root file system: friscy's tiers and qemu-user. There are none without such a file system.
pub(crate) fn inside(places: &Places, field: &Field, command: &[&str]) -> Vec<Entry> {
    let (Some(rootfs), Some((program, arguments))) = (&places.rootfs, command.split_first()) else {
        return Vec::new();
    };
    let mut entries: Vec<Entry> = field.native_tiers().map(|tier| places.friscy(tier, rootfs, command)).collect();
    if field.has(Baseline::Qemu) {
        let program = rootfs.join(program.trim_start_matches('/'));
        let (rootfs, program) = (rootfs.to_string_lossy(), program.to_string_lossy());
        let words = [&[QEMU, "-L", &*rootfs, &*program], arguments].concat();
        entries.push(Entry::new(Contender::Other(Baseline::Qemu), &words));
    }
    entries
}
