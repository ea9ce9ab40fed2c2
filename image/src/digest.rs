//! Digests, as the OCI image specification writes them ("Digests"): `sha256:` and 64 hexadecimal digits, or `sha512:` and
//! 128.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;
use std::io::{self, Write};

/// A digest of contents.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

/// A hash function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    fn digits(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Sha512 => 128,
        }
    }
}

impl Digest {
    /// Reads a digest; `None` if it is none that is understood, so that whatever is accepted can be part of a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Digest> {
        let (name, hex) = text.split_once(':')?;
        let algorithm =
            [Algorithm::Sha256, Algorithm::Sha512].into_iter().find(|algorithm| algorithm.name() == name)?;
        let good = hex.len() == algorithm.digits() && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        good.then(|| Digest { algorithm, hex: hex.to_owned() })
    }

    /// The SHA-256 of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Digest {
        Digest { algorithm: Algorithm::Sha256, hex: hex(&Sha256::digest(bytes)) }
    }

    /// The digest of these bytes by the same function.
    #[must_use]
    pub fn same_of(&self, bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self.algorithm, io::sink());
        // A sink takes everything.
        let _ = hasher.write_all(bytes);
        hasher.finish()
    }

    /// The hash function.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name of the hash function.
    #[must_use]
    pub fn algorithm_name(&self) -> &'static str {
        self.algorithm.name()
    }

    /// The digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The beginning, for messages.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}:{}", self.algorithm.name(), self.hex.get(..12).unwrap_or(&self.hex))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Digest, String> {
        Digest::parse(&text).ok_or_else(|| format!("{text:?} is no digest by sha256 or sha512"))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A writer that hashes what passes.
pub(crate) struct Hasher<W> {
    state: State,
    writer: W,
}

enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl<W: Write> Hasher<W> {
    pub(crate) fn new(algorithm: Algorithm, writer: W) -> Hasher<W> {
        let state = match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        };
        Hasher { state, writer }
    }

    /// The digest of everything that passed.
    pub(crate) fn finish(self) -> Digest {
        match self.state {
            State::Sha256(state) => Digest { algorithm: Algorithm::Sha256, hex: hex(&state.finalize()) },
            State::Sha512(state) => Digest { algorithm: Algorithm::Sha512, hex: hex(&state.finalize()) },
        }
    }
}

impl<W: Write> Write for Hasher<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(buf)?;
        let passed = buf.get(..count).unwrap_or(buf);
        match &mut self.state {
            State::Sha256(state) => state.update(passed),
            State::Sha512(state) => state.update(passed),
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digests_are_digests() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert_eq!(Digest::parse(empty), Some(Digest::of(b"")));
        assert_eq!(Digest::of(b"").short(), "sha256:e3b0c44298fc");
        let long = format!("sha512:{}", "0".repeat(128));
        assert_eq!(Digest::parse(&long).map(|digest| digest.same_of(b"").hex().len()), Some(128));
        for wrong in ["", "sha256:", "sha256:../../etc/passwd", &empty.to_uppercase(), &empty[..70], "md5:00"] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }
}
