//! Registers as bytes: they cross the boundary twice in every run, so their form is fixed and copied, not encoded one by
//! one.

use crate::Regs;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Eight bytes for each of `x`, `f` and `pc`, four for `fflags` and `frm`.
const LEN: usize = 8 * (32 + 32 + 1) + 2 * 4;

impl Regs {
    /// The registers in the order of their declaration, each little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let (wide, narrow) = bytes.split_at_mut(LEN - 8);
        // One after the other: a chain of iterators takes three times as long in wasm.
        let mut places = wide.chunks_exact_mut(8);
        for words in [&self.x[..], &self.f[..], &[self.pc]] {
            for (word, place) in words.iter().zip(places.by_ref()) {
                place.copy_from_slice(&word.to_le_bytes());
            }
        }
        narrow.copy_from_slice(&(u64::from(self.frm) << 32 | u64::from(self.fflags)).to_le_bytes());
        bytes
    }

    /// What [`Regs::to_bytes`] gave; nothing for any other length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Regs> {
        let bytes: &[u8; LEN] = bytes.try_into().ok()?;
        let mut words = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
        let mut regs = Regs::default();
        for registers in [&mut regs.x[..], &mut regs.f[..], std::slice::from_mut(&mut regs.pc)] {
            for (register, word) in registers.iter_mut().zip(words.by_ref()) {
                *register = word;
            }
        }
        let narrow = words.next()?;
        (regs.fflags, regs.frm) = (narrow as u32, (narrow >> 32) as u32);
        Some(regs)
    }
}

impl Serialize for Regs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.to_bytes())
    }
}

impl<'de> Deserialize<'de> for Regs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Regs, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Regs;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(to, "{LEN} bytes of registers")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Regs, E> {
                Regs::from_bytes(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_survive_as_bytes() {
        let mut regs = Regs { pc: 0x1234_5678_9abc_def0, fflags: 0x1f, frm: 7, ..Regs::default() };
        for i in 0..32 {
            regs.x[i] = 0x0102_0304_0506_0708 * (i as u64 + 1);
            regs.f[i] = !regs.x[i];
        }
        let bytes = postcard::to_allocvec(&regs).unwrap();
        assert_eq!(bytes.len(), LEN + 2, "and its length");
        assert_eq!(postcard::from_bytes::<Regs>(&bytes), Ok(regs.clone()));
        assert_eq!(Regs::from_bytes(&regs.to_bytes()), Some(regs.clone()));
        assert_eq!(Regs::from_bytes(&regs.to_bytes()[1..]), None);
        assert_eq!(regs.to_bytes()[8..16], regs.x[1].to_le_bytes());
        assert_eq!(regs.to_bytes()[LEN - 8..], [0x1f, 0, 0, 0, 7, 0, 0, 0]);
    }
}
