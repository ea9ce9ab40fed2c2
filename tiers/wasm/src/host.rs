//! What makes modules run: a browser, by way of the page's code, or wasmtime.

use crate::layout::{Features, Layout};
use friscy_seam::State;
use std::ptr::NonNull;

/// What became of a module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Installed {
    /// Its functions are in the table.
    Ready,
    /// They will be: [`Host::installed`] tells.
    Pending,
    /// It was refused.
    Refused,
}

/// What is done before a load. Stores and atomics are always checked by their page's byte, which then says that it is
/// written.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum AccessForm {
    /// The lowest addresses fault, and what lies beyond the memory traps. From any other page that may not be read, a load
    /// gives what is there.
    Plain,
    /// The page's byte is looked at: every fault is exact.
    #[default]
    Checked,
}

/// The engine that compiles and runs modules. A module imports, from [`crate::IMPORTS`], the `memory` and the `table` that
/// belong to the address space, and the function `float` ([`crate::float`]).
pub trait Host {
    /// Where things are in the memory.
    fn layout(&self) -> Layout;

    /// What it has.
    fn features(&self) -> Features;

    /// The form of loads in what is compiled from now on. Who changes it to [`AccessForm::Checked`] forgets what there is.
    fn access_form(&self) -> AccessForm {
        AccessForm::Checked
    }

    /// The first slot of the table that the tier may use.
    fn base_slot(&self) -> u32;

    /// Whether [`Host::install`] never says [`Installed::Pending`].
    fn is_immediate(&self) -> bool {
        false
    }

    /// Zero bytes of the memory, a multiple of 16 at such an address, for as long as the host is there.
    fn room(&mut self, bytes: usize) -> Option<NonNull<u8>>;

    /// The address of what [`Host::room`] gave.
    fn address(&self, room: NonNull<u8>) -> u32;

    /// Takes a module, of which `number` is the name, to be instantiated with a table of at least `slots` slots.
    fn install(&mut self, number: u32, module: Vec<u8>, slots: u32) -> Installed;

    /// The number of a module of which was said [`Installed::Pending`], and whether its functions are in the table now.
    fn installed(&mut self) -> Option<(u32, bool)> {
        None
    }

    /// Calls the function in [`crate::ENTER_SLOT`] for a slot and a context; `state.fuel` goes in and comes out.
    ///
    /// # Safety
    /// The slot has compiled code, `state` is where the layout says, and window and pages are those of its address space.
    unsafe fn enter(&mut self, slot: u32, context: u32, state: *mut State) -> u64;
}
