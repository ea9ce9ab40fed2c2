//! Acting on what file objects want done.

use super::effects::Effect;
use crate::Kernel;
use crate::signal::SigInfo;

impl Kernel {
    /// Acts on the notes of file objects: wakes tasks, sends terminals' signals. To be called after a system call,
    /// after a process ended, and after the host's terminal was served; before any task runs.
    pub fn settle_effects(&mut self) {
        while !self.drivers.effects.is_empty() {
            for effect in self.drivers.effects.take() {
                match effect {
                    Effect::Wake(key) => self.wake(key),
                    Effect::SignalGroup { pgid, signo } => {
                        self.send_to_group(pgid, SigInfo::kernel(signo));
                    }
                    Effect::Hangup { sid, tty, foreground } => self.terminal_hangup(sid, tty, foreground),
                }
            }
        }
    }
}
