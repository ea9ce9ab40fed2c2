//! The documents of images: indexes, manifests, configurations.

use crate::image;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use tar::{Builder, Header};

/// Ends a document; no JSON has this byte.
pub const END: u8 = 0xff;

/// The most documents.
const MOST: usize = 16;

/// Makes an archive of an image from documents and opens it. `@0` in a document stands for the digest of the first one,
/// `%0` for its name in the archive, and so on up to nine, for documents that came before, so that a mutation of one
/// does not only ever break a digest. The last one is `manifest.json` if it begins with `[`, else `index.json`.
///
/// # Panics
/// As [`image::check`].
pub fn check(bytes: &[u8]) {
    image::check(&archive(bytes));
}

/// The archive that documents make.
///
/// # Panics
/// Never: writing to memory does not fail.
#[must_use]
pub fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut digests: Vec<String> = Vec::new();
    let mut builder = Builder::new(Vec::new());
    let documents: Vec<&[u8]> = bytes.split(|&byte| byte == END).take(MOST).collect();
    for (at, document) in documents.iter().enumerate() {
        let text = filled(document, &digests);
        let digest = Sha256::digest(&text).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let name = match text.first() {
            _ if at + 1 < documents.len() => format!("blobs/sha256/{digest}"),
            Some(b'[') => String::from("manifest.json"),
            _ => String::from("index.json"),
        };
        digests.push(digest);
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &*text).expect("memory");
    }
    builder.into_inner().expect("memory")
}

/// The document with digests and names of others.
fn filled(document: &[u8], digests: &[String]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut at = 0;
    while let Some(&byte) = document.get(at) {
        let number = document.get(at + 1).and_then(|&digit| char::from(digit).to_digit(10));
        let digest = number.and_then(|number| digests.get(number as usize));
        match (byte, digest) {
            (b'@', Some(digest)) => text.extend(format!("sha256:{digest}").bytes()),
            (b'%', Some(digest)) => text.extend(format!("blobs/sha256/{digest}").bytes()),
            _ => {
                text.push(byte);
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    text
}
