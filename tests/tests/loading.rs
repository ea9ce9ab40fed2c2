//! Loading: static, position-independent, dynamic programs of glibc and of musl, and scripts. Each program prints the same
//! under friscy and under qemu-user.

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::places::{friscy, rootfs, rootfs_folder, workspace};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const ARGUMENTS: [&str; 2] = ["one", "two words"];

fn compile(source: &str, output: &Path, flags: &[&str]) {
    let status = Command::new("riscv64-linux-gnu-gcc")
        .arg("-O2")
        .args(["-o".as_ref(), output.as_os_str()])
        .arg(workspace().join("tests/loading").join(source))
        .args(flags)
        .status()
        .expect("riscv64-linux-gnu-gcc");
    assert!(status.success(), "{source}");
}

fn text(outcome: &Outcome) -> String {
    format!(
        "{}{}exit status {}",
        String::from_utf8_lossy(&outcome.stdout),
        String::from_utf8_lossy(&outcome.stderr),
        outcome.status
    )
}

#[test]
fn static_programs() {
    let dir = tempfile::tempdir().unwrap();
    const BARE: &[&str] =
        &["-static-pie", "-fPIE", "-Wl,--no-dynamic-linker", "-nostdlib", "-fno-builtin", "-fno-stack-protector"];
    for (source, status, flags) in
        [("place.c", 0, &["-static"][..]), ("place.c", 0, &["-static", "-Wl,-z,norelro"]), ("pie.c", 5, BARE)]
    {
        let program = dir.path().join("place");
        compile(source, &program, flags);
        let want = outcome(Command::new("qemu-riscv64-static").arg(&program).args(ARGUMENTS), b"", LIMIT);
        let got = outcome(Command::new(friscy()).arg("run").arg(&program).args(ARGUMENTS), b"", LIMIT);
        assert_eq!(text(&got), text(&want), "{flags:?}");
        assert_eq!(got.status, status, "{flags:?}");
    }
}

/// A root file system of the program and its loader.
#[test]
fn a_dynamic_program_of_musl() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("lib")).unwrap();
    let loader = root.join("lib/ld-musl-riscv64.so.1");
    fs::copy(rootfs_folder().join("usr/lib/ld-musl-riscv64.so.1"), &loader).expect("Debian's musl");
    // The library has no soname: the name that it is linked by is the name that the loader looks for.
    fs::copy(&loader, dir.path().join("libc.so")).unwrap();
    let search = format!("-L{}", dir.path().display());
    let program = root.join("program");
    for kind in [&["-no-pie"][..], &["-pie", "-fPIE"]] {
        let mut flags = vec![
            "-nostdlib",
            "-nostdinc",
            "-fno-builtin",
            "-fno-stack-protector",
            "-Wl,--dynamic-linker=/lib/ld-musl-riscv64.so.1",
            "-Wl,--hash-style=both",
            &search,
            "-l:libc.so",
        ];
        flags.extend(kind);
        compile("musl.c", &program, &flags);
        let mut referee = Command::new("qemu-riscv64-static");
        referee.arg("-L").arg(&root).args(["-E", "A=1"]).arg(&program).args(ARGUMENTS);
        let want = outcome(&mut referee, b"", LIMIT);
        let mut ours = Command::new(friscy());
        ours.args(["run", "-e", "A=1"]).arg(&root).arg("/program").args(ARGUMENTS);
        let got = outcome(&mut ours, b"", LIMIT);
        assert_eq!(text(&got), text(&want), "{kind:?}");
        assert_eq!(got.status, 3, "{kind:?}");
    }
}

#[test]
fn scripts() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::copy(rootfs_folder().join("usr/bin/busybox"), root.join("bin/sh")).expect("Debian's busybox");
    let check = |name: &str, contents: &[u8], status: i32, output: &str| {
        let file = root.join(name);
        fs::write(&file, contents).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new(friscy());
        command.arg("run").arg(&root).arg(format!("/{name}")).args(ARGUMENTS);
        let got = outcome(&mut command, b"", LIMIT);
        assert_eq!(text(&got), format!("{output}exit status {status}"), "{name}");
    };
    check("plain", b"#!/bin/sh\necho \"$0|$1|$2\"\nexit 4\n", 4, "/plain|one|two words\n");
    check("options", b"#! /bin/sh  -eu \necho $-; false; echo never\n", 1, "ue\n");
    check("nested", b"#!/plain of two\n", 4, "/plain|of two|/nested\n");
    check("missing", b"#!/no/such\n", 126, "friscy: /missing: cannot be executed: its interpreter does not exist\n");
    check(
        "none",
        b"echo no first line\n",
        126,
        "friscy: /none: cannot be executed: it is neither an ELF image nor a script\n",
    );
}

/// Debian's programs are dynamic programs of glibc: one of them says what it is.
#[test]
fn a_dynamic_program_of_glibc() {
    let mut command = Command::new(friscy());
    command.arg("run").arg(rootfs()).args([
        "/bin/sh",
        "-c",
        "LD_TRACE_LOADED_OBJECTS=1 /usr/bin/ls | sed 's/ (.*//' | sort",
    ]);
    let got = outcome(&mut command, b"", LIMIT);
    let lines = text(&got);
    assert!(lines.contains("libc.so.6 => /lib/riscv64-linux-gnu/libc.so.6"), "{lines}");
    assert!(lines.contains("/lib/ld-linux-riscv64-lp64d.so.1"), "{lines}");
}
