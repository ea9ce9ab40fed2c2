//! Images that are named, not given: `NAME[:TAG|@DIGEST]`.

use crate::digest::Digest;
use crate::error::Problem;
use crate::open::{Image, Options, key_of, load, load_record};
use crate::registry::Registry;
use crate::select::find_from;
use crate::store::Kind;
use oci_spec::distribution::Reference;
use std::path::Path;

/// When an image that is named is fetched from its registry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Pull {
    /// When it is not in the cache.
    #[default]
    Missing,
    /// Always; layers that are in the cache are not.
    Always,
    /// Never.
    Never,
}

impl std::str::FromStr for Pull {
    type Err = String;

    fn from_str(text: &str) -> Result<Pull, String> {
        match text {
            "missing" => Ok(Pull::Missing),
            "always" => Ok(Pull::Always),
            "never" => Ok(Pull::Never),
            _ => Err("one of missing, always and never".into()),
        }
    }
}

/// Endings of names that are files' rather than images'.
const FILE_ENDINGS: [&str; 8] = [".tar", ".tgz", ".gz", ".zst", ".xz", ".bz2", ".oci", ".elf"];

/// What a path that leads nowhere names as an image, if it looks like that. As in docker, a name without a registry is
/// one of the default registry.
pub(crate) fn reference(path: &Path) -> Option<Reference> {
    let text = path.to_str()?;
    let first = text.split('/').next()?;
    let like_a_file = first.is_empty()
        || first.starts_with(['.', '~'])
        || FILE_ENDINGS.iter().any(|ending| text.ends_with(ending))
        || (text.contains('/') && Path::new(first).is_dir());
    if like_a_file { None } else { text.parse().ok() }
}

/// Opens the image that a reference names, from the cache or from its registry.
///
/// # Errors
/// The registry does not give it, or what [`crate::open`] fails with.
pub(crate) fn pull(reference: &Reference, shown: &str, options: &Options) -> Result<Image, Problem> {
    let cache = options.cache.as_ref();
    let source = Digest::of(format!("reference {}", reference.whole()).as_bytes());
    if options.pull != Pull::Always {
        let known = cache.and_then(|cache| load_record(cache, &cache.source(source.hex())?, None));
        if let Some(image) = known {
            return Ok(image);
        }
    }
    if options.pull == Pull::Never {
        return Err(Problem::Registry("no such file, and no image of that name is in the cache".into()));
    }
    (options.notify)(&format!("fetching {}", reference.whole()));
    let registry = Registry::new(reference, cache, options.limits.never);
    let found = find_from(&registry, &registry.resolve()?)?;
    let image = load(&registry, &found, shown, options)?;
    if let Some(cache) = cache {
        cache.write(Kind::Source, source.hex(), key_of(&found).as_bytes()).map_err(Problem::beside(cache.dir()))?;
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_file_is_no_name() {
        let of = |text: &str| reference(Path::new(text)).map(|reference| reference.to_string());
        for file in
            ["/nonexistent/image", "./debian", "../x", "~/x", "image.tar", "a/b.tar.gz", "src/nothing", "UPPER", ""]
        {
            assert_eq!(of(file), None, "{file}");
        }
        assert_eq!(of("registry.example:5000/a/b:1"), Some("registry.example:5000/a/b:1".into()));
        let digest = format!("localhost:5000/x@sha256:{}", "0".repeat(64));
        assert_eq!(of(&digest), Some(digest));
        // Of docker's default registry.
        assert!(of("debian:trixie").is_some_and(|name| name.ends_with("/library/debian:trixie")));
    }
}
