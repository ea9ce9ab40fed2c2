//! What this crate's tests share: a window without inaccessible pages, and operands.

use friscy_seam::State;

/// Bytes of inaccessible pages around a real window, which are accessible here.
const GUARD_BYTES: usize = 64 << 10;

/// All that an address of 32 bits reaches, with its guards.
const BYTES: usize = (4 << 30) + 2 * GUARD_BYTES;

/// A guest window in which every access succeeds; untouched pages are zero.
pub(crate) struct Window(*mut u8);

impl Window {
    pub fn new() -> Window {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping where the host likes touches nothing that exists.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), BYTES, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        assert_ne!(at, libc::MAP_FAILED);
        Window(at.cast())
    }

    /// Zero registers over this window.
    pub fn state(&self) -> Box<State> {
        State::new(self.0.wrapping_add(GUARD_BYTES), std::ptr::null_mut())
    }

    fn at(&self, offset: i64) -> *mut u64 {
        assert!(offset >= -(GUARD_BYTES as i64) && offset < (BYTES - GUARD_BYTES - 8) as i64);
        self.0.wrapping_offset(GUARD_BYTES as isize + offset as isize).cast()
    }

    /// The eight bytes at an offset.
    pub fn read(&self, offset: i64) -> u64 {
        // SAFETY: within the mapping, to which no reference exists.
        unsafe { self.at(offset).read_unaligned() }
    }

    /// Sets the eight bytes at an offset.
    pub fn write(&self, offset: i64, value: u64) {
        // SAFETY: as for `read`.
        unsafe { self.at(offset).write_unaligned(value) }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own.
        unsafe {
            libc::munmap(self.0.cast(), BYTES);
        }
    }
}

/// SplitMix64.
pub(crate) struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A small or extreme integer, a double, a boxed single, or any bits.
    pub fn operand(&mut self) -> u64 {
        let n = self.bits();
        match n >> 61 {
            0 => n & 15,
            1 => (n & 15).wrapping_sub(8),
            2 => [i64::MAX as u64, i64::MIN as u64, u64::MAX, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 64, 32]
                [n as usize & 7],
            3 => ((n & 4095) as f64 / 8.0 - 250.0).to_bits(),
            4 => ((n & 4095) as f32 / 8.0 - 250.0).to_bits() as u64 | 0xffff_ffff_0000_0000,
            5 => [f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, 1.0, -1e-310][n as usize & 7]
                .to_bits(),
            _ => n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        }
    }
}
