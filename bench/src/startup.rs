//! Start-up: the time from the command to its end, for programs that do next to nothing.

use crate::kernels::{GUEST_GCC, QEMU, compile};
use crate::measure::{median, sample};
use crate::places::{friscy, rootfs, scratch, workspace};
use anyhow::{Result, bail};
use std::process::Command;

/// How often each is started.
const ROUNDS: usize = 15;

/// One program: its name, and how it is started natively, by friscy and by qemu-user.
struct Subject {
    name: &'static str,
    native: Command,
    friscy: Command,
    qemu: Option<Command>,
}

/// Starts the programs and prints their table.
pub fn run(qemu: bool) -> Result<()> {
    println!("| start-up | native ms | friscy ms | spread | user ms | qemu-user ms |\n|---|---:|---:|---:|---:|---:|");
    for mut subject in subjects()? {
        let (mut native, mut ours, mut user, mut theirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let base = sample(&mut subject.native)?;
            let got = sample(&mut subject.friscy)?;
            if got.output != base.output {
                bail!("{}: friscy printed something else than the native program", subject.name);
            }
            native.push(base.wall * 1e3);
            ours.push(got.wall * 1e3);
            user.push(got.user * 1e3);
            if let (true, Some(command)) = (qemu, &mut subject.qemu) {
                theirs.push(sample(command)?.wall * 1e3);
            }
        }
        let (wall, spread) = median(&mut ours);
        let theirs = if theirs.is_empty() { String::new() } else { format!("{:.1}", median(&mut theirs).0) };
        println!(
            "| {} | {:.1} | {wall:.1} | {spread:.0} % | {:.1} | {theirs} |",
            subject.name,
            median(&mut native).0,
            median(&mut user).0
        );
    }
    Ok(())
}

fn subjects() -> Result<Vec<Subject>> {
    let friscy = friscy()?;
    let source = workspace().join("bench/startup/hello.c");
    let (native, guest) = (scratch()?.join("hello.native"), scratch()?.join("hello.guest"));
    compile("gcc", &source, &native)?;
    compile(GUEST_GCC, &source, &guest)?;
    let start = |program: &std::path::Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    let mut ours = start(&friscy, &["run"]);
    ours.arg(&guest);
    let mut theirs = start(QEMU.as_ref(), &[]);
    theirs.arg(&guest);
    let mut subjects =
        vec![Subject { name: "static hello", native: Command::new(&native), friscy: ours, qemu: Some(theirs) }];
    let Some((tar, folder)) = rootfs() else {
        eprintln!("friscy-bench: no root file system (`cargo xtask rootfs` makes it): python3 and bash are left out");
        return Ok(subjects);
    };
    for (name, program, arguments) in [
        ("bash -c :", "/usr/bin/bash", &["-c", ":"][..]),
        ("python3 -c 'print(1)'", "/usr/bin/python3", &["-c", "print(1)"]),
    ] {
        let mut ours = start(&friscy, &["run"]);
        ours.arg(&tar).arg(program).args(arguments);
        let theirs = folder.as_ref().map(|folder| {
            let mut command = Command::new(QEMU);
            command.arg("-L").arg(folder).arg(folder.join(program.trim_start_matches('/'))).args(arguments);
            command
        });
        subjects.push(Subject { name, native: start(program.as_ref(), arguments), friscy: ours, qemu: theirs });
    }
    Ok(subjects)
}
