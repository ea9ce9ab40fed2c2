//! Finding files by path: path_resolution(7), openat2(2).

use crate::mount::{Location, Vfs};
use crate::types::{Access, Creds, Name, PATH_MAX};
use friscy_abi::Errno;
use friscy_abi::fcntl as abi;

/// Symbolic links that one resolution may follow.
const MAX_LINKS: u32 = 40;

/// Whose path it is.
#[derive(Clone, Debug)]
pub struct PathContext {
    /// Where absolute paths begin and `..` ends.
    pub root: Location,
    /// Where relative paths begin.
    pub cwd: Location,
    /// Whose permissions count.
    pub creds: Creds,
}

/// The last part of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Last {
    /// A name, which may not exist.
    Name(Name),
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// Nothing: the path is `/`.
    Root,
}

/// A path resolved up to its last part.
#[derive(Clone, Debug)]
pub struct Found {
    /// The directory that holds the last part.
    pub dir: Location,
    /// The last part.
    pub last: Last,
    /// Slashes follow the last part: it must be a directory.
    pub trailing_slash: bool,
}

/// One resolution under way.
pub(crate) struct Walker<'a> {
    pub ctx: &'a PathContext,
    /// Where `..` ends: the context's root, or the base under `RESOLVE_IN_ROOT` and `RESOLVE_BENEATH`.
    root: Location,
    /// `RESOLVE_*`.
    resolve: u64,
    links: u32,
}

/// What a symbolic link leads to.
enum Followed {
    /// A path, to be resolved from the directory of the link.
    Path(Vec<u8>),
    /// A magic link's target.
    There(Location),
}

impl<'a> Walker<'a> {
    pub(crate) fn new(ctx: &'a PathContext, base: &Location, resolve: u64) -> Walker<'a> {
        let scoped = resolve & (abi::RESOLVE_IN_ROOT | abi::RESOLVE_BENEATH) != 0;
        let root = if scoped { base.clone() } else { ctx.root.clone() };
        Walker { ctx, root, resolve, links: 0 }
    }

    fn asks(&self, flag: u64) -> bool {
        self.resolve & flag != 0
    }

    /// Checks that names may be looked up in `dir`.
    fn search(&self, dir: &Location) -> Result<(), Errno> {
        if !dir.inode.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        dir.inode.permission(&self.ctx.creds, Access::EXEC)
    }

    fn crossed(&self, crossed: bool) -> Result<(), Errno> {
        if crossed && self.asks(abi::RESOLVE_NO_XDEV) { Err(Errno::EXDEV) } else { Ok(()) }
    }

    /// Looks up a name, and goes into what is mounted there.
    pub(crate) fn lookup(&self, dir: &Location, name: &[u8]) -> Result<Location, Errno> {
        let inode = dir.inode.lookup(name)?;
        let (found, crossed) = dir.child(name, inode).cross_down();
        self.crossed(crossed)?;
        Ok(found)
    }

    /// `..`
    fn up(&self, dir: &Location) -> Result<Location, Errno> {
        let mut at = dir.clone();
        loop {
            if at.same(&self.root) {
                return if self.asks(abi::RESOLVE_BENEATH) { Err(Errno::EXDEV) } else { Ok(at) };
            }
            if let Some(above) = at.mount_point() {
                self.crossed(true)?;
                at = above;
                continue;
            }
            if at.inode.id() == at.mount.root_id() {
                return Ok(at);
            }
            let parent = at.inode.parent_dir();
            let (parent, crossed) = at.dir_on_same_mount(parent).cross_down();
            self.crossed(crossed)?;
            return Ok(parent);
        }
    }

    fn follow(&mut self, link: &Location) -> Result<Followed, Errno> {
        self.links += 1;
        if self.links > MAX_LINKS || self.asks(abi::RESOLVE_NO_SYMLINKS) {
            return Err(Errno::ELOOP);
        }
        if let crate::inode::Node::SynthLink(magic) = &link.inode.node {
            if let Some(target) = magic.follow()? {
                if self.asks(abi::RESOLVE_NO_MAGICLINKS) {
                    return Err(Errno::ELOOP);
                }
                if self.asks(abi::RESOLVE_BENEATH | abi::RESOLVE_IN_ROOT) {
                    return Err(Errno::EXDEV);
                }
                self.crossed(target.mount.id() != link.mount.id())?;
                return Ok(Followed::There(target));
            }
        }
        let text = link.inode.read_link()?;
        if text.is_empty() { Err(Errno::ENOENT) } else { Ok(Followed::Path(text)) }
    }

    /// Where a path begins.
    fn start(&self, base: &Location, path: &[u8]) -> Result<Location, Errno> {
        if path.first() != Some(&b'/') {
            return Ok(base.clone());
        }
        if self.asks(abi::RESOLVE_BENEATH) {
            return Err(Errno::EXDEV);
        }
        self.crossed(self.root.mount.id() != base.mount.id())?;
        Ok(self.root.clone())
    }

    /// Resolves everything but the last part.
    pub(crate) fn parent(&mut self, base: &Location, path: &[u8]) -> Result<Found, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut dir = self.start(base, path)?;
        let mut rest = path.to_vec();
        loop {
            let begin = rest.iter().position(|&b| b != b'/').unwrap_or(rest.len());
            let from_name = rest.get(begin..).unwrap_or_default();
            if from_name.is_empty() {
                // Only slashes: the root, or a magic link followed by a slash.
                return Ok(Found { dir, last: Last::Root, trailing_slash: true });
            }
            let end = from_name.iter().position(|&b| b == b'/').unwrap_or(from_name.len());
            let (name, after) = from_name.split_at(end);
            self.search(&dir)?;
            if after.iter().all(|&b| b == b'/') {
                let last = match name {
                    b"." => Last::Dot,
                    b".." => Last::DotDot,
                    name => Last::Name(Name::from(name)),
                };
                return Ok(Found { dir, last, trailing_slash: !after.is_empty() });
            }
            match name {
                b"." => {}
                b".." => dir = self.up(&dir)?,
                name => {
                    let next = self.lookup(&dir, name)?;
                    if !next.inode.is_symlink() {
                        dir = next;
                    } else {
                        match self.follow(&next)? {
                            Followed::There(target) => dir = target,
                            Followed::Path(mut text) => {
                                dir = self.start(&dir, &text)?;
                                text.extend_from_slice(after);
                                rest = text;
                                continue;
                            }
                        }
                    }
                }
            }
            if !dir.inode.is_dir() {
                return Err(Errno::ENOTDIR);
            }
            rest.drain(..begin + end);
        }
    }

