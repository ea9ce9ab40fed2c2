//! The cache folder: layers without compression, verified once, and indexes of images, so that a further run of an image
//! neither hashes nor inflates anything.
//!
//! | name | what |
//! |---|---|
//! | `layers/HEX.tar` | a layer's tar; HEX is its SHA-256, or SHA-512 |
//! | `images/HEX` | a record: configuration, layers, tree of files (`record.rs`); HEX is the key of an image or of a file |
//! | `sources/HEX` | the key of the image in a file of the host; HEX stands for the file as stat(2) describes it |
//! | `copies/KEY.OFFSET.LENGTH` | a file of the image whose record has that key, by itself: it can be mapped |
//! | `modules/NAME` | what was compiled ahead of time; NAME says of what, and in which version |
//! | `code/HEX.NUMBER` | compiled code of an image's programs; HEX stands for what the image was called |
//! | `compiling` | locked with flock(2) by the process that compiles in the background |
//! | `parts/HEX` | what is being written, locked with flock(2) by who writes it |
//!
//! A file gets its name when it is complete and on disk, so runs may share the folder and be killed at any time; what a
//! killed run left in `parts` has no lock, and the next one that writes removes it. What is mapped stays usable when it
//! is removed. When all files together exceed the limit, those unused for longest go.

use crate::digest::Digest;
use friscy_vfs::native::MappedFile;
use rustix::fs::{FlockOperation, Timespec, Timestamps, flock, futimens};
use std::collections::BTreeSet;
use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Names the cache folder.
pub const FOLDER_VARIABLE: &str = "FRISCY_CACHE";
/// Says how many bytes the cache may have: a number, and k, m or g.
pub const LIMIT_VARIABLE: &str = "FRISCY_CACHE_LIMIT";
/// The bytes that the cache may have unless the environment says otherwise.
pub const DEFAULT_LIMIT: u64 = 20 << 30;

const LAYERS: &str = "layers";
const IMAGES: &str = "images";
const SOURCES: &str = "sources";
const MODULES: &str = "modules";
const COPIES: &str = "copies";
const CODE: &str = "code";
const PARTS: &str = "parts";

/// Tells tools for backup that nothing here is worth it.
const TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# Layers of images, made by friscy. They may be removed.\n";

/// Where inflated layers and indexes of images are kept.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
    limit: u64,
}

/// What kind of file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Layer,
    Image,
    Source,
    Module,
    Copy,
    Code,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Kind::Layer => LAYERS,
            Kind::Image => IMAGES,
            Kind::Source => SOURCES,
            Kind::Module => MODULES,
            Kind::Copy => COPIES,
            Kind::Code => CODE,
        }
    }
}

impl Cache {
    /// The folder that the environment names: `$FRISCY_CACHE`, `$XDG_CACHE_HOME/friscy` or `$HOME/.cache/friscy`;
    /// `None` if it names none. Nothing is made yet.
    #[must_use]
    pub fn from_env() -> Option<Cache> {
        let folder = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let dir = folder(FOLDER_VARIABLE)
            .or_else(|| folder("XDG_CACHE_HOME").filter(|dir| dir.is_absolute()).map(|dir| dir.join("friscy")))
            .or_else(|| folder("HOME").filter(|dir| dir.is_absolute()).map(|dir| dir.join(".cache/friscy")))?;
        let limit = env::var(LIMIT_VARIABLE).ok().and_then(|text| parse_size(&text)).unwrap_or(DEFAULT_LIMIT);
        Some(Cache { dir, limit })
    }

