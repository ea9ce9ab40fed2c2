//! The host terminal's raw mode: every key goes to the guest's terminal, which edits, echoes and makes signals of them.

use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io;
use std::sync::OnceLock;

/// What the terminal was before. Kept for the panic hook, which has no other way to it.
static BEFORE: OnceLock<Termios> = OnceLock::new();

/// While this lives, the terminal on standard input is raw.
pub struct RawMode(());

impl RawMode {
    /// Makes the terminal raw.
    ///
    /// # Errors
    /// As tcgetattr(3) and tcsetattr(3).
    pub fn enter() -> io::Result<RawMode> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        let _ = BEFORE.set(before);
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            next(info);
        }));
        tcsetattr(stdin(), OptionalActions::Drain, &raw)?;
        Ok(RawMode(()))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Some(before) = BEFORE.get() {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(stdin(), OptionalActions::Drain, before);
    }
}
