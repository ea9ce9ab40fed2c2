//! Shorthands for generated nodes.

use super::with_kernel;
use crate::Kernel;
use friscy_abi::Errno;
use friscy_vfs::{FileType, SynthAttr, SynthDir, SynthFile, SynthLink, SynthNode};
use std::rc::Rc;

/// What makes a file's text.
pub(super) type Text = fn(&Kernel) -> Vec<u8>;

/// A read-only file made by a function.
struct TextFile(Text);

impl SynthFile for TextFile {
    fn read(&self) -> Result<Vec<u8>, Errno> {
        with_kernel(|kernel| Ok((self.0)(kernel)))
    }
}

/// A symbolic link made by a function.
struct TextLink(Text);

impl SynthLink for TextLink {
    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        with_kernel(|kernel| Ok((self.0)(kernel)))
    }
}

/// An entry of a fixed directory.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    /// A file.
    File(&'static str, Text),
    /// A symbolic link.
    Link(&'static str, Text),
    /// A directory.
    Dir(&'static str, &'static [Entry]),
}

impl Entry {
    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Entry::File(name, _) | Entry::Link(name, _) | Entry::Dir(name, _) => name,
        }
    }

    /// Its type.
    pub(super) fn file_type(&self) -> FileType {
        match self {
            Entry::File(..) => FileType::Regular,
            Entry::Link(..) => FileType::Symlink,
            Entry::Dir(..) => FileType::Directory,
        }
    }

    /// Its node.
    pub(super) fn node(&self) -> SynthNode {
        match *self {
            Entry::File(_, text) => SynthNode::File(Rc::new(TextFile(text))),
            Entry::Link(_, text) => SynthNode::Link(Rc::new(TextLink(text))),
            Entry::Dir(_, entries) => SynthNode::Dir(Rc::new(FixedDir(entries))),
        }
    }
}

/// A directory whose entries never change.
pub(super) struct FixedDir(pub(super) &'static [Entry]);

impl SynthDir for FixedDir {
    fn lookup(&self, name: &[u8]) -> Option<SynthNode> {
        self.0.iter().find(|entry| entry.name().as_bytes() == name).map(Entry::node)
    }

    fn list(&self) -> Vec<(Vec<u8>, FileType)> {
        self.0.iter().map(|entry| (entry.name().as_bytes().to_vec(), entry.file_type())).collect()
    }

    fn attr(&self) -> SynthAttr {
        SynthAttr::root(0o555)
    }
}
