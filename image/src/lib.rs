//! Images of containers, in every form in which they reach a user, as trees of files and a configuration.
//!
//! [`open`] takes `docker save` archives, OCI archives and layouts, tars and folders of root file systems and single
//! programs, told apart by their contents, and names of images in registries. Digests are verified once, when layers are unpacked into the cache folder
//! ([`Cache`]); from there they are mapped. This crate knows the vfs' trees; it must never know how they are used, and
//! never writes anywhere but into the cache folder. Archives are not trusted: names in them never become names on the
//! host, whatever they hold ends in an error that names it at worst, and what they may become is limited ([`Limits`]).
#![warn(missing_docs)]

mod aligned;
mod blobs;
mod digest;
mod error;
mod inflate;
mod layers;
mod model;
mod open;
mod pull;
mod record;
mod registry;
mod select;
mod store;

pub use digest::Digest;
pub use error::{ImageError, Problem};
pub use inflate::Limits;
pub use model::Config;
pub use open::{Image, Options, open};
pub use pull::Pull;
pub use record::CachedImage;
pub use store::{Cache, DEFAULT_LIMIT, FOLDER_VARIABLE, LIMIT_VARIABLE};
