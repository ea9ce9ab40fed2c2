//! Running programs in friscy and in the referee.

use crate::places::{friscy, rootfs, rootfs_folder, workspace};
use std::io::{Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a program ended and what it wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Exit status as a shell reports it.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// A command inside the root file system.
pub fn in_friscy(command: &[&str]) -> Command {
    let mut process = Command::new(friscy());
    process.arg("run").arg(rootfs()).args(command);
    process
}

/// The same command on Linux, by qemu-user in a chroot.
pub fn in_referee(command: &[&str]) -> Command {
    let mut process = Command::new("sh");
    process.arg(workspace().join("tests/referee.sh")).arg(rootfs_folder()).args(command);
    process
}

/// Runs to the end, with nothing on standard input, or dies after `limit`.
///
/// # Panics
/// If it cannot be started or takes longer than `limit`.
pub fn outcome(command: &mut Command, input: &[u8], limit: Duration) -> Outcome {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let feeder = thread::spawn(move || {
        // A program need not read all of its input.
        let _ = stdin.write_all(&input);
    });
    let drain = |mut pipe: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            bytes
        })
    };
    let stdout = drain(Box::new(child.stdout.take().expect("a pipe")));
    let stderr = drain(Box::new(child.stderr.take().expect("a pipe")));
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            break status;
        }
        if begin.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            let stdout = stdout.join().unwrap_or_default();
            let stderr = stderr.join().unwrap_or_default();
            panic!("still running after {limit:?}\n--- stdout\n{}\n--- stderr\n{}", tail(&stdout), tail(&stderr));
        }
        thread::sleep(Duration::from_millis(5));
    };
    let _ = feeder.join();
    Outcome {
        status: shell_status(status),
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    }
}

fn shell_status(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// The last 2,000 bytes as text.
pub fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(2000);
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}

/// The first line in which two texts differ, for a message; `None` if they are the same.
pub fn first_difference(got: &[u8], want: &[u8]) -> Option<String> {
    if got == want {
        return None;
    }
    let got_lines: Vec<_> = got.split(|&byte| byte == b'\n').collect();
    let want_lines: Vec<_> = want.split(|&byte| byte == b'\n').collect();
    let line = got_lines.iter().zip(&want_lines).take_while(|(got, want)| got == want).count();
    let show = |lines: &[&[u8]]| {
        let end = lines.len().min(line + 4);
        let shown = lines.get(line..end).unwrap_or_default();
        shown.iter().map(|line| format!("    {}\n", String::from_utf8_lossy(line))).collect::<String>()
    };
    Some(format!("line {} differs\n  got\n{}  want\n{}", line + 1, show(&got_lines), show(&want_lines)))
}
