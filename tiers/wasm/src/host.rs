//! What makes modules run: a browser, by way of the page's code, or wasmtime.

use crate::ahead::Found;
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
    /// The lowest addresses and what lies beyond the memory trap. From any other page that may not be read, a load gives what
    /// is there.
    Plain,
    /// The page's byte is looked at: every fault is exact.
    #[default]
    Checked,
}

/// How a module that was compiled ahead of time is to be instantiated: its imported globals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attached {
    /// The module's number.
    pub module: u32,
    /// Where its file is loaded.
    pub base: u64,
    /// The slot of its first function, beginning with that of the table.
    pub slots: u32,
    /// How many slots the table has to have.
    pub end: u32,
    /// The address of its cells.
    pub cells: u32,
    /// The address of the jump cache.
    pub cache: u32,
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

    /// Takes the wish for a module that was compiled ahead of time, to be instantiated as [`Attached`] says. What becomes
    /// of it, [`Host::installed`] tells.
    fn attach(&mut self, number: u32, attached: &Attached) {
        let _ = (number, attached);
    }

    /// Looks up in the table of a module that was compiled ahead of time and is here; see [`crate::ahead::Table::find`].
    fn find(&self, module: u32, address: u32) -> Option<Found> {
        let _ = (module, address);
        None
    }

    /// The same of [`crate::ahead::Table::target`].
    fn target(&self, module: u32, cell: u32) -> Option<u32> {
        let _ = (module, cell);
        None
    }

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