    /// Looks up the last part and follows it where it is a symbolic link: always before a trailing slash, otherwise
    /// with `follow`. `Err` with `ENOENT` carries the place where the name is missing. With `create` (`O_CREAT`) a
    /// trailing slash is an error, wherever it comes from.
    pub(crate) fn finish(&mut self, mut found: Found, follow: bool, create: bool) -> Result<Location, Missing> {
        loop {
            let name = match &found.last {
                Last::Root | Last::Dot => return Ok(found.dir),
                Last::DotDot => return Ok(self.up(&found.dir)?),
                Last::Name(_) if create && found.trailing_slash => return Err(Errno::EISDIR.into()),
                Last::Name(name) => name.clone(),
            };
            let at = match self.lookup(&found.dir, &name) {
                Err(Errno::ENOENT) => return Err(Missing { errno: Errno::ENOENT, place: Some(found) }),
                other => other?,
            };
            if !(at.inode.is_symlink() && (follow || found.trailing_slash)) {
                let wrong = found.trailing_slash && !at.inode.is_dir();
                return if wrong { Err(Errno::ENOTDIR.into()) } else { Ok(at) };
            }
            match self.follow(&at)? {
                Followed::There(target) => {
                    let wrong = found.trailing_slash && !target.inode.is_dir();
                    return if wrong { Err(Errno::ENOTDIR.into()) } else { Ok(target) };
                }
                Followed::Path(mut text) => {
                    if found.trailing_slash {
                        text.push(b'/');
                    }
                    found = self.parent(&found.dir, &text)?;
                }
            }
        }
    }
}

/// Why the last part was not found.
pub(crate) struct Missing {
    pub errno: Errno,
    /// For `ENOENT` at the very end: where a file could be made.
    pub place: Option<Found>,
}

impl From<Errno> for Missing {
    fn from(errno: Errno) -> Missing {
        Missing { errno, place: None }
    }
}

impl Vfs {
    /// Finds the file at `path`. Relative paths begin at `base`: the working directory, or what a descriptor refers
    /// to. With `follow` a symbolic link at the end is followed. `resolve` are flags of openat2(2), usually 0.
    ///
    /// # Errors
    /// `ENOENT` (an empty path too), `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`, and with `resolve` `EXDEV`.
    pub fn resolve(
        &self,
        ctx: &PathContext,
        base: &Location,
        path: &[u8],
        follow: bool,
        resolve: u64,
    ) -> Result<Location, Errno> {
        let mut walker = Walker::new(ctx, base, resolve);
        let found = walker.parent(base, path)?;
        walker.finish(found, follow, false).map_err(|missing| missing.errno)
    }

    /// Resolves `path` up to its last part, which need not exist.
    ///
    /// # Errors
    /// As [`Vfs::resolve`].
    pub fn resolve_parent(&self, ctx: &PathContext, base: &Location, path: &[u8]) -> Result<Found, Errno> {
        Walker::new(ctx, base, 0).parent(base, path)
    }
}
