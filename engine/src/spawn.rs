//! Starting the first process.

use crate::machine::Machine;
use friscy_abi::Errno;
use friscy_kernel::cred::Cred;
use friscy_kernel::process::ExecRequest;
use friscy_kernel::{FsContext, Pid, SysError, WaitFor};
use friscy_vfs::{Access, FileType, Location, PathContext};

/// Where commands are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Who runs the first process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// What the first process is.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Arguments; the first is a path, or a name that is looked for in `PATH`.
    pub argv: Vec<Vec<u8>>,
    /// Environment, `NAME=value` each.
    pub envp: Vec<Vec<u8>>,
    /// Working directory; empty for `/`. It is made if it does not exist.
    pub cwd: Vec<u8>,
    /// Who runs it.
    pub user: User,
}

/// Why the first process could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// There is no such file, or none in `PATH` (a shell would end with status 127).
    #[error("{}: not found", String::from_utf8_lossy(.0))]
    NotFound(Vec<u8>),
    /// It cannot be executed (status 126): the reason in words.
    #[error("{}: cannot be executed: {reason}", String::from_utf8_lossy(.path))]
    NotExecutable {
        /// The path.
        path: Vec<u8>,
        /// Why.
        reason: String,
    },
    /// The working directory cannot be entered.
    #[error("working directory {}: {}", String::from_utf8_lossy(.path), in_words(*errno))]
    WorkingDirectory {
        /// The path.
        path: Vec<u8>,
        /// Why.
        errno: Errno,
    },
    /// Contents of a file must arrive first: try again when the condition holds.
    #[error("contents are not here yet")]
    NotYet(Box<WaitFor>),
    /// Something else failed.
    #[error("{0}")]
    Failed(Errno),
}

/// An error in words, for a user who has not called anything.
fn in_words(errno: Errno) -> String {
    match errno {
        Errno::EACCES => String::from("permission denied"),
        Errno::ENOENT => String::from("no such file or directory"),
        Errno::ENOTDIR => String::from("not a directory"),
        Errno::ELOOP => String::from("too many symbolic links"),
        Errno::ENOMEM => String::from("not enough memory"),
        errno => errno.to_string(),
    }
}

impl Machine {
    /// Starts the first process, with the machine's standard streams as descriptors 0, 1 and 2.
    ///
    /// # Errors
    /// [`SpawnError`]; the machine is as before then.
    pub fn spawn(&mut self, program: Program) -> Result<Pid, SpawnError> {
        let User { uid, gid, groups } = program.user.clone();
        let cred = Cred::new(uid, gid, groups);
        let root = self.kernel.vfs.root();
        let mut ctx = PathContext { root: root.clone(), cwd: root.clone(), creds: cred.file_creds() };
        if !program.cwd.is_empty() {
            ctx.cwd = self.working_directory(&ctx, &program.cwd)?;
        }
        let fs = FsContext { root, cwd: ctx.cwd.clone(), umask: 0o022 };
        let name = program.argv.first().cloned().unwrap_or_default();
        let (file, path) = self.find_program(&ctx, &name, &program.envp)?;
        let request = ExecRequest { file, path: path.clone(), argv: program.argv, envp: program.envp };
        let pid = self.kernel.spawn_init(request, cred, fs, Default::default()).map_err(|error| match error {
            SysError::Block(wait) => SpawnError::NotYet(wait),
            SysError::Errno(errno) => {
                let fault = self.kernel.exec_fault().filter(|fault| fault.errno == errno);
                let reason = match fault {
                    Some(fault) => fault.reason.clone(),
                    None if errno == Errno::ENOENT => String::from("its interpreter does not exist"),
                    None => in_words(errno),
                };
                SpawnError::NotExecutable { path, reason }
            }
            SysError::NoReturn | SysError::Restart(_) => SpawnError::Failed(Errno::EINTR),
        })?;
        let streams = self.kernel.standard_streams(pid).map_err(SpawnError::Failed)?;
        let files = std::rc::Rc::clone(&self.kernel.task(pid).files);
        for stream in streams {
            files.borrow_mut().insert(stream, false, 0, 3).map_err(SpawnError::Failed)?;
        }
        Ok(pid)
    }

    fn working_directory(&self, ctx: &PathContext, path: &[u8]) -> Result<Location, SpawnError> {
        let vfs = &self.kernel.vfs;
        let failed = |errno| SpawnError::WorkingDirectory { path: path.to_vec(), errno };
        let root = PathContext { creds: friscy_vfs::Creds::root(), ..ctx.clone() };
        let mut at = ctx.root.clone();
        for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            at = match vfs.resolve(&root, &at, part, true, 0) {
                Err(Errno::ENOENT) => vfs.mkdir(&root, &at, part, 0o755),
                found => found,
            }
            .map_err(failed)?;
        }
        if at.inode().file_type() == FileType::Directory { Ok(at) } else { Err(failed(Errno::ENOTDIR)) }
    }

    /// The file that a command names, and its path.
    fn find_program(
        &self,
        ctx: &PathContext,
        name: &[u8],
        envp: &[Vec<u8>],
    ) -> Result<(Location, Vec<u8>), SpawnError> {
        let vfs = &self.kernel.vfs;
        if name.contains(&b'/') {
            return match vfs.resolve(ctx, &ctx.cwd, name, true, 0) {
                Ok(file) => Ok((file, name.to_vec())),
                Err(Errno::ENOENT | Errno::ENOTDIR) => Err(SpawnError::NotFound(name.to_vec())),
                Err(errno) => Err(SpawnError::NotExecutable { path: name.to_vec(), reason: in_words(errno) }),
            };
        }
        let path = envp.iter().find_map(|entry| entry.strip_prefix(b"PATH=")).unwrap_or(DEFAULT_PATH);
        let mut refused = None;
        for dir in path.split(|&byte| byte == b':') {
            if name.is_empty() {
                break;
            }
            let mut full = if dir.is_empty() { b".".to_vec() } else { dir.to_vec() };
            full.push(b'/');
            full.extend_from_slice(name);
            let Ok(file) = vfs.resolve(ctx, &ctx.cwd, &full, true, 0) else { continue };
            if file.inode().file_type() == FileType::Regular && vfs.access(&ctx.creds, &file, Access::EXEC).is_ok() {
                return Ok((file, full));
            }
            refused = Some(full);
        }
        Err(match refused {
            Some(path) => SpawnError::NotExecutable { path, reason: String::from("permission denied") },
            None => SpawnError::NotFound(name.to_vec()),
        })
    }
}
