//! `--perf-map`: the file by which Linux perf names compiled code (`tools/perf/Documentation/jit-interface.txt`).

use crate::error::Error;
use crate::image::Image;
use friscy_engine::Machine;
use friscy_jit::{Placed, keep_placed, take_placed};
use friscy_kernel::crash::CodeMapping;
use goblin::elf::Elf;
use goblin::elf::program_header::PT_LOAD;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file, which gets a line for each region that was compiled.
pub struct PerfMap {
    path: PathBuf,
    file: File,
    files: BTreeMap<Vec<u8>, Symbols>,
}

impl PerfMap {
    /// Makes the file of this process, and keeps what is compiled from now on.
    ///
    /// # Errors
    /// It cannot be made: something else has its name.
    pub fn new() -> Result<PerfMap, Error> {
        let path = PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()));
        let file = create(&path).map_err(|error| Error::host(&path, error))?;
        keep_placed();
        Ok(PerfMap { path, file, files: BTreeMap::new() })
    }

    /// Writes what is new. Names come from the files that processes execute now.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn look(&mut self, machine: &Machine, image: &Image) -> Result<(), Error> {
        let mut lines = String::new();
        for placed in take_placed() {
            let name = self.name(placed.pc, &machine.kernel.code_at(placed.pc), image);
            lines.push_str(&line(&placed, name.as_deref()));
        }
        self.file.write_all(lines.as_bytes()).map_err(|error| Error::host(&self.path, error))
    }

    /// The function at a guest address, if all processes that have code there have the same.
    fn name(&mut self, pc: u64, mappings: &[CodeMapping], image: &Image) -> Option<String> {
        let [mapping] = mappings else { return None };
        let path = mapping.path.as_ref()?;
        let file = self
            .files
            .entry(path.clone())
            .or_insert_with(|| Symbols::of(&image.read(&String::from_utf8_lossy(path))).unwrap_or_default());
        file.name(pc - mapping.start + mapping.offset)
    }
}

/// Start, size and name of a region.
fn line(placed: &Placed, name: Option<&str>) -> String {
    let mut line = format!("{:x} {:x} riscv:", placed.start, placed.len);
    let _ = match name {
        Some(name) => writeln!(line, "{name}"),
        None => writeln!(line, "{:#x}", placed.pc),
    };
    line
}

/// Makes a file where none is. A link that stands there is not followed; a file of this user's, which a process with the
/// same number left, is replaced.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let nofollow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    options.write(true).create_new(true).mode(0o600).custom_flags(nofollow);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let there = fs::symlink_metadata(path)?;
            if !there.is_file() || there.uid() != rustix::process::geteuid().as_raw() {
                return Err(error);
            }
            fs::remove_file(path)?;
            options.open(path)
        }
        other => other,
    }
}

/// The functions of an ELF file.
#[derive(Default)]
struct Symbols {
    /// Where segments are in the file, and at which address.
    segments: Vec<(std::ops::Range<u64>, u64)>,
    /// Start, end and name, in order.
    functions: Vec<(u64, u64, String)>,
}

impl Symbols {
    fn of(bytes: &[u8]) -> Option<Symbols> {
        let elf = Elf::parse(bytes).ok()?;
        let loaded = elf.program_headers.iter().filter(|header| header.p_type == PT_LOAD);
        let segments = loaded
            .map(|header| (header.p_offset..header.p_offset.saturating_add(header.p_filesz), header.p_vaddr))
            .collect();
        let symbols = elf.syms.iter().map(|sym| (sym, &elf.strtab));
        let mut functions: Vec<(u64, u64, String)> = symbols
            .chain(elf.dynsyms.iter().map(|sym| (sym, &elf.dynstrtab)))
            .filter(|(sym, _)| sym.is_function() && sym.st_shndx != 0)
            .filter_map(|(sym, names)| {
                let end = sym.st_value.saturating_add(sym.st_size.max(1));
                Some((sym.st_value, end, names.get_at(sym.st_name)?.to_owned()))
            })
            .collect();
        functions.sort();
        Some(Symbols { segments, functions })
    }

    /// `symbol+0x12` for an offset in the file.
    fn name(&self, offset: u64) -> Option<String> {
        let (range, base) = self.segments.iter().find(|(range, _)| range.contains(&offset))?;
        let address = (offset - range.start).checked_add(*base)?;
        let before = self.functions.partition_point(|(start, ..)| *start <= address);
        let (start, end, name) = self.functions.get(before.checked_sub(1)?)?;
        // A line ends at its end.
        let is_plain = !name.chars().any(char::is_control);
        (address < *end && is_plain).then(|| format!("{name}+{:#x}", address - start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("friscy-perf-{name}-{}", std::process::id()));
            fs::create_dir(&folder).unwrap();
            Folder(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = Folder::new("link");
        let (target, path) = (folder.0.join("target"), folder.0.join("map"));
        fs::write(&target, "mine").unwrap();
        for to in [target.clone(), folder.0.join("nothing")] {
            symlink(&to, &path).unwrap();
            assert_eq!(create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(fs::read(&target).unwrap(), b"mine");
        assert!(!folder.0.join("nothing").exists());
    }

    #[test]
    fn an_old_file_is_replaced() {
        let folder = Folder::new("old");
        let path = folder.0.join("map");
        fs::write(&path, "old").unwrap();
        fs::hard_link(&path, folder.0.join("kept")).unwrap();
        create(&path).unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(folder.0.join("kept")).unwrap(), b"old");
    }

    #[test]
    fn lines_and_names() {
        let placed = Placed { start: 0x7f00, len: 0x120, pc: 0x1_0540 };
        assert_eq!(line(&placed, None), "7f00 120 riscv:0x10540\n");
        let function = |start, end, name: &str| (start, end, String::from(name));
        let functions = vec![function(0x1_0500, 0x1_0580, "mix"), function(0x1_0600, 0x1_0610, "a\nb")];
        let symbols = Symbols { segments: vec![(0x500..0x1000, 0x1_0500)], functions };
        assert_eq!(symbols.name(0x540).as_deref(), Some("mix+0x40"));
        assert_eq!(line(&placed, Some("mix+0x40")), "7f00 120 riscv:mix+0x40\n");
        for nowhere in [0x4ff, 0x580, 0x600, 0x1000] {
            assert_eq!(symbols.name(nowhere), None, "{nowhere:#x}");
        }
    }
}
