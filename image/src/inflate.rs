//! Telling contents by what they begin with, and taking compression off.

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, Read, Write};

/// What contents are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Nothing at all.
    Empty,
    /// An ELF file.
    Elf,
    /// A tar.
    Tar,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with zstd.
    Zstd,
    /// Compressed with something that is not understood.
    Compressed(&'static str),
    /// Something else.
    Other,
}

impl Format {
    /// Looks at the first bytes, 512 of them if there are so many.
    pub(crate) fn of(bytes: &[u8]) -> Format {
        const MAGIC: &[(&[u8], Format)] = &[
            (b"\x7fELF", Format::Elf),
            (&[0x1f, 0x8b], Format::Gzip),
            (&[0x28, 0xb5, 0x2f, 0xfd], Format::Zstd),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Format::Compressed("xz")),
            (b"BZh", Format::Compressed("bzip2")),
            (&[0x04, 0x22, 0x4d, 0x18], Format::Compressed("lz4")),
        ];
        if bytes.is_empty() {
            return Format::Empty;
        }
        if let Some((_, format)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return *format;
        }
        // A skippable frame of zstd (RFC 8878, 3.1.2) may come first.
        if matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
            return Format::Zstd;
        }
        if friscy_vfs::is_tar(bytes) { Format::Tar } else { Format::Other }
    }
}

/// Why contents could not be inflated.
#[derive(Debug)]
pub(crate) enum InflateError {
    /// The data is damaged; what about it.
    Damaged(String),
    /// It grew beyond the limit.
    TooLarge,
    /// The result could not be written.
    Write(io::Error),
}

/// How much compressed data may become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes that any data may become, however well it was compressed.
    pub always: u64,
    /// How many times its size larger data may become.
    pub ratio: u64,
    /// Bytes that no data may exceed.
    pub never: u64,
}

impl Default for Limits {
    /// 1 GiB always, else a hundred-fold, never more than 32 GiB. Layers compress three- to tenfold.
    fn default() -> Limits {
        Limits { always: 1 << 30, ratio: 100, never: 32 << 30 }
    }
}

impl Limits {
    /// The bytes that `compressed` bytes may become.
    pub(crate) fn inflated(&self, compressed: u64) -> u64 {
        compressed.saturating_mul(self.ratio).max(self.always).min(self.never)
    }
}

/// Writes what `input` is when it is not compressed.
pub(crate) fn inflate(input: &[u8], limit: u64, output: &mut dyn Write) -> Result<(), InflateError> {
    let mut output = Limited { output, left: limit };
    match Format::of(input.get(..512).unwrap_or(input)) {
        Format::Gzip => {
            let mut decoder = MultiGzDecoder::new(input);
            copy(&mut decoder, &mut output)
        }
        Format::Zstd => inflate_zstd(input, &mut output),
        _ => copy(&mut &*input, &mut output),
    }
}

/// Frames one after another; skippable ones hold nothing.
fn inflate_zstd(mut input: &[u8], output: &mut Limited<'_>) -> Result<(), InflateError> {
    let damaged = |what: &dyn std::fmt::Display| InflateError::Damaged(format!("damaged zstd data: {what}"));
    while !input.is_empty() {
        match StreamingDecoder::new_with_decoder(&mut input, FrameDecoder::new()) {
            Ok(mut decoder) => {
                copy(&mut decoder, output)?;
                let frame = decoder.into_frame_decoder();
                if let (Some(said), Some(is)) = (frame.get_checksum_from_data(), frame.get_calculated_checksum()) {
                    if said != is {
                        return Err(damaged(&"its checksum is wrong"));
                    }
                }
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                input = input.get(length as usize..).ok_or_else(|| damaged(&"it is cut short"))?;
            }
            Err(error) => return Err(damaged(&error)),
        }
    }
    Ok(())
}

struct Limited<'a> {
    output: &'a mut dyn Write,
    left: u64,
}

fn copy(input: &mut dyn Read, output: &mut Limited<'_>) -> Result<(), InflateError> {
    let mut buffer = vec![0; 128 << 10];
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(InflateError::Damaged("the compressed data is cut short".into()));
            }
            Err(error) => return Err(InflateError::Damaged(format!("damaged compressed data: {error}"))),
        };
        output.left = output.left.checked_sub(count as u64).ok_or(InflateError::TooLarge)?;
        output.output.write_all(buffer.get(..count).unwrap_or_default()).map_err(InflateError::Write)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn inflated(input: &[u8], limit: u64) -> Result<Vec<u8>, String> {
        let mut output = Vec::new();
        match inflate(input, limit, &mut output) {
            Ok(()) => Ok(output),
            Err(InflateError::Damaged(what)) => Err(what),
            Err(InflateError::TooLarge) => Err("too large".into()),
            Err(InflateError::Write(error)) => Err(error.to_string()),
        }
    }

    #[test]
    fn several_members_and_frames() {
        let mut gz = gzip(b"one ");
        gz.extend(gzip(b"two"));
        assert_eq!(inflated(&gz, 100).unwrap(), b"one two");
        let mut zst = vec![0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        zst.extend(zstd(b"one "));
        zst.extend(zstd(b"two"));
        assert_eq!(Format::of(&zst), Format::Zstd);
        assert_eq!(inflated(&zst, 100).unwrap(), b"one two");
        assert_eq!(inflated(b"plain", 100).unwrap(), b"plain");
        assert_eq!(inflated(b"", 100).unwrap(), b"");
    }

    #[test]
    fn bombs_and_damage() {
        let zeros = vec![0; 1 << 20];
        for compressed in [gzip(&zeros), zstd(&zeros)] {
            assert_eq!(inflated(&compressed, 1 << 20).unwrap().len(), 1 << 20);
            assert_eq!(inflated(&compressed, (1 << 20) - 1).unwrap_err(), "too large");
            let short = &compressed[..compressed.len() - 5];
            assert!(inflated(short, 1 << 20).is_err());
        }
        let limits = Limits { always: 10, ratio: 3, never: 100 };
        assert_eq!([1, 20, 200].map(|size| limits.inflated(size)), [10, 60, 100]);
    }

    proptest! {
        #[test]
        fn no_compressed_data_panics(
            text in prop::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(),
            by in 1..=255_u8,
            cut in any::<prop::sample::Index>(),
        ) {
            for mut bytes in [gzip(&text), zstd(&text)] {
                let index = at.index(bytes.len());
                bytes[index] ^= by;
                let _ = inflated(&bytes, 10_000);
                bytes.truncate(cut.index(bytes.len()));
                let _ = inflated(&bytes, 10_000);
            }
        }
    }
}
