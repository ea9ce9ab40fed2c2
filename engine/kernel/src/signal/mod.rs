//! Signals: sets, actions, queues; sending, delivery and return are in the submodules.

mod action;
mod deliver;
mod frame;
mod info;
mod number;
mod send;
mod set;

pub use action::{AltStack, MINSIGSTKSZ, SIG_IGN_ACTION, SS_AUTODISARM, SigAction, Sighand};
pub use deliver::Delivered;
pub use frame::FRAME_SIZE;
pub use info::{CONT_SIGNAL, Pending, STOP_SIGNALS, SigData, SigInfo};
pub use number::*;
pub use set::SigSet;
