//! Opening an image, whatever form it has.

use crate::aligned::Aligned;
use crate::blobs::{Archive, Blobs, Folder, Named};
use crate::digest::{Digest, Hasher};
use crate::error::{ImageError, Problem};
use crate::inflate::{Format, InflateError, Limits, inflate};
use crate::layers::{Layers, Mapped};
use crate::model::Config;
use crate::pull::{self, Pull};
use crate::record::{self, Head, LayerHead};
use crate::select::{Found, LayerRef, find, is_image};
use crate::store::{Cache, Kind, Pending};
use friscy_vfs::native::{Folder as HostFolder, MappedFile};
use friscy_vfs::{
    ContentSource, Extent, FlatLower, Lower, MemorySource, NodeKind, TreeBuilder, TreeLimits, TreeLower, TreeNode,
    add_layer, flatten, index_tar,
};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Cursor, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// A file that changed less long ago may change again without its times showing it.
const RACY: Duration = Duration::from_millis(50);

/// First-level names that show a root file system.
const ROOTFS_NAMES: [&str; 6] = ["bin", "etc", "lib", "sbin", "usr", "var"];

/// How images are opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where layers are kept; without, they are unpacked anew each time, into files without a name in the host's folder
    /// for such.
    pub cache: Option<Cache>,
    /// How much compressed data may become.
    pub limits: Limits,
    /// What the tree may hold.
    pub tree: TreeLimits,
    /// When images that are named are fetched.
    pub pull: Pull,
    /// Called with what is done when it may take long.
    pub notify: fn(&str),
}

impl Default for Options {
    /// No cache, the default limits, and silence.
    fn default() -> Options {
        Options {
            cache: None,
            limits: Limits::default(),
            tree: TreeLimits::default(),
            pull: Pull::default(),
            notify: |_| (),
        }
    }
}

impl Options {
    /// The cache folder that the environment names, if it can be used, and the default limits.
    #[must_use]
    pub fn from_env() -> Options {
        Options::with_cache(Cache::from_env())
    }

    /// This cache folder, if it can be used, and the default limits.
    #[must_use]
    pub fn with_cache(cache: Option<Cache>) -> Options {
        Options { cache: cache.filter(|cache| cache.prepare().is_ok()), ..Options::default() }
    }
}

/// An image, ready to be put under a file system.
pub struct Image {
    /// Its files.
    pub lower: Rc<dyn Lower>,
    /// How it is run. Of a single program: the program, as entry point. Of a bare root file system: nothing.
    pub config: Config,
    /// Whether it is a single program.
    pub is_program: bool,
}

impl Image {
    fn of_lower(lower: Rc<dyn Lower>) -> Image {
        Image { lower, config: Config::default(), is_program: false }
    }
}

/// Opens what is at `path`: a `docker save` or OCI archive, an OCI layout folder, a tar or folder of a root file system,
/// or an ELF file; archives may be compressed. Where an archive or a layout holds several images, `PATH:NAME` names one.
/// If nothing is there, `path` may name an image of a registry, `NAME[:TAG|@DIGEST]`.
///
/// # Errors
/// [`ImageError`], which names the path and says what is wrong.
pub fn open(path: &Path, options: &Options) -> Result<Image, ImageError> {
    let (path, name) = split_name(path);
    if let Some(reference) = pull::reference(path).filter(|_| !path.exists()) {
        let shown = path.display().to_string();
        return pull::pull(&reference, &shown, options).named(&shown);
    }
    let shown = path.display().to_string();
    Opening { path, shown: &shown, name: name.as_deref(), options }.open().named(&shown)
}

/// Takes a name off a path that does not exist with it.
fn split_name(path: &Path) -> (&Path, Option<String>) {
    if path.exists() {
        return (path, None);
    }
    let bytes = path.as_os_str().as_bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b':') {
        let (file, name) = bytes.split_at(at);
        let file = Path::new(std::ffi::OsStr::from_bytes(file));
        if at > 0 && file.exists() {
            return (file, Some(String::from_utf8_lossy(name.get(1..).unwrap_or_default()).into_owned()));
        }
    }
    (path, None)
}

struct Opening<'a> {
    path: &'a Path,
    shown: &'a str,
    name: Option<&'a str>,
    options: &'a Options,
}

