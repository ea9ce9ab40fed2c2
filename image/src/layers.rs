//! The layers of an image as one source of contents.

use friscy_vfs::native::MappedFile;
use friscy_vfs::{ContentSource, ReadError};
use std::rc::Rc;

/// A layer's tar.
pub(crate) type Mapped = Rc<MappedFile>;

/// Tars one after another: the contents of the second begin where those of the first end.
#[derive(Default)]
pub(crate) struct Layers {
    /// Where each ends, ascending, and the layer.
    parts: Vec<(u64, Mapped)>,
}

impl Layers {
    /// Where the next one will begin.
    pub(crate) fn end(&self) -> u64 {
        self.parts.last().map_or(0, |(end, _)| *end)
    }

    /// One layer.
    pub(crate) fn of(layer: Mapped) -> Layers {
        Layers { parts: vec![(layer.bytes().len() as u64, layer)] }
    }

    /// Adds a layer; `None` if the sum cannot be counted.
    pub(crate) fn push(&mut self, layer: Mapped) -> Option<()> {
        let end = self.end().checked_add(layer.bytes().len() as u64)?;
        self.parts.push((end, layer));
        Some(())
    }

    /// The layer that holds the byte at `off`, and where in it that is.
    pub(crate) fn at(&self, off: u64) -> Option<(&Mapped, u64)> {
        let index = self.parts.partition_point(|(end, _)| *end <= off);
        let (end, layer) = self.parts.get(index)?;
        let start = end - layer.bytes().len() as u64;
        Some((layer, off - start))
    }
}

impl ContentSource for Layers {
    fn read_at(&self, off: u64, buf: &mut [u8]) -> Result<usize, ReadError> {
        self.at(off).map_or(Ok(0), |(layer, off)| layer.read_at(off, buf))
    }

    fn slice(&self, off: u64, len: u64) -> Option<&[u8]> {
        if len == 0 {
            return Some(&[]);
        }
        let (layer, off) = self.at(off)?;
        layer.slice(off, len)
    }
}
