//! Whole files that are given as images.

use crate::tree::{show, use_it};
use friscy_image::{Image, Limits, Options, open};
use friscy_vfs::TreeLimits;
use rustix::fs::MemfdFlags;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

/// How much compressed data may become.
const LIMITS: Limits = Limits { always: 1 << 20, ratio: 100, never: 4 << 20 };

/// Opens the bytes as an image; a tree that comes of it must be whole, and an error must name the image.
///
/// # Panics
/// If not.
pub fn check(bytes: &[u8]) {
    if let Ok(image) = open_bytes(bytes) {
        let shown = show(&*image.lower);
        use_it(image.lower, &shown);
    }
}

/// Opens bytes as an image, or answers the error without the image's name.
///
/// # Errors
/// What `friscy_image::open` says.
///
/// # Panics
/// If the error does not name the image, or the host has no memory.
pub fn open_bytes(bytes: &[u8]) -> Result<Image, String> {
    let mut file = File::from(rustix::fs::memfd_create("image", MemfdFlags::CLOEXEC).expect("a file in memory"));
    file.write_all(bytes).expect("a file in memory");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let tree = TreeLimits { nodes: 2000, bytes: 1 << 20 };
    open(&path, &Options { limits: LIMITS, tree, ..Options::default() }).map_err(|error| {
        let text = error.to_string();
        let rest = text.strip_prefix(&format!("{}: ", path.display()));
        rest.unwrap_or_else(|| panic!("an error that does not name the image: {text}")).to_owned()
    })
}