impl Opening<'_> {
    fn open(&self) -> Result<Image, Problem> {
        let meta = std::fs::metadata(self.path).map_err(Problem::Host)?;
        if meta.is_dir() {
            return self.folder();
        }
        if !meta.is_file() {
            return Err(Problem::Kind("neither a file nor a folder".into()));
        }
        let file = File::open(self.path).map_err(Problem::Host)?;
        let source = Source::of(&file, self.name).map_err(Problem::Host)?;
        if let Some(image) = self.known(&file, &source) {
            return Ok(image);
        }
        let mapped = Rc::new(MappedFile::map(&file).map_err(Problem::Host)?);
        match Format::of(head(mapped.bytes())) {
            Format::Elf => self.program(mapped),
            Format::Tar => self.tar(mapped, &file, &source, None),
            Format::Gzip | Format::Zstd => self.compressed(mapped, &file, &source),
            Format::Empty => Err(Problem::Kind("it is empty".into())),
            Format::Compressed(with) => Err(Problem::Kind(format!("compressed with {with}; decompress it first"))),
            Format::Other => Err(Problem::Kind(
                "neither an image archive, a tar or folder of a root file system, nor an ELF file".into(),
            )),
        }
    }

    fn folder(&self) -> Result<Image, Problem> {
        let blobs = Folder::new(self.path);
        let like_rootfs = ROOTFS_NAMES.iter().any(|name| self.path.join(name).exists());
        if is_image(&blobs, like_rootfs)? {
            return load(&blobs, &find(&blobs, self.name)?, self.shown, self.options);
        }
        Ok(Image::of_lower(Rc::new(HostFolder::open(self.path).map_err(Problem::Host)?)))
    }

    /// A tree with one program in it, at the root, and `/tmp`.
    fn program(&self, file: Rc<MappedFile>) -> Result<Image, Problem> {
        let mut name = self.path.file_name().map_or_else(|| b"program".to_vec(), |name| name.as_bytes().to_vec());
        // Folders that every machine has.
        if [&b"dev"[..], b"etc", b"proc", b"sys", b"tmp"].contains(&&name[..]) {
            name.splice(..0, *b"bin/");
        }
        let mut builder = TreeBuilder::new();
        let extent = Extent { offset: 0, len: file.bytes().len() as u64 };
        let mut tmp = TreeNode::implied_dir();
        tmp.mode = 0o1777;
        builder
            .insert(&name, TreeNode::new(NodeKind::File(extent), 0o755))
            .and_then(|()| builder.insert(b"tmp", tmp))
            .map_err(|error| Problem::Kind(error.to_string()))?;
        let lower = Rc::new(TreeLower::new(Rc::new(builder.finish()), file));
        let entry = format!("/{}", String::from_utf8_lossy(&name));
        let config = Config { entrypoint: vec![entry], ..Config::default() };
        Ok(Image { lower, config, is_program: true })
    }

    /// A file in the cache that stands for this one, as long as it was not changed.
    fn known(&self, file: &File, source: &Source) -> Option<Image> {
        let cache = self.options.cache.as_ref()?;
        match cache.source(&source.key) {
            Some(key) => load_record(cache, &key, None),
            None => load_record(cache, &source.key, Some(file)),
        }
    }

    /// An archive of an image or of a root file system; `inflated` if it was compressed.
    fn tar(
        &self,
        mapped: Rc<MappedFile>,
        file: &File,
        source: &Source,
        inflated: Option<(Pending, Digest)>,
    ) -> Result<Image, Problem> {
        let tree = index_tar(Cursor::new(mapped.bytes()))
            .map_err(|error| Problem::Tar { part: String::new(), source: error })?;
        let tree = TreeLower::new(Rc::new(tree), Rc::clone(&mapped) as _);
        let like_rootfs = ROOTFS_NAMES.iter().any(|name| tree.tree().find(name.as_bytes()).is_some());
        let blobs = Archive::new(tree.clone(), Rc::clone(&mapped));
        let cache = self.options.cache.as_ref();
        if is_image(&blobs, like_rootfs)? {
            drop(inflated);
            let found = find(&blobs, self.name)?;
            let image = load(&blobs, &found, self.shown, self.options)?;
            if let Some(cache) = cache.filter(|_| source.is_still(file)) {
                cache
                    .write(Kind::Source, &source.key, key_of(&found).as_bytes())
                    .map_err(Problem::beside(cache.dir()))?;
            }
            return Ok(image);
        }
        // The same numbers of inodes as from the cache, so that a second run is like the first.
        let flat = flatten(tree.tree());
        let kept = cache.filter(|_| source.is_still(file));
        if let Some(cache) = kept {
            let mut head = Head { name: self.shown.to_owned(), config: Config::default(), layers: Vec::new() };
            if let Some((pending, digest)) = inflated {
                head.layers = vec![LayerHead { diff_id: digest.clone(), bytes: mapped.bytes().len() as u64 }];
                pending.finish(Kind::Layer, digest.hex()).map_err(Problem::beside(cache.dir()))?;
            }
            save_record(cache, &source.key, &head, &flat)?;
        }
        Ok(Image::of_lower(flat_lower(flat, Aligned::source(Layers::of(mapped), kept, &source.key))?))
    }

    fn compressed(&self, mapped: Rc<MappedFile>, file: &File, source: &Source) -> Result<Image, Problem> {
        let mut pending = begin(self.options.cache.as_ref(), &source.key)?;
        let digest = unpack(mapped.bytes(), &mut pending, "", self.options.limits)?;
        let inflated = Rc::new(MappedFile::map(&pending.file).map_err(Problem::Host)?);
        match Format::of(head(inflated.bytes())) {
            Format::Tar => self.tar(inflated, file, source, Some((pending, digest))),
            Format::Elf => self.program(inflated),
            _ => Err(Problem::Kind("what is compressed in it is no tar".into())),
        }
    }
}

