//! What the glue imports into this instance, and the kernel's ports made of it.

use crate::cpu::Glue;
use friscy_kernel::Nanos;
use friscy_kernel::ports::{Clock, Entropy, Input, Stream, Terminal, WindowSize};
use std::cell::Cell;
use std::rc::Rc;

mod imports {
    #[link(wasm_import_module = "friscy")]
    unsafe extern "C" {
        /// Makes an empty address space; 0 if there is no memory for it.
        pub safe fn cpu_create() -> u32;
        /// Makes a copy of an address space; 0 if there is no memory for it.
        pub safe fn cpu_fork(parent: u32) -> u32;
        /// Frees an address space.
        pub safe fn cpu_destroy(space: u32);
        /// Has an address space handle a request; the length of its reply, negative if it failed for good.
        pub fn cpu_call(space: u32, request: *const u8, len: usize) -> isize;
        /// Copies the last reply.
        pub fn cpu_reply(to: *mut u8);
        /// Writes to the terminal; how many bytes it took.
        pub fn terminal_write(from: *const u8, len: usize) -> usize;
        /// Reads typed bytes.
        pub fn terminal_read(to: *mut u8, len: usize) -> usize;
        /// Whether there are typed bytes.
        pub safe fn terminal_readable() -> u32;
        /// Nanoseconds of a clock that never goes back.
        pub safe fn monotonic_ns() -> u64;
        /// Nanoseconds since the epoch.
        pub safe fn realtime_ns() -> u64;
        /// Fills with random bytes.
        pub fn entropy(to: *mut u8, len: usize);
        /// Asks for a chunk.
        pub safe fn want_chunk(number: u32);
        /// Writes a line to the console.
        pub fn log(from: *const u8, len: usize);
    }
}

pub(crate) use imports::want_chunk;

/// Writes a line to the browser's console.
pub(crate) fn log(line: &str) {
    // SAFETY: the glue reads `len` bytes at the pointer during the call.
    unsafe { imports::log(line.as_ptr(), line.len()) }
}

/// The glue behind imports.
pub(crate) struct ImportedGlue;

impl Glue for ImportedGlue {
    fn create(&mut self) -> Option<u32> {
        Some(imports::cpu_create()).filter(|&space| space != 0)
    }

    fn fork(&mut self, parent: u32) -> Option<u32> {
        Some(imports::cpu_fork(parent)).filter(|&space| space != 0)
    }

    fn destroy(&mut self, space: u32) {
        imports::cpu_destroy(space);
    }

    fn call(&mut self, space: u32, request: &[u8]) -> Option<Vec<u8>> {
        // SAFETY: the glue reads the request during the call.
        let len = unsafe { imports::cpu_call(space, request.as_ptr(), request.len()) };
        let mut reply = vec![0; usize::try_from(len).ok()?];
        // SAFETY: the glue writes as many bytes as it just said.
        unsafe { imports::cpu_reply(reply.as_mut_ptr()) };
        Some(reply)
    }
}

/// The browser's clocks.
pub(crate) struct WebClock;

impl Clock for WebClock {
    fn monotonic(&self) -> Nanos {
        imports::monotonic_ns()
    }

    fn realtime(&self) -> Nanos {
        imports::realtime_ns()
    }
}

/// The browser's random bytes.
pub(crate) struct WebEntropy;

impl Entropy for WebEntropy {
    fn fill(&mut self, buf: &mut [u8]) {
        // SAFETY: the glue writes `len` bytes during the call.
        unsafe { imports::entropy(buf.as_mut_ptr(), buf.len()) }
    }
}

/// The page's terminal. Its size is shared with who hears of it, and of changes.
pub(crate) struct WebTerminal(pub Rc<Cell<Option<WindowSize>>>);

impl Terminal for WebTerminal {
    fn read(&mut self, buf: &mut [u8]) -> Input {
        // SAFETY: the glue writes at most `len` bytes during the call.
        match unsafe { imports::terminal_read(buf.as_mut_ptr(), buf.len()) } {
            0 => Input::None,
            read => Input::Bytes(read.min(buf.len())),
        }
    }

    fn readable(&mut self) -> bool {
        imports::terminal_readable() != 0
    }

    fn write(&mut self, _: Stream, bytes: &[u8]) -> usize {
        // SAFETY: the glue reads `len` bytes during the call.
        unsafe { imports::terminal_write(bytes.as_ptr(), bytes.len()) }.min(bytes.len())
    }

    fn writable(&mut self, _: Stream) -> bool {
        // SAFETY: nothing is read.
        unsafe { imports::terminal_write(std::ptr::dangling(), 0) != usize::MAX }
    }

    fn window(&self) -> Option<WindowSize> {
        Some(self.0.get().unwrap_or(WindowSize { rows: 24, cols: 80, xpixel: 0, ypixel: 0 }))
    }

    fn window_pending(&self) -> bool {
        self.0.get().is_none()
    }
}
