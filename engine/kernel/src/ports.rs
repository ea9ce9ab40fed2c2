//! What the kernel needs of its host. The implementations, native and web, are outside this crate.

use crate::Nanos;

/// Time.
pub trait Clock {
    /// Nanoseconds of a clock that never goes back, from an arbitrary start.
    fn monotonic(&self) -> Nanos;

    /// Nanoseconds since 1970-01-01 00:00 UTC.
    fn realtime(&self) -> Nanos;
}

/// Random bytes.
pub trait Entropy {
    /// Fills the buffer with bytes that a guest may use for cryptography.
    fn fill(&mut self, buf: &mut [u8]);
}

/// What reading from the host gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing now; more may come.
    None,
    /// Nothing any more.
    End,
}

/// The guest's standard streams on the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// Standard output, and the terminal's output.
    Out,
    /// Standard error, when it is not the terminal.
    Err,
}

/// The size of a terminal, as `struct winsize`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
    /// Width in pixels, or 0.
    pub xpixel: u16,
    /// Height in pixels, or 0.
    pub ypixel: u16,
}

/// Standard input and output of the machine: a terminal, or pipes and files. Nothing here waits.
pub trait Terminal {
    /// Reads typed or piped bytes.
    fn read(&mut self, buf: &mut [u8]) -> Input;

    /// Whether [`Terminal::read`] would give something other than [`Input::None`].
    fn readable(&mut self) -> bool;

    /// Writes, and returns how many bytes were taken: fewer than given (even none) when the host cannot take more now.
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> usize;

    /// Whether the stream would take at least one byte.
    fn writable(&mut self, stream: Stream) -> bool;

    /// Whether nobody will ever read what is written to the stream: a pipe whose reader is gone.
    fn closed(&mut self, _stream: Stream) -> bool {
        false
    }

    /// The terminal's size, or `None` when the streams are not a terminal.
    fn window(&self) -> Option<WindowSize>;

    /// Whether the terminal's size is still to come: what [`Terminal::window`] says is of no use until then, and who
    /// asks for it waits for the next event of the host.
    fn window_pending(&self) -> bool {
        false
    }
}

/// Random bytes from a seed, for deterministic runs: SplitMix64. Not for cryptography.
pub struct SeededEntropy(pub u64);

impl Entropy for SeededEntropy {
    fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}
