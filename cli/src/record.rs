//! `--profile-out`: from samples to a profile, and the file that it is written to.

use crate::error::Error;
use friscy_boundary::{FileSamples, Samples};
use friscy_cpu::SampledFile;
use friscy_engine::Machine;
use friscy_profile::Profile;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file that is written whole or not at all.
pub struct Output {
    path: PathBuf,
}

impl Output {
    /// Checks that there can be such a file, before what it is for takes time.
    ///
    /// # Errors
    /// Something else has its name, or the folder cannot be written to.
    pub fn new(path: &Path) -> Result<Output, Error> {
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(Error::Other(format!("{}: not a regular file", path.display())));
        }
        let output = Output { path: path.to_owned() };
        output.temporary().map(|_| output).map_err(|error| Error::host(path, error))
    }

    /// Writes it.
    ///
    /// # Errors
    /// The host's; what was there before still is.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.temporary().and_then(|mut file| {
            file.write_all(bytes)?;
            file.persist(&self.path)?;
            Ok(())
        });
        written.map_err(|error| Error::host(&self.path, error))
    }

    /// A file beside it, which goes when it is not renamed.
    fn temporary(&self) -> io::Result<NamedTempFile> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // What the umask leaves, as of any other file that is made.
        let permissions = Permissions::from_mode(0o666);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".friscy-").permissions(permissions).tempfile_in(folder.unwrap_or(Path::new(".")))
    }
}

/// The profile that the samples of a run of `command` make.
pub fn profile(samples: &Samples<(u64, u64), SampledFile>, machine: &Machine, command: &[Vec<u8>]) -> Profile {
    let mut profile = Profile::of_run(command, machine.kernel.retired, samples.elsewhere);
    for FileSamples { file, places } in &samples.files {
        let path = file.object.and_then(|object| machine.kernel.code_path(object));
        profile.add_file(file.bytes().as_deref(), path, places);
    }
    profile
}