    /// A given folder, with a limit in bytes.
    #[must_use]
    pub fn at(dir: &Path, limit: u64) -> Cache {
        Cache { dir: dir.to_owned(), limit }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the folder unless it is there.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        if !self.dir.is_dir() {
            if let Some(parent) = self.dir.parent() {
                fs::create_dir_all(parent)?;
            }
            // Images may be private.
            match DirBuilder::new().mode(0o700).create(&self.dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        for folder in [LAYERS, IMAGES, SOURCES, MODULES, COPIES, CODE, PARTS] {
            fs::create_dir_all(self.dir.join(folder))?;
        }
        let tag = self.dir.join("CACHEDIR.TAG");
        if !tag.exists() {
            fs::write(tag, TAG)?;
        }
        // Whether it can be written to shows only when it is.
        let probe = self.dir.join(PARTS).join(format!("probe-{}", std::process::id()));
        File::create(&probe)?;
        fs::remove_file(probe)
    }

    pub(crate) fn path(&self, kind: Kind, name: &str) -> PathBuf {
        let folder = self.dir.join(kind.folder());
        if kind == Kind::Layer { folder.join(format!("{name}.tar")) } else { folder.join(name) }
    }

    /// Opens a file of the cache, and remembers that it was used.
    pub(crate) fn open(&self, kind: Kind, name: &str) -> Option<File> {
        let file = File::open(self.path(kind, name)).ok()?;
        touch(&file);
        Some(file)
    }

    /// A module that was compiled ahead of time; `name` says of what.
    #[must_use]
    pub fn module(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(Kind::Module, name)?.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Keeps a module that was compiled ahead of time.
    ///
    /// # Errors
    /// The host's.
    pub fn keep_module(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.prepare()?;
        self.write(Kind::Module, name, bytes)?;
        self.tidy(&BTreeSet::from([self.path(Kind::Module, name)]));
        Ok(())
    }

    /// The files of compiled code of an image, which is called `name`, in the order in which they were written.
    #[must_use]
    pub fn code(&self, name: &str) -> Vec<(u32, File)> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.dir.join(CODE)).into_iter().flatten().flatten() {
            let file = entry.file_name();
            let number = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.')?.parse().ok());
            if let Some(number) = number {
                files.extend(self.open(Kind::Code, &format!("{name}.{number}")).map(|file| (number, file)));
            }
        }
        files.sort_by_key(|(number, _)| *number);
        files
    }

    /// A file that is locked with flock(2) by the process that compiles in the background.
    ///
    /// # Errors
    /// The host's.
    pub fn code_lock(&self) -> io::Result<File> {
        self.prepare()?;
        OpenOptions::new().write(true).create(true).truncate(false).open(self.dir.join("compiling"))
    }

    /// Keeps compiled code in one more file, or in one instead of all when there would be more than `most`: what `make` makes
    /// of those that it replaces, while nobody else writes any.
    ///
    /// # Errors
    /// The host's, or that of `make`.
    pub fn keep_code(
        &self,
        name: &str,
        most: usize,
        make: impl FnOnce(&[File]) -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        use std::io::Write;
        self.prepare()?;
        let mut pending = self.begin(name)?;
        let (numbers, files): (Vec<u32>, Vec<File>) = self.code(name).into_iter().unzip();
        let replaced = if files.len() < most { 0 } else { files.len() };
        let bytes = make(&files[..replaced])?;
        pending.file.write_all(&bytes)?;
        let file = format!("{name}.{}", numbers.last().map_or(0, |last| last.wrapping_add(1)));
        // A file that a crash of the host cuts is known by its length and sums.
        pending.rename(Kind::Code, &file)?;
        for number in &numbers[..replaced] {
            let _ = fs::remove_file(self.path(Kind::Code, &format!("{name}.{number}")));
        }
        self.tidy(&BTreeSet::from([self.path(Kind::Code, &file)]));
        Ok(())
    }

    /// Maps a layer of this length.
    pub(crate) fn layer(&self, diff_id: &Digest, len: Option<u64>) -> Option<MappedFile> {
        let file = self.open(Kind::Layer, diff_id.hex())?;
        let is = file.metadata().ok()?.len();
        if len.is_some_and(|len| len != is) {
            return None;
        }
        MappedFile::map(&file).ok()
    }

    /// Begins a file; waits while another run is writing the same.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn begin(&self, name: &str) -> io::Result<Pending> {
        let path = self.dir.join(PARTS).join(name);
        loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            // Whoever had the lock may have given the file its name, or removed it.
            if is_at(&file, &path) {
                file.set_len(0)?;
                return Ok(Pending { file, place: Some((self.clone(), path)) });
            }
        }
    }

    /// Writes a small file.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn write(&self, kind: Kind, name: &str, bytes: &[u8]) -> io::Result<()> {
        use std::io::Write;
        let mut pending = self.begin(name)?;
        pending.file.write_all(bytes)?;
        pending.finish(kind, name)?;
        Ok(())
    }

    /// Removes what killed runs left, then what was unused for longest until everything fits into the limit; `keep`
    /// stays in any case. Answers how many bytes went.
    pub(crate) fn tidy(&self, keep: &BTreeSet<PathBuf>) -> u64 {
        let mut gone = self.remove_leftovers();
        let mut files = self.files();
        files.sort_by_key(|file| file.used);
        let mut total: u64 = files.iter().map(|file| file.bytes).sum();
        for file in files {
            if total <= self.limit {
                break;
            }
            if !keep.contains(&file.path) && fs::remove_file(&file.path).is_ok() {
                total = total.saturating_sub(file.bytes);
                gone += file.bytes;
            }
        }
        gone
    }

    fn remove_leftovers(&self) -> u64 {
        let mut gone = 0;
        for entry in fs::read_dir(self.dir.join(PARTS)).into_iter().flatten().flatten() {
            let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
            let locked = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            if locked && is_at(&file, &entry.path()) && fs::remove_file(entry.path()).is_ok() {
                gone += file.metadata().map_or(0, |meta| meta.len());
            }
        }
        gone
    }

    /// All files with what is known of them.
    pub(crate) fn files(&self) -> Vec<CacheFile> {
        let mut files = Vec::new();
        for kind in [Kind::Layer, Kind::Image, Kind::Source, Kind::Module, Kind::Copy, Kind::Code] {
            for entry in fs::read_dir(self.dir.join(kind.folder())).into_iter().flatten().flatten() {
                if let Ok(meta) = entry.metadata() {
                    let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    files.push(CacheFile { path: entry.path(), kind, bytes: meta.len(), used });
                }
            }
        }
        files
    }

    /// Removes what no image needs and, if `all`, everything. Answers how many bytes went.
    ///
    /// # Errors
    /// The host's.
    pub fn prune(&self, all: bool) -> io::Result<u64> {
        if !self.dir.exists() {
            return Ok(0);
        }
        let mut gone = self.remove_leftovers();
        let needed: BTreeSet<PathBuf> = self
            .images()
            .into_iter()
            .flat_map(|image| image.layers.into_iter().map(|layer| self.path(Kind::Layer, layer.hex())))
            .collect();
        let images: BTreeSet<String> = self.images().into_iter().map(|image| image.key).collect();
        for file in self.files() {
            let name = file.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            let useless = match file.kind {
                Kind::Layer => !needed.contains(&file.path),
                Kind::Image => !images.contains(&*name),
                Kind::Copy => !name.split_once('.').is_some_and(|(key, _)| images.contains(key)),
                Kind::Module | Kind::Code => false,
                Kind::Source => !fs::read_to_string(&file.path).is_ok_and(|key| images.contains(key.trim())),
            };
            if all || useless {
                match fs::remove_file(&file.path) {
                    Ok(()) => gone += file.bytes,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(gone + self.tidy(&BTreeSet::new()))
    }
}

/// A file of the cache.
#[derive(Clone, Debug)]
pub(crate) struct CacheFile {
    pub path: PathBuf,
    pub kind: Kind,
    pub bytes: u64,
    pub used: SystemTime,
}

/// A file that has no name yet. Dropped, it is gone.
pub(crate) struct Pending {
    pub file: File,
    place: Option<(Cache, PathBuf)>,
}

impl Pending {
    /// A file that never gets a name, in the host's folder for such.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn nameless() -> io::Result<Pending> {
        Ok(Pending { file: tempfile::tempfile()?, place: None })
    }

    /// Where it is, for messages.
    pub(crate) fn folder(&self) -> PathBuf {
        self.place.as_ref().map_or_else(env::temp_dir, |(cache, _)| cache.dir.clone())
    }

    /// Gives the file its name, in the folder that is answered, before it is known to be on disk.
    fn rename(&mut self, kind: Kind, name: &str) -> io::Result<Option<PathBuf>> {
        let Some((cache, path)) = &self.place else { return Ok(None) };
        let target = cache.path(kind, name);
        fs::rename(path, &target)?;
        // It has its name: nothing is to be removed.
        self.place = None;
        Ok(target.parent().map(Path::to_owned))
    }

    /// Gives the complete file its name.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn finish(mut self, kind: Kind, name: &str) -> io::Result<File> {
        if self.place.is_some() {
            self.file.sync_all()?;
        }
        if let Some(folder) = self.rename(kind, name)? {
            File::open(folder)?.sync_all()?;
        }
        self.file.try_clone()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.place {
            // The lock is still held, so it is this one's.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether the open file is the one that has this path now.
fn is_at(file: &File, path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|at| file.metadata().is_ok_and(|is| at.dev() == is.dev() && at.ino() == is.ino()))
}

/// Sets the time of last use.
fn touch(file: &File) {
    let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
    // It only matters for what is removed first.
    let _ = futimens(file, &Timestamps { last_access: now, last_modification: now });
}

/// A number of bytes: digits, and k, m or g.
fn parse_size(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches('b').trim_end_matches(['k', 'm', 'g']);
    let shift = match lower.trim_end_matches('b').strip_prefix(digits)? {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}
