//! The kernels: small C programs, compiled for guest and host.

use crate::contender::{Baseline, Contender, Entry, Field};
use crate::places::{Places, node, run, workspace};
use anyhow::{Context, Result};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a kernel is about. Each group is the folder of its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Integers: hashing, sorting, compressing, ciphers, texts.
    Integer,
    /// Direct, indirect and recursive calls.
    Calls,
    /// Interpreters of small languages.
    Interpreters,
    /// Floating point.
    Floating,
    /// What memory gives: streams and random access.
    Memory,
    /// System calls.
    System,
    /// The C library's own functions.
    Libc,
}

impl Group {
    /// All, in the order of tables.
    pub const ALL: [Group; 7] =
        [Group::Integer, Group::Calls, Group::Interpreters, Group::Floating, Group::Memory, Group::System, Group::Libc];

    /// The folder of its kernels.
    pub fn folder(self) -> &'static str {
        match self {
            Group::Integer => "integer",
            Group::Calls => "calls",
            Group::Interpreters => "interpreters",
            Group::Floating => "floating",
            Group::Memory => "memory",
            Group::System => "system",
            Group::Libc => "libc",
        }
    }
}

/// A way to compile a kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Build {
    /// The extension of the program that it makes.
    pub suffix: &'static str,
    /// The compiler.
    pub compiler: &'static str,
    /// Its flags besides `-O2`.
    pub flags: &'static [&'static str],
}

/// For the guest.
pub const GUEST: Build = Build { suffix: "guest", compiler: "riscv64-linux-gnu-gcc", flags: &["-static"] };

impl Build {
    /// How a baseline's programs are compiled.
    pub const fn of(baseline: Baseline) -> Build {
        match baseline {
            Baseline::Native => Build { suffix: "native", compiler: "gcc", flags: &[] },
            Baseline::Scalar => Build { suffix: "scalar", compiler: "gcc", flags: &["-fno-tree-vectorize"] },
            Baseline::Fma => Build { suffix: "fma", compiler: "gcc", flags: &["-fno-tree-vectorize", "-mfma"] },
            Baseline::Clang => Build { suffix: "clang", compiler: "clang", flags: &[] },
            Baseline::ClangScalar => {
                Build { suffix: "clang-scalar", compiler: "clang", flags: &["-fno-vectorize", "-fno-slp-vectorize"] }
            }
            Baseline::Qemu => GUEST,
            // The stack is as large as Linux gives it.
            Baseline::Wasm | Baseline::WasmTiered => Build {
                suffix: "wasm",
                compiler: "clang",
                flags: &["--target=wasm32-wasi", "-Wl,-z,stack-size=8388608"],
            },
        }
    }

    /// Compiles a source file to a program in `folder`, and answers its path.
    ///
    /// # Errors
    /// If there is no such compiler, or it fails.
    pub fn compile(&self, source: &Path, folder: &Path) -> Result<PathBuf> {
        let name = source.file_stem().context("the source has no name")?.to_string_lossy();
        let program = folder.join(format!("{name}.{}", self.suffix));
        let mut command = Command::new(self.compiler);
        run(command.args(["-O2", "-o"]).arg(&program).args(self.flags).arg(source).arg("-lm"))?;
        Ok(program)
    }
}

/// Whether programs can be compiled for WASI: compilers and libraries are of many packages.
pub fn wasi(built: &Path) -> bool {
    let source = built.join("empty.c");
    let text = "int main(void)\n{\n    return 0;\n}\n";
    fs::write(&source, text).is_ok() && Build::of(Baseline::Wasm).compile(&source, built).is_ok()
}

/// Who runs a program that was compiled for WASI.
fn in_wasi(baseline: Baseline, program: &Path) -> Entry {
    let flags: &[&str] = match baseline {
        Baseline::Wasm => &["--no-liftoff", "--no-wasm-lazy-compilation"],
        _ => &[],
    };
    let runner = workspace().join("web/bench/wasi.mjs");
    let (runner, program) = (runner.to_string_lossy(), program.to_string_lossy());
    Entry::new(Contender::Other(baseline), &[&[&*node()], flags, &[&*runner, "--time", &*program]].concat())
}

/// A kernel's source.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its name, unique among all groups.
    pub name: String,
    /// What it is about.
    pub group: Group,
    /// The C file.
    pub source: PathBuf,
}

impl Kernel {
    /// All kernels, by group and name.
    ///
    /// # Errors
    /// If a group's folder cannot be read.
    pub fn all() -> Result<Vec<Kernel>> {
        let mut kernels = Vec::new();
        for group in Group::ALL {
            let folder = workspace().join("bench/kernels").join(group.folder());
            let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
            let mut sources: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
                .collect();
            sources.sort();
            kernels.extend(sources.into_iter().map(|source| {
                let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                Kernel { name, group, source }
            }));
        }
        Ok(kernels)
    }

    /// Compiles it for all who take part in it, and answers their commands, native code's first. `scale` is how much of
    /// its work it does.
    ///
    /// # Errors
    /// If a compiler is missing or fails.
    pub fn entries(&self, places: &Places, field: &Field, scale: f64) -> Result<Vec<Entry>> {
        let guest = GUEST.compile(&self.source, &places.built)?;
        let mut entries = Vec::new();
        for &baseline in &field.baselines {
            let contender = Contender::Other(baseline);
            match baseline {
                Baseline::Qemu => {
                    entries.push(Entry::new(contender, &[crate::places::QEMU, &guest.to_string_lossy()]));
                }
                Baseline::Fma if self.group != Group::Floating => {}
                Baseline::Wasm | Baseline::WasmTiered if self.group == Group::System => {}
                Baseline::Wasm | Baseline::WasmTiered => {
                    entries.push(in_wasi(baseline, &Build::of(baseline).compile(&self.source, &places.built)?));
                }
                _ => {
                    let program = Build::of(baseline).compile(&self.source, &places.built)?;
                    entries.push(Entry::new(contender, &[&program.to_string_lossy()]));
                }
            }
        }
        for &tier in &field.tiers {
            entries.push(if tier.is_web() { places.web(tier, &guest)? } else { places.friscy(tier, &guest, &[]) });
        }
        if scale != 1.0 {
            entries.iter_mut().for_each(|entry| entry.command.push(scale.to_string()));
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_group_has_kernels_whose_names_are_their_own() {
        let kernels = Kernel::all().expect("the folders of kernels");
        for group in Group::ALL {
            assert!(kernels.iter().any(|kernel| kernel.group == group), "{group:?}");
        }
        let names: BTreeSet<&str> = kernels.iter().map(|kernel| kernel.name.as_str()).collect();
        assert_eq!(names.len(), kernels.len());
    }
}
