//! Host folders in the guest's tree (`-v`): what is done there is what Linux does, and nothing leads out of them.

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::places::{friscy, rootfs, workspace};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

fn run(arguments: &[&str]) -> Outcome {
    outcome(Command::new(friscy()).arg("run").args(arguments), b"", LIMIT)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Everything below a folder: path, kind and permissions, links, and what it holds.
fn tree(dir: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(at) = pending.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            let (links, holds) = if meta.is_dir() {
                pending.push(path);
                (0, String::new())
            } else if meta.is_symlink() {
                (1, fs::read_link(&path).unwrap().display().to_string())
            } else {
                (meta.nlink(), format!("{:?}", fs::read(&path).unwrap()))
            };
            // Only times that were set are the same on both sides.
            let time = if meta.mtime() < 1_000_000_000 { meta.mtime() } else { 0 };
            rows.push(format!("{name} {:o} {links} {time} {holds}", meta.mode()));
        }
    }
    rows.sort();
    rows
}

#[test]
fn ordinary_use() {
    let top = tempfile::tempdir().unwrap();
    let (host, shared) = (top.path().join("host"), top.path().join("shared"));
    fs::create_dir(&host).unwrap();
    fs::create_dir(&shared).unwrap();
    let script = fs::read_to_string(workspace().join("tests/mounts/use.sh")).unwrap();
    let want = outcome(
        Command::new("sh").args(["-c", &script]).env("LC_ALL", "C").env("TZ", "UTC").current_dir(&host),
        b"",
        LIMIT,
    );
    let volume = format!("{}:/work/here", shared.display());
    let got = run(&["-v", &volume, "-w", "/work/here", "-e", "LC_ALL=C", text(&rootfs()), "sh", "-c", &script]);
    assert_eq!(String::from_utf8_lossy(&got.stderr), "");
    assert_eq!(String::from_utf8_lossy(&got.stdout), String::from_utf8_lossy(&want.stdout));
    assert_eq!((got.status, want.status), (0, 0));
    // The set-group-ID bit of `out` is the one difference: a guest cannot set it.
    let want: Vec<String> = tree(&host).into_iter().map(|row| row.replace("out 42711 ", "out 40711 ")).collect();
    assert_eq!(tree(&shared), want);
}