/// The first bytes of a file, as many as [`Format::of`] looks at.
fn head(bytes: &[u8]) -> &[u8] {
    bytes.get(..512).unwrap_or(bytes)
}

/// A file of the host as stat(2) describes it.
struct Source {
    key: String,
    stat: String,
    changed: SystemTime,
}

impl Source {
    fn of(file: &File, name: Option<&str>) -> io::Result<Source> {
        let meta = file.metadata()?;
        let stat = describe(&meta);
        let key = Digest::of(format!("1 {stat} {}", name.unwrap_or_default()).as_bytes());
        let since =
            Duration::new(u64::try_from(meta.ctime()).unwrap_or(0), u32::try_from(meta.ctime_nsec()).unwrap_or(0));
        Ok(Source { key: key.hex().to_owned(), stat, changed: SystemTime::UNIX_EPOCH + since })
    }

    /// Whether the file is now what it was, and will be known when it is not.
    fn is_still(&self, file: &File) -> bool {
        let settled = SystemTime::now().duration_since(self.changed).is_ok_and(|age| age > RACY);
        settled && file.metadata().is_ok_and(|meta| describe(&meta) == self.stat)
    }
}

fn describe(meta: &std::fs::Metadata) -> String {
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
    format!("{} {} {} {times:?}", meta.dev(), meta.ino(), meta.size())
}

/// A new file in the cache, or one without a name.
fn begin(cache: Option<&Cache>, name: &str) -> Result<Pending, Problem> {
    match cache {
        Some(cache) => cache.begin(name).map_err(Problem::beside(cache.dir())),
        None => Pending::nameless().map_err(Problem::beside(&std::env::temp_dir())),
    }
}

/// Inflates into a new file and answers the digest of what was written.
fn unpack(input: &[u8], pending: &mut Pending, part: &str, limits: Limits) -> Result<Digest, Problem> {
    let limit = limits.inflated(input.len() as u64);
    unpack_by(crate::digest::Algorithm::Sha256, input, pending, part, limit)
}

fn unpack_by(
    algorithm: crate::digest::Algorithm,
    input: &[u8],
    pending: &mut Pending,
    part: &str,
    limit: u64,
) -> Result<Digest, Problem> {
    let folder = pending.folder();
    let mut output = Hasher::new(algorithm, BufWriter::with_capacity(1 << 20, &mut pending.file));
    let part = part.to_owned();
    match inflate(input, limit, &mut output) {
        Ok(()) => {}
        Err(InflateError::Damaged(what)) => return Err(Problem::Damaged { part, what }),
        Err(InflateError::TooLarge) => {
            let what = format!("it inflates from {} to more than {limit} bytes", input.len());
            return Err(Problem::Limit { part, what });
        }
        Err(InflateError::Write(error)) => return Err(Problem::beside(&folder)(error)),
    }
    output.flush().map_err(Problem::beside(&folder))?;
    Ok(output.finish())
}

/// The key of an image's record.
pub(crate) fn key_of(found: &Found) -> String {
    Digest::of(format!("image {}", found.id).as_bytes()).hex().to_owned()
}

