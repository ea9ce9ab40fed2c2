//! What a user sees when something is wrong: one line that names the file, and docker's exit statuses.

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::places::{friscy, rootfs};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn run(arguments: &[&str]) -> Outcome {
    let mut command = Command::new(friscy());
    command.arg("run").args(arguments);
    outcome(&mut command, b"", Duration::from_secs(60))
}

#[track_caller]
fn check(arguments: &[&str], status: i32, stderr: &str) {
    let outcome = run(arguments);
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), stderr);
    assert_eq!(outcome.status, status);
    assert_eq!(outcome.stdout, b"");
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn the_image_is_missing_or_none() {
    check(&["/nonexistent/image"], 125, "friscy: /nonexistent/image: No such file or directory\n");
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text");
    fs::write(&text, "hello\n").unwrap();
    check(
        &[path(&text)],
        125,
        &format!(
            "friscy: {}: neither an image archive, a tar or folder of a root file system, nor an ELF file\n",
            text.display()
        ),
    );
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    check(
        &[path(&empty)],
        125,
        &format!("friscy: {}: it has neither /bin/bash nor /bin/sh; name a command after the image\n", empty.display()),
    );
}

#[test]
fn the_command_is_missing_or_cannot_be_executed() {
    let rootfs = rootfs();
    let rootfs = path(&rootfs);
    check(&[rootfs, "nosuchcommand"], 127, "friscy: nosuchcommand: not found\n");
    check(&[rootfs, "/no/such"], 127, "friscy: /no/such: not found\n");
    check(&[rootfs, "/etc/passwd"], 126, "friscy: /etc/passwd: cannot be executed: permission denied\n");
    check(&[rootfs, "/usr"], 126, "friscy: /usr: cannot be executed: permission denied\n");
    check(
        &["-u", "nosuchuser", rootfs, "true"],
        125,
        "friscy: user nosuchuser: not in the image's /etc/passwd; a number works too\n",
    );
    check(&["-w", "/etc/passwd", rootfs, "true"], 126, "friscy: working directory /etc/passwd: not a directory\n");
}

#[test]
fn programs_that_are_not_for_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str, bytes: &[u8]| {
        let file = dir.path().join(name);
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    };
    let host = fs::read("/bin/true").unwrap();
    let foreign = make("foreign", &host);
    check(
        &[path(&foreign)],
        126,
        "friscy: /foreign: cannot be executed: it is for x86-64; only riscv64 programs can run\n",
    );
    let truncated = make("truncated", &host[..40]);
    check(&[path(&truncated)], 126, "friscy: /truncated: cannot be executed: the ELF header is truncated\n");
}

#[test]
fn the_command_line_is_wrong() {
    let outcome = run(&["--nosuchflag"]);
    assert_eq!(outcome.status, 125);
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("--nosuchflag"));
}

#[test]
fn the_exit_status_is_the_guests() {
    let rootfs = rootfs();
    let rootfs = path(&rootfs);
    assert_eq!(run(&[rootfs, "sh", "-c", "exit 77"]).status, 77);
    assert_eq!(run(&[rootfs, "sh", "-c", "kill -9 $$"]).status, 137);
    assert_eq!(run(&[rootfs, "sh", "-c", "kill -TERM $$"]).status, 143);
    assert_eq!(run(&[rootfs, "true"]), Outcome { status: 0, stdout: vec![], stderr: vec![] });
}

#[test]
fn the_environment_is_dockers() {
    let rootfs = rootfs();
    let outcome = run(&[
        "-e",
        "A=1",
        "-e",
        "HOME=/x",
        "-w",
        "/usr/lib",
        "-u",
        "nobody",
        path(&rootfs),
        "sh",
        "-c",
        "env | sort; pwd; id -u; cat",
    ]);
    assert_eq!(
        String::from_utf8_lossy(&outcome.stdout),
        "A=1\nHOME=/x\nHOSTNAME=friscy\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/usr/lib\n/usr/lib\n65534\n"
    );
    assert_eq!(outcome.status, 0);
}

#[test]
fn a_reader_that_goes_away_is_a_broken_pipe() {
    let script = "\"$0\" run \"$1\" sh -c 'yes; echo status $? >&2' | head -n 1";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(friscy()).arg(rootfs());
    let outcome = outcome(&mut command, b"", Duration::from_secs(60));
    assert_eq!(outcome, Outcome { status: 0, stdout: b"y\n".to_vec(), stderr: b"status 141\n".to_vec() });
}
