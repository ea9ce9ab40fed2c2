//! Finding the image for riscv64 among the documents of an archive, a layout or a registry.

use crate::blobs::{Blob, Blobs, MAX_DOCUMENT, Part, parse, verify};
use crate::digest::Digest;
use crate::error::Problem;
use crate::model::{Descriptor, DockerImage, ImageConfig, Index, Manifest};
use std::collections::{BTreeMap, BTreeSet};

/// Indexes inside indexes, at most.
const MAX_DEPTH: usize = 8;
/// Manifests that are looked at, at most.
const MAX_MANIFESTS: usize = 1000;
/// Layers of an image, at most; builders allow 127.
const MAX_LAYERS: usize = 1000;

/// Where names of images stand in an index.
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/// A layer, not read yet.
#[derive(Clone, Debug)]
pub(crate) struct LayerRef {
    /// The digest of its tar.
    pub diff_id: Digest,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    File(String),
    Blob { digest: Digest, size: Option<u64> },
}

impl LayerRef {
    /// Reads it, verified if it has a digest of its own. `part` is what messages call it.
    pub(crate) fn read(&self, blobs: &dyn Blobs, part: &str) -> Result<Blob, Problem> {
        let missing = |name: &str| Problem::Missing(format!("{part} ({name})"));
        match &self.place {
            Place::File(name) => blobs.get(Part::File(name))?.ok_or_else(|| missing(name)),
            Place::Blob { digest, size } => {
                let blob = blobs.get(Part::Blob(digest, *size))?.ok_or_else(|| missing(&digest.short()))?;
                let is = blob.bytes().len() as u64;
                if size.is_some_and(|size| size != is) {
                    let what = format!("it has {is} bytes, not {}", size.unwrap_or_default());
                    return Err(Problem::Damaged { part: part.to_owned(), what });
                }
                verify(part, digest, blob.bytes())?;
                Ok(blob)
            }
        }
    }
}

/// An image that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The digest of its configuration, which decides about everything else.
    pub id: Digest,
    /// The configuration.
    pub config: ImageConfig,
    /// Its layers, lowest first.
    pub layers: Vec<LayerRef>,
}

/// An image and the names it goes by.
#[derive(Default)]
struct Candidates {
    fitting: BTreeMap<Digest, (BTreeSet<String>, Option<Found>)>,
    /// Platforms of the others.
    others: BTreeSet<String>,
    manifests: usize,
}

/// Whether these parts are an image's rather than files of a root file system, whose first level has one of the usual
/// folders if `like_rootfs`.
pub(crate) fn is_image(blobs: &dyn Blobs, like_rootfs: bool) -> Result<bool, Problem> {
    let index = blobs.get(Part::File("index.json"))?.is_some();
    if index && (!like_rootfs || blobs.get(Part::File("oci-layout"))?.is_some()) {
        return Ok(true);
    }
    let Some(blob) = blobs.get(Part::File("manifest.json"))? else { return Ok(false) };
    Ok(!like_rootfs || parse::<Vec<DockerImage>>("manifest.json", blob.bytes()).is_ok())
}

/// Finds the image in an archive or a layout; `name` chooses where there are several.
///
/// # Errors
/// There is none for riscv64, there are several, or the documents are damaged.
pub(crate) fn find(blobs: &dyn Blobs, name: Option<&str>) -> Result<Found, Problem> {
    let mut candidates = Candidates::default();
    match blobs.get(Part::File("index.json"))? {
        Some(blob) => {
            let index: Index = parse("index.json", blob.bytes())?;
            if blobs.get(Part::File("manifest.json"))?.is_some() && !all_there(blobs, &index)? {
                docker(blobs, &mut candidates)?;
            } else {
                candidates.index(blobs, &index, "", 0)?;
            }
        }
        None => docker(blobs, &mut candidates)?,
    }
    candidates.choose(name)
}

/// Finds the image that a registry's manifest or index stands for.
///
/// # Errors
/// As [`find`].
pub(crate) fn find_from(blobs: &dyn Blobs, digest: &Digest) -> Result<Found, Problem> {
    let mut candidates = Candidates::default();
    let root = Descriptor { media_type: None, digest: digest.clone(), size: None, platform: None, annotations: None };
    candidates.descriptor(blobs, &root, "", 0)?;
    candidates.choose(None)
}

