//! From what ran at places of files to a profile.

use crate::executable::Executable;
use crate::model::{Count, Name, Phases, Profile};
use friscy_boundary::Place;
use std::collections::BTreeMap;

/// The most characters of a label.
const MAX_LABEL: usize = 200;

impl From<Place> for Count {
    fn from(Place { instructions, startup, steady }: Place) -> Count {
        Count { instructions, phases: Phases { startup, steady } }
    }
}

impl Profile {
    /// The profile of a run of `command`, which retired so many instructions, before anything is known of any file;
    /// `elsewhere` of them are known to be in none.
    #[must_use]
    pub fn of_run(command: &[Vec<u8>], retired: u64, elsewhere: u64) -> Profile {
        let words: Vec<_> = command.iter().map(|word| String::from_utf8_lossy(word)).collect();
        let label: String = words.join(" ").chars().take(MAX_LABEL).collect();
        let mut profile = Profile { retired, elsewhere, ..Profile::default() };
        profile.producers.insert(Name::new(concat!("friscy ", env!("CARGO_PKG_VERSION"))));
        profile.labels.insert(Name::new(&label));
        profile
    }

    /// Adds what ran in a file that the guest knew by `path`: at byte offsets of it that control came to, how much. What
    /// is not in executable bytes of an ELF file for riscv64 is elsewhere; all of it if the file's bytes are not known.
    pub fn add_file(&mut self, bytes: Option<&[u8]>, path: Option<&[u8]>, places: &BTreeMap<u64, Place>) {
        let executable = bytes.and_then(|bytes| Executable::parse(bytes).ok());
        for (&offset, place) in places {
            let found = executable.as_ref().and_then(|executable| {
                let block = executable.block(executable.address(offset)?)?;
                Some((executable, block))
            });
            let Some((executable, block)) = found else {
                self.elsewhere = self.elsewhere.saturating_add(place.instructions);
                continue;
            };
            let module = self.modules.entry(executable.id).or_default();
            module.blocks.entry(block).or_default().add(Count::from(*place));
        }
        let module =
            executable.as_ref().and_then(|executable| Some((executable, self.modules.get_mut(&executable.id)?)));
        if let Some((executable, module)) = module {
            module.soname.clone_from(&executable.soname);
            module.build_id.clone_from(&executable.build_id);
            module.paths.extend(path.map(|path| Name::new(&String::from_utf8_lossy(path))));
        }
    }
}