/// Makes an image of its parts, from the cache as far as possible.
pub(crate) fn load(blobs: &dyn Blobs, found: &Found, shown: &str, options: &Options) -> Result<Image, Problem> {
    let cache = options.cache.as_ref();
    let key = key_of(found);
    if let Some(image) = cache.and_then(|cache| load_record(cache, &key, None)) {
        return Ok(image);
    }
    let mut layers = Layers::default();
    let mut builder = TreeBuilder::with_limits(options.tree);
    let mut heads = Vec::new();
    for (at, layer) in found.layers.iter().enumerate() {
        let part = format!("layer {} of {}", at + 1, found.layers.len());
        let mapped = layer_file(blobs, layer, &part, options)?;
        let bytes = mapped.bytes().len() as u64;
        heads.push(LayerHead { diff_id: layer.diff_id.clone(), bytes });
        let base = layers.end();
        // Some tools write a layer without entries as nothing at all.
        if bytes > 0 {
            if Format::of(head(mapped.bytes())) != Format::Tar {
                let what = "neither a tar nor one compressed with gzip or zstd".into();
                return Err(Problem::Damaged { part, what });
            }
            add_layer(&mut builder, Cursor::new(mapped.bytes()), base)
                .map_err(|source| Problem::Tar { part, source })?;
        }
        layers.push(mapped).ok_or_else(|| Problem::Kind("its layers are too large".into()))?;
    }
    let config = found.config.config.clone().map(Config::from).unwrap_or_default();
    let tree = flatten(&builder.finish());
    let head = Head { name: shown.to_owned(), config: config.clone(), layers: heads };
    if let Some(cache) = cache {
        save_record(cache, &key, &head, &tree)?;
    }
    Ok(Image { lower: flat_lower(tree, Aligned::source(layers, cache, &key))?, config, is_program: false })
}

/// A tree that was just flattened, and where its contents lie.
fn flat_lower(tree: Vec<u8>, source: Rc<dyn ContentSource>) -> Result<Rc<dyn Lower>, Problem> {
    let lower = FlatLower::new(Rc::new(MemorySource(tree.into())), 0, source);
    lower.map(|lower| Rc::new(lower) as _).map_err(|error| Problem::Kind(error.to_string()))
}

/// A layer's tar, verified now or before.
fn layer_file(blobs: &dyn Blobs, layer: &LayerRef, part: &str, options: &Options) -> Result<Mapped, Problem> {
    let cache = options.cache.as_ref();
    // No record vouches for it: it may have been damaged since it was written.
    let cached = |cache: &Cache| {
        cache.layer(&layer.diff_id, None).filter(|file| layer.diff_id.same_of(file.bytes()) == layer.diff_id)
    };
    if let Some(file) = cache.and_then(cached) {
        return Ok(Rc::new(file));
    }
    let mut pending = begin(cache, layer.diff_id.hex())?;
    // Another run may have finished it while this one waited.
    if let Some(file) = cache.and_then(cached) {
        return Ok(Rc::new(file));
    }
    let blob = layer.read(blobs, part)?;
    let limit = options.limits.inflated(blob.bytes().len() as u64);
    let found = unpack_by(layer.diff_id.algorithm(), blob.bytes(), &mut pending, part, limit)?;
    if found != layer.diff_id {
        let (expected, found) = (layer.diff_id.short(), found.short());
        return Err(Problem::Digest { part: format!("{part}, inflated"), expected, found });
    }
    let folder = pending.folder();
    let file = pending.finish(Kind::Layer, layer.diff_id.hex()).map_err(Problem::beside(&folder))?;
    Ok(Rc::new(MappedFile::map(&file).map_err(Problem::beside(&folder))?))
}

fn save_record(cache: &Cache, key: &str, head: &Head, tree: &[u8]) -> Result<(), Problem> {
    cache.write(Kind::Image, key, &record::encode(head, tree)).map_err(Problem::beside(cache.dir()))?;
    let mut keep: BTreeSet<PathBuf> =
        head.layers.iter().map(|layer| cache.path(Kind::Layer, layer.diff_id.hex())).collect();
    keep.insert(cache.path(Kind::Image, key));
    cache.tidy(&keep);
    Ok(())
}

/// Opens a record; `own` is the file that it is about, if that is a tar used where it lies.
pub(crate) fn load_record(cache: &Cache, key: &str, own: Option<&File>) -> Option<Image> {
    let record = MappedFile::map(&cache.open(Kind::Image, key)?).ok()?;
    let (head, start) = record::decode(&record)?;
    let mut layers = Layers::default();
    for layer in &head.layers {
        let Some(file) = cache.layer(&layer.diff_id, Some(layer.bytes)) else {
            cache.forget(key);
            return None;
        };
        layers.push(Rc::new(file))?;
    }
    if head.layers.is_empty() {
        if let Some(own) = own {
            layers.push(Rc::new(MappedFile::map(own).ok()?))?;
        }
    }
    let lower = FlatLower::new(Rc::new(record), start, Aligned::source(layers, Some(cache), key)).ok()?;
    Some(Image { lower: Rc::new(lower), config: head.config, is_program: false })
}
