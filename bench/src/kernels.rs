//! The kernels: each a C file with loops of its own, compiled by gcc -O2 for the host and for the guest.

use crate::measure::{geomean, median, sample};
use crate::places::{friscy, scratch, workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The guest's compiler.
pub const GUEST_GCC: &str = "riscv64-linux-gnu-gcc";
/// The referee.
pub const QEMU: &str = "qemu-riscv64-static";

/// Compiles a C file by `compiler`.
pub fn compile(compiler: &str, source: &Path, output: &Path) -> Result<()> {
    let mut command = Command::new(compiler);
    command.args(["-O2", "-static", "-o"]).arg(output).arg(source).arg("-lm");
    let status = command.status().with_context(|| format!("{compiler} cannot be started"))?;
    if !status.success() {
        bail!("{compiler} failed on {}", source.display());
    }
    Ok(())
}

/// Runs the kernels and prints their table.
pub fn run(rounds: usize, qemu: bool, filter: &[String]) -> Result<()> {
    let friscy = friscy()?;
    let mut sources: Vec<PathBuf> = fs::read_dir(workspace().join("bench/kernels"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    sources.sort();
    println!("| kernel | native s | friscy % | spread | qemu-user % |\n|---|---:|---:|---:|---:|");
    let (mut all, mut all_qemu) = (Vec::new(), Vec::new());
    for source in sources {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !filter.is_empty() && !filter.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let (native, guest) = (scratch()?.join(format!("{name}.native")), scratch()?.join(format!("{name}.guest")));
        compile("gcc", &source, &native)?;
        compile(GUEST_GCC, &source, &guest)?;
        let (mut natives, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let base = sample(&mut Command::new(&native))?;
            let got = sample(Command::new(&friscy).arg("run").arg(&guest))?;
            if got.output != base.output {
                bail!("{name}: friscy printed something else than the native program");
            }
            natives.push(base.user);
            ours.push(base.user / got.user * 100.0);
            if qemu {
                theirs.push(base.user / sample(Command::new(QEMU).arg(&guest))?.user * 100.0);
            }
        }
        let (percent, spread) = median(&mut ours);
        all.push(percent);
        let theirs = if qemu {
            let percent = median(&mut theirs).0;
            all_qemu.push(percent);
            format!("{percent:.1}")
        } else {
            String::new()
        };
        println!("| {name} | {:.2} | {percent:.1} | {spread:.0} % | {theirs} |", median(&mut natives).0);
    }
    if all.is_empty() {
        bail!("no kernel has such a name");
    }
    let theirs = if qemu { format!("{:.1}", geomean(&all_qemu)) } else { String::new() };
    println!("| **geometric mean** | | **{:.1}** | | {theirs} |\n", geomean(&all));
    Ok(())
}
