//! Acting on what file objects want done.

use super::effects::Effect;
use crate::Kernel;
use crate::signal::SigInfo;
use friscy_vfs::{Creds, PathContext};

impl Kernel {
    /// Acts on the notes of file objects: wakes tasks, sends terminals' signals. To be called after a system call,
    /// after a process ended, and after the host's terminal was served; before any task runs.
    pub fn settle_effects(&mut self) {
        while !self.drivers.effects.is_empty() {
            drop(self.drivers.effects.take_released());
            for effect in self.drivers.effects.take() {
                match effect {
                    Effect::Wake(key) => {
                        self.wake(key);
                        if self.drivers.has_asynchronous() {
                            self.signal_asynchronous(key);
                        }
                    }
                    effect @ Effect::SignalOwner { .. } => self.settle_owner(effect),
                    Effect::SignalGroup { pgid, signo } => {
                        self.send_to_group(pgid, SigInfo::kernel(signo));
                    }
                    Effect::SignalProcess { pid, signo } => self.send_to_process(pid, SigInfo::kernel(signo)),
                    Effect::TerminalGone(index) => self.remove_pts_node(index),
                    Effect::Hangup { sid, tty, foreground } => self.terminal_hangup(sid, tty, foreground),
                }
            }
        }
    }

    fn remove_pts_node(&mut self, index: u32) {
        if self.drivers.devpts.is_none() || self.drivers.terminal(index).is_some_and(|terminal| !terminal.hung_up()) {
            return;
        }
        let root = self.vfs.root();
        let context = PathContext { root: root.clone(), cwd: root.clone(), creds: Creds::root() };
        // A guest may have removed the name, or mounted something over it.
        let _ = self.vfs.unlink(&context, &root, format!("/dev/pts/{index}").as_bytes());
    }
}