#[test]
fn nothing_leads_out() {
    let top = tempfile::tempdir().unwrap();
    let (shared, outside) = (top.path().join("shared"), top.path().join("outside"));
    let secret = top.path().join("secret");
    for dir in [&shared, &outside, &shared.join("d")] {
        fs::create_dir(dir).unwrap();
    }
    fs::write(&secret, "secret").unwrap();
    fs::write(shared.join("d/f"), "shared").unwrap();
    fs::write(outside.join("f"), "outside").unwrap();
    fs::write(shared.join("file"), "hello").unwrap();
    symlink(&outside, shared.join("link")).unwrap();
    symlink(&secret, shared.join("absolute")).unwrap();
    symlink("../secret", shared.join("relative")).unwrap();
    symlink("../".repeat(60) + &text(&secret)[1..], shared.join("many")).unwrap();
    symlink("../made", shared.join("make")).unwrap();
    let _listening = UnixListener::bind(shared.join("listening")).unwrap();
    // Only root can make a device; the program reports what would have come of it.
    let _ = Command::new("mknod").arg(shared.join("zero")).args(["c", "1", "5"]).output();
    let program = top.path().join("escape");
    let source = workspace().join("tests/mounts/escape.c");
    let compiler =
        Command::new("riscv64-linux-gnu-gcc").args(["-O1", "-static", "-w", "-o"]).args([&program, &source]).status();
    assert!(compiler.expect("riscv64-linux-gnu-gcc").success());

    let stop = Arc::new(AtomicBool::new(false));
    let (d, link, flag) = (shared.join("d"), shared.join("link"), stop.clone());
    let swapper = std::thread::spawn(move || {
        while !flag.load(Ordering::Relaxed) {
            let cwd = rustix::fs::CWD;
            rustix::fs::renameat_with(cwd, &d, cwd, &link, rustix::fs::RenameFlags::EXCHANGE).unwrap();
        }
    });
    let got = run(&["-v", &format!("{}:/mnt", shared.display()), text(&program)]);
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&got.stdout),
        "absolute link: ENOENT\n\
         relative link: ENOENT\n\
         link up many times: ENOENT\n\
         link to be created through: ok\n\
         what it made: ok\n\
         not following: ELOOP\n\
         hard link of a file outside: EXDEV\n\
         rename of a file outside: EXDEV\n\
         rename of an open folder: ok\n\
         its ..: /mnt\n\
         its ../..: /\n\
         its ../../../../..: /\n\
         the secret from there: ENOENT\n\
         /proc/self/fd/N/..: /mnt\n\
         the secret from there: ENOENT\n\
         removal of it: ok\n\
         its .. when removed: /mnt\n\
         a file in it: ENOENT\n\
         chroot: ok\n\
         the secret above the jail: ENOENT\n\
         the guest's root above the jail: ok\n\
         device made: EPERM\n\
         device of the host: EACCES\n\
         chmod 6755: ok\n\
         mode 755\n\
         chown to 12345: EPERM\n\
         fifo: through\n\
         bind: ok\n\
         connect: ok\n\
         connect to the host's socket: ECONNREFUSED\n\
         mapped: hello\n\
         shared and writable: ENODEV\n\
         shared: hello\n\
         made writable: EACCES\n\
         mapped again: HELLO\n\
         race: shared, refused, 0 escaped, 0 odd\n"
    );
    assert_eq!(String::from_utf8_lossy(&got.stderr), "");
    assert_eq!(fs::read_to_string(shared.join("file")).unwrap(), "HELLO");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    assert_eq!(tree(&outside).len(), 1);
    assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "outside");
    let names: Vec<String> =
        fs::read_dir(top.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn options_and_owners() {
    let top = tempfile::tempdir().unwrap();
    let (shared, inner) = (top.path().join("shared"), top.path().join("inner"));
    fs::create_dir(&shared).unwrap();
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("f"), "in\n").unwrap();
    let (outer, nested) = (format!("{}:/w", shared.display()), format!("{}:/w/x/y:ro", inner.display()));
    let single = format!("{}:/etc/new/single", inner.join("f").display());
    let script = "cat /w/x/y/f /etc/new/single; echo a > /w/made; stat -c '%u %g' /w/made; \
                  echo b 2> /dev/null > /w/x/y/f || echo refused; echo c >> /etc/new/single";
    // The nested one comes first on the command line.
    let got = run(&["-v", &nested, "-v", &outer, "-v", &single, "-u", "1234:99", text(&rootfs()), "sh", "-c", script]);
    assert_eq!(String::from_utf8_lossy(&got.stderr), "");
    assert_eq!(String::from_utf8_lossy(&got.stdout), "in\nin\n1234 99\nrefused\n");
    assert_eq!(fs::read_to_string(shared.join("made")).unwrap(), "a\n");
    assert_eq!(fs::read_to_string(inner.join("f")).unwrap(), "in\nc\n");

    let check = |volume: &str, stderr: &str| {
        let got = run(&["-v", volume, text(&rootfs()), "true"]);
        assert_eq!((String::from_utf8_lossy(&got.stderr).as_ref(), got.status), (stderr, 125));
    };
    check("/no/such/folder:/w", "friscy: /no/such/folder: No such file or directory\n");
    check("/dev/null:/w", "friscy: /dev/null: it is neither a folder nor a regular file\n");
    check("/proc:/w", "friscy: /proc: the host's /proc cannot be mounted\n");
    check(
        "/tmp:w",
        "friscy: -v /tmp:w: the path in the guest must begin with /; write -v HOST:GUEST, -v HOST:GUEST:ro or -v HOST:GUEST:rw\n",
    );
    check("/tmp:/proc/x", "friscy: -v: /tmp cannot be mounted at /proc/x: EPERM\n");
}
