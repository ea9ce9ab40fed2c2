//! `--profile-out`: from samples to a profile, and the file that it is written to.

use crate::error::Error;
use friscy_cpu::Samples;
use friscy_engine::{Machine, Program};
use friscy_profile::{Count, Executable, Name, Phases, Profile};
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

/// What is run, as a label.
pub fn label(program: &Program) -> String {
    let words: Vec<_> = program.argv.iter().map(|word| String::from_utf8_lossy(word)).collect();
    words.join(" ").chars().take(200).collect()
}

/// The profile that the samples of a run make.
pub fn profile(samples: &Samples, machine: &Machine, label: &str) -> Profile {
    let mut profile = Profile { retired: machine.kernel.retired, elsewhere: samples.elsewhere, ..Profile::default() };
    profile.producers.insert(Name::new(concat!("friscy ", env!("CARGO_PKG_VERSION"))));
    profile.labels.insert(Name::new(label));
    for file in &samples.files {
        let executable = file.bytes().and_then(|bytes| Executable::parse(&bytes).ok());
        for (offset, place) in &file.places {
            let found = executable.as_ref().and_then(|executable| {
                let block = executable.block(executable.address(*offset)?)?;
                Some((executable, block))
            });
            let Some((executable, block)) = found else {
                profile.elsewhere = profile.elsewhere.saturating_add(place.instructions);
                continue;
            };
            let phases = Phases { startup: place.startup, steady: place.steady };
            let module = profile.modules.entry(executable.id).or_default();
            module.blocks.entry(block).or_default().add(Count { instructions: place.instructions, phases });
        }
        let module =
            executable.as_ref().and_then(|executable| Some((executable, profile.modules.get_mut(&executable.id)?)));
        if let Some((executable, module)) = module {
            module.soname.clone_from(&executable.soname);
            module.build_id.clone_from(&executable.build_id);
            let path = file.object.and_then(|object| machine.kernel.code_path(object));
            module.paths.extend(path.map(|path| Name::new(&String::from_utf8_lossy(path))));
        }
    }
    profile
}
