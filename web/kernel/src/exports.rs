//! What the worker calls. Everything is plain numbers; addresses are those of this instance's memory.

use crate::session::{Next, Session};
use sha2::{Digest, Sha256};
use std::cell::UnsafeCell;

/// Everything of the instance that lives from one call to the next.
struct Globals {
    session: Option<Session>,
    buffer: Vec<u8>,
    profile: Vec<u8>,
    digest: [u8; 32],
    message: String,
}

struct Single(UnsafeCell<Globals>);

// SAFETY: the instance has one thread.
unsafe impl Sync for Single {}

static GLOBALS: Single = Single(UnsafeCell::new(Globals {
    session: None,
    buffer: Vec::new(),
    profile: Vec::new(),
    digest: [0; 32],
    message: String::new(),
}));

fn globals() -> &'static mut Globals {
    // SAFETY: one thread; the exports below, its only callers, do not call each other, and what they import calls none
    // of them.
    unsafe { &mut *GLOBALS.0.get() }
}

/// A buffer of `len` bytes for what the next call takes.
#[unsafe(no_mangle)]
extern "C" fn buffer(len: usize) -> *mut u8 {
    let buffer = &mut globals().buffer;
    buffer.clear();
    buffer.resize(len, 0);
    buffer.as_mut_ptr()
}

/// Sets the machine up from what is in the buffer: `config` bytes of JSON, then the index of files. 0, or 1 with a
/// message.
#[unsafe(no_mangle)]
extern "C" fn boot(config: usize) -> u32 {
    let globals = globals();
    let buffer = std::mem::take(&mut globals.buffer);
    let (config, index) = buffer.split_at(config.min(buffer.len()));
    match Session::new(config, index) {
        Ok(session) => {
            globals.session = Some(session);
            0
        }
        Err(message) => {
            globals.message = message;
            1
        }
    }
}

/// Takes the contents of a chunk from the buffer.
#[unsafe(no_mangle)]
extern "C" fn chunk(number: u32) {
    let globals = globals();
    let bytes = std::mem::take(&mut globals.buffer).into_boxed_slice();
    if let Some(session) = &mut globals.session {
        session.chunk(number, bytes);
    }
}

/// Runs for about `ms` milliseconds; what the machine wants next.
#[unsafe(no_mangle)]
extern "C" fn slice(ms: u32) -> u32 {
    let globals = globals();
    let Some(session) = &mut globals.session else { return Next::Failed as u32 };
    let next = session.slice(ms);
    if let Next::Failed = next {
        globals.message = std::mem::take(&mut session.message);
    }
    next as u32
}

/// Milliseconds until something happens by itself, negative if nothing does.
#[unsafe(no_mangle)]
extern "C" fn timer_ms() -> f64 {
    globals().session.as_ref().map_or(-1.0, Session::timer_ms)
}

/// The wait status of the first process, once it has ended.
#[unsafe(no_mangle)]
extern "C" fn exit_status() -> u32 {
    globals().session.as_ref().and_then(|session| session.exit).map_or(0, |status| status.to_wstatus())
}

/// There is input, or room for output.
#[unsafe(no_mangle)]
extern "C" fn terminal_ready() {
    if let Some(session) = &mut globals().session {
        session.terminal_ready();
    }
}

/// The terminal has another size.
#[unsafe(no_mangle)]
extern "C" fn resize(cols: u32, rows: u32) {
    let clamped = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    if let Some(session) = &mut globals().session {
        session.resize(clamped(cols), clamped(rows));
    }
}

/// Makes the profile of all that ran so far; the length of its file in bytes, 0 if none is recorded.
#[unsafe(no_mangle)]
extern "C" fn make_profile() -> usize {
    let globals = globals();
    globals.profile = globals.session.as_ref().and_then(Session::profile).unwrap_or_default();
    globals.profile.len()
}

/// Where it is.
#[unsafe(no_mangle)]
extern "C" fn profile() -> *const u8 {
    globals().profile.as_ptr()
}

/// SHA-256 of what is in the buffer: where its 32 bytes are.
#[unsafe(no_mangle)]
extern "C" fn sha256() -> *const u8 {
    let globals = globals();
    globals.digest = Sha256::digest(&globals.buffer).into();
    globals.digest.as_ptr()
}

/// Where the last message is.
#[unsafe(no_mangle)]
extern "C" fn message() -> *const u8 {
    globals().message.as_ptr()
}

/// The length of the last message in bytes.
#[unsafe(no_mangle)]
extern "C" fn message_len() -> usize {
    globals().message.len()
}
