//! `friscy aot`: compiles an ELF file ahead of time.

use crate::error::Error;
use crate::options::AotOptions;
use crate::prof;
use crate::record::Output;
use friscy_aot::{Chosen, Options, compile};
use friscy_profile::{Executable, Module, select};
use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;

/// Compiles a file and writes the module.
///
/// # Errors
/// A file that cannot be read or written, or that is no riscv64 program or shared object.
pub fn aot(options: &AotOptions) -> Result<ExitCode, Error> {
    let path = &options.elf;
    let bytes = fs::read(path).map_err(|error| Error::host(path, error))?;
    let output = match &options.output {
        Some(output) => output.clone(),
        None => path.with_extension("wasm"),
    };
    let output = Output::new(&output)?;
    let wrong = |error| Error::Other(format!("{}: {error}", path.display()));
    let mut share = String::new();
    let mut only = None;
    if let Some(profile) = &options.profile {
        let mut profile = prof::read(profile)?;
        let executable =
            Executable::parse(&bytes).map_err(|error| Error::Other(format!("{}: {error}", path.display())))?;
        let all = profile.modules.get(&executable.id).map_or(0, Module::instructions);
        let stale = profile.drop_stale(&executable);
        if stale > 0 {
            let share = 100.0 * stale as f64 / all as f64;
            eprintln!("friscy: {share:.1} % of the profile's instructions in this file are not used: other code");
        }
        let ranges = executable.functions.iter().map(|function| function.range.clone()).collect();
        let functions = BTreeMap::from([(executable.id, ranges)]);
        let selection = select(&profile, &functions, options.coverage, options.max_size);
        let Some(selected) = selection.modules.get(&executable.id) else {
            return Err(Error::Other(format!(
                "{}: the profile has nothing of it; make one of this file",
                path.display()
            )));
        };
        share = format!("{:.1} % of instructions, ", 100.0 * selection.coverage());
        only = profile.modules.get(&executable.id).map(|module| Chosen {
            ranges: selected.iter().map(|selected| selected.range.clone()).collect(),
            ran: module.ran(),
            entries: module.sampled(selection.entry_instructions()),
        });
    }
    let module = compile(&bytes, Options { only: only.as_ref() }).map_err(wrong)?;
    output.write(&module.wasm)?;
    let left_out: usize = module.left_out.values().sum();
    let (functions, found) = (module.functions, module.found);
    println!("{functions} of {found} functions, {share}{:.1} MB", module.wasm.len() as f64 / 1e6);
    if left_out > 0 {
        let reasons: Vec<String> = module.left_out.iter().map(|(why, count)| format!("{count} {why}")).collect();
        println!("{left_out} are left to other tiers: {}", reasons.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}
