//! A terminal to type into: friscy on the slave side of a pseudoterminal, the test on the master's.

use crate::places::{friscy, rootfs};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for text before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A guest with a terminal.
pub struct Session {
    child: Child,
    master: File,
    output: Receiver<Vec<u8>>,
    /// What was printed and not yet waited for.
    text: String,
}

impl Session {
    /// Starts `friscy run ROOTFS COMMAND…` on a terminal of 24 lines of 80 columns.
    ///
    /// # Panics
    /// If the host refuses.
    pub fn start(command: &[&str]) -> Session {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudoterminal");
        grantpt(&master).expect("grantpt");
        unlockpt(&master).expect("unlockpt");
        resize(&master, 24, 80);
        let name = ptsname(&master, Vec::new()).expect("ptsname").into_string().expect("a path");
        let slave: File = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOCTTY.bits() as i32)
            .open(name)
            .expect("the slave side");
        let mut process = Command::new("setsid");
        // A controlling terminal is what makes the host send SIGWINCH.
        process.arg("--ctty").arg("--wait").arg(friscy()).arg("run").arg(rootfs()).args(command);
        let child = process
            .stdin(slave.try_clone().expect("a descriptor"))
            .stdout(slave.try_clone().expect("a descriptor"))
            .stderr(Stdio::from(OwnedFd::from(slave)))
            .spawn()
            .expect("friscy starts");
        let master = File::from(master);
        let mut reader = master.try_clone().expect("a descriptor");
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Session { child, master, output, text: String::new() }
    }

    /// Types.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn type_text(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("the terminal takes input");
    }

    /// Waits for text, and answers everything up to its end.
    ///
    /// # Panics
    /// If it does not come.
    pub fn wait_for(&mut self, wanted: &str) -> String {
        let begin = Instant::now();
        loop {
            if let Some(at) = self.text.find(wanted) {
                let rest = self.text.split_off(at + wanted.len());
                return std::mem::replace(&mut self.text, rest);
            }
            let left = PATIENCE.saturating_sub(begin.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.text.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{wanted:?} did not come; what came is {:?}", self.text),
            }
        }
    }

    /// Changes the terminal's size.
    pub fn resize(&self, rows: u16, cols: u16) {
        resize(&self.master, rows, cols);
    }

    /// Waits for the end and answers the exit status.
    ///
    /// # Panics
    /// If it does not end.
    pub fn end(mut self) -> i32 {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status.code().unwrap_or(-1);
            }
            if begin.elapsed() > PATIENCE {
                let _ = self.child.kill();
                panic!("it did not end");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn resize(master: &impl AsFd, rows: u16, cols: u16) {
    let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("the terminal has a size");
}
