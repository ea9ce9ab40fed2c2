//! Signal actions, sigaction(2), and the alternate stack, sigaltstack(2).

use super::{NSIG, SigSet};
use friscy_abi::Errno;
use friscy_abi::signal::{SIG_DFL, SIG_IGN, SS_DISABLE, SS_ONSTACK};

/// `SS_AUTODISARM` of sigaltstack(2).
pub const SS_AUTODISARM: u32 = 1 << 31;
/// The smallest stack that sigaltstack(2) takes on riscv64.
pub const MINSIGSTKSZ: u64 = 2048;

/// What to do with a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SigAction {
    /// Address of the handler, 0 (`SIG_DFL`) or 1 (`SIG_IGN`).
    pub handler: u64,
    /// `SA_…` flags.
    pub flags: u64,
    /// Signals blocked while the handler runs.
    pub mask: SigSet,
}

impl SigAction {
    /// Whether it is `SIG_IGN`.
    #[must_use]
    pub fn is_ignore(&self) -> bool {
        self.handler == SIG_IGN
    }

    /// Whether it is `SIG_DFL`.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.handler == SIG_DFL
    }
}

/// `SIG_IGN` as an action.
pub const SIG_IGN_ACTION: SigAction = SigAction { handler: SIG_IGN, flags: 0, mask: SigSet::EMPTY };

/// The table of actions, shared by threads (and by `CLONE_SIGHAND`).
#[derive(Clone, Debug)]
pub struct Sighand {
    actions: [SigAction; NSIG as usize],
}

impl Default for Sighand {
    fn default() -> Sighand {
        Sighand { actions: [SigAction::default(); NSIG as usize] }
    }
}

impl Sighand {
    /// The action of a signal; the default one for a number that is none.
    #[must_use]
    pub fn get(&self, signo: u32) -> SigAction {
        (signo as usize).checked_sub(1).and_then(|at| self.actions.get(at)).copied().unwrap_or_default()
    }

    /// Sets the action of a signal; nothing for a number that is none.
    pub fn set(&mut self, signo: u32, action: SigAction) {
        if let Some(slot) = (signo as usize).checked_sub(1).and_then(|at| self.actions.get_mut(at)) {
            *slot = action;
        }
    }

    /// What execve(2) does: handlers become default, ignored signals stay ignored.
    pub fn reset_for_exec(&mut self) {
        for action in &mut self.actions {
            let handler = if action.is_ignore() { SIG_IGN } else { SIG_DFL };
            *action = SigAction { handler, ..SigAction::default() };
        }
    }
}

/// The alternate signal stack of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AltStack {
    /// Lowest address.
    pub sp: u64,
    /// Flags as set: 0, `SS_ONSTACK` (which means the same) or `SS_DISABLE`, perhaps with [`SS_AUTODISARM`].
    pub flags: u32,
    /// Length in bytes.
    pub size: u64,
}

impl Default for AltStack {
    fn default() -> AltStack {
        AltStack { sp: 0, flags: SS_DISABLE, size: 0 }
    }
}

impl AltStack {
    /// Whether a stack pointer lies on it.
    #[must_use]
    pub fn contains(&self, sp: u64) -> bool {
        self.flags & SS_AUTODISARM == 0 && sp > self.sp && sp.wrapping_sub(self.sp) <= self.size
    }

    /// sigaltstack(2): sets it for a task whose stack pointer is `at`.
    ///
    /// # Errors
    /// `EPERM` while it is in use, `EINVAL` for unknown flags, `ENOMEM` for one that is too small.
    pub fn set(&mut self, at: u64, sp: u64, flags: u32, size: u64) -> Result<(), Errno> {
        if self.contains(at) {
            return Err(Errno::EPERM);
        }
        *self = match flags & !SS_AUTODISARM {
            SS_DISABLE => AltStack { sp: 0, flags, size: 0 },
            0 | SS_ONSTACK if size < MINSIGSTKSZ => return Err(Errno::ENOMEM),
            0 | SS_ONSTACK => AltStack { sp, flags, size },
            _ => return Err(Errno::EINVAL),
        };
        Ok(())
    }

    /// The `ss_flags` that sigaltstack(2) reports for a task whose stack pointer is `sp`.
    #[must_use]
    pub fn reported_flags(&self, sp: u64) -> u32 {
        if self.size == 0 {
            SS_DISABLE | self.flags & SS_AUTODISARM
        } else if self.contains(sp) {
            SS_ONSTACK
        } else {
            self.flags & SS_AUTODISARM
        }
    }
}