/// Whether everything that an index names is there.
fn all_there(blobs: &dyn Blobs, index: &Index) -> Result<bool, Problem> {
    for descriptor in &index.manifests {
        if blobs.get(Part::Manifest(&descriptor.digest))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads a document that is named by digest.
fn document(blobs: &dyn Blobs, part: Part<'_>, digest: &Digest, what: &str) -> Result<Blob, Problem> {
    let name = format!("the {what} {}", digest.short());
    let blob = blobs.get(part)?.ok_or_else(|| Problem::Missing(name.clone()))?;
    verify(&name, digest, blob.bytes())?;
    Ok(blob)
}

impl Candidates {
    fn index(&mut self, blobs: &dyn Blobs, index: &Index, name: &str, depth: usize) -> Result<(), Problem> {
        if depth > MAX_DEPTH {
            let what = format!("indexes are nested more than {MAX_DEPTH} deep");
            return Err(Problem::Document { document: "the index".into(), what });
        }
        index.manifests.iter().try_for_each(|descriptor| self.descriptor(blobs, descriptor, name, depth))
    }

    fn descriptor(
        &mut self,
        blobs: &dyn Blobs,
        descriptor: &Descriptor,
        name: &str,
        depth: usize,
    ) -> Result<(), Problem> {
        self.manifests += 1;
        if self.manifests > MAX_MANIFESTS {
            let what = format!("it names more than {MAX_MANIFESTS} manifests");
            return Err(Problem::Document { document: "the index".into(), what });
        }
        if let Some(platform) = descriptor.platform.as_ref().filter(|platform| !platform.fits()) {
            // Attestations are not for any platform.
            if platform.os != "unknown" {
                self.others.insert(platform.to_string());
            }
            return Ok(());
        }
        let annotations = descriptor.annotations.iter().flatten();
        let own = annotations.filter(|(key, _)| NAMES.contains(&key.as_str())).map(|(_, value)| value.clone()).next();
        let name = own.unwrap_or_else(|| name.to_owned());
        let blob = document(blobs, Part::Manifest(&descriptor.digest), &descriptor.digest, "manifest")?;
        let shown = format!("the manifest {}", descriptor.digest.short());
        let value: serde_json::Value = parse(&shown, blob.bytes())?;
        if value.get("manifests").is_some() {
            let index: Index = parse(&shown, blob.bytes())?;
            return self.index(blobs, &index, &name, depth + 1);
        }
        if value.get("fsLayers").is_some() {
            let what = "it is of docker's schema 1, which nobody writes any more: push the image anew".into();
            return Err(Problem::Document { document: shown, what });
        }
        let manifest: Manifest = parse(&shown, blob.bytes())?;
        let Descriptor { media_type, digest: id, size, .. } = manifest.config;
        // Signatures and the like are manifests, too; images' configurations are "…image.config…" (OCI) or
        // "…container.image…" (docker).
        if media_type.is_some_and(|media_type| !media_type.contains("image")) {
            return Ok(());
        }
        let config = document(blobs, Part::Blob(&id, size.or(Some(MAX_DOCUMENT))), &id, "configuration")?;
        let layers = manifest.layers.into_iter().map(|layer| Place::Blob { digest: layer.digest, size: layer.size });
        self.image(&id, config.bytes(), layers.collect(), [name])
    }

    fn image(
        &mut self,
        id: &Digest,
        config: &[u8],
        places: Vec<Place>,
        names: impl IntoIterator<Item = String>,
    ) -> Result<(), Problem> {
        let shown = format!("the configuration {}", id.short());
        let config: ImageConfig = parse(&shown, config)?;
        if !config.platform.fits() {
            self.others.insert(config.platform.to_string());
            return Ok(());
        }
        let entry = self.fitting.entry(id.clone()).or_default();
        entry.0.extend(names.into_iter().filter(|name| !name.is_empty()));
        if entry.1.is_some() {
            return Ok(());
        }
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != places.len() || places.len() > MAX_LAYERS {
            let what = format!("it is about {} layers, the manifest about {}", diff_ids.len(), places.len());
            return Err(Problem::Document { document: shown, what });
        }
        let layers = diff_ids.iter().zip(places).map(|(diff_id, place)| LayerRef { diff_id: diff_id.clone(), place });
        entry.1 = Some(Found { id: id.clone(), layers: layers.collect(), config });
        Ok(())
    }

    fn choose(self, name: Option<&str>) -> Result<Found, Problem> {
        let names: Vec<String> = self.fitting.values().flat_map(|(names, _)| names.iter().cloned()).collect();
        let among = |names: &[String]| {
            if names.is_empty() { "none has a name".into() } else { names.join(", ") }
        };
        let is =
            |have: &str, name: &str| have == name || have.rsplit_once([':', '/']).is_some_and(|(_, tag)| tag == name);
        let any = !self.fitting.is_empty();
        let mut fitting: Vec<Found> = self
            .fitting
            .into_values()
            .filter(|(names, _)| name.is_none_or(|name| names.iter().any(|have| is(have, name))))
            .filter_map(|(_, found)| found)
            .collect();
        match (fitting.len(), name) {
            (1, _) => fitting.pop().ok_or_else(|| Problem::Missing("the image".into())),
            (0, Some(name)) if any => Err(Problem::Missing(format!("the image {name} (there are: {})", among(&names)))),
            (0, _) if !self.others.is_empty() => {
                Err(Problem::Platform(self.others.into_iter().collect::<Vec<_>>().join(", ")))
            }
            (0, _) => Err(Problem::Kind("it holds no image".into())),
            _ => Err(Problem::Several(format!("FILE:NAME, with one of {}", among(&names)))),
        }
    }
}

/// Finds images in docker's `manifest.json`.
fn docker(blobs: &dyn Blobs, candidates: &mut Candidates) -> Result<(), Problem> {
    let blob = blobs.get(Part::File("manifest.json"))?.ok_or_else(|| Problem::Missing("manifest.json".into()))?;
    let images: Vec<DockerImage> = parse("manifest.json", blob.bytes())?;
    if images.len() > MAX_MANIFESTS {
        let what = format!("it names more than {MAX_MANIFESTS} images");
        return Err(Problem::Document { document: "manifest.json".into(), what });
    }
    for image in images {
        let missing = || Problem::Missing(format!("the configuration {}", image.config));
        let config = blobs.get(Part::File(&image.config))?.ok_or_else(missing)?;
        // Its name is its digest: HEX.json, or blobs/sha256/HEX.
        let name = image.config.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(".json").unwrap_or(name);
        let id = match Digest::parse(&format!("sha256:{name}")) {
            Some(digest) => {
                verify(&format!("the configuration {}", image.config), &digest, config.bytes())?;
                digest
            }
            None => Digest::of(config.bytes()),
        };
        let places = image.layers.into_iter().map(Place::File).collect();
        candidates.image(&id, config.bytes(), places, image.repo_tags.unwrap_or_default())?;
    }
    Ok(())
}
