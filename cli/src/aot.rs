//! `friscy aot`: compiles an ELF file ahead of time.

use crate::error::Error;
use crate::options::AotOptions;
use crate::record::Output;
use friscy_aot::{Options, compile};
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
    let module = compile(&bytes, Options::default()).map_err(wrong)?;
    output.write(&module.wasm)?;
    let left_out: usize = module.left_out.values().sum();
    println!("{} functions, {:.1} MB", module.functions, module.wasm.len() as f64 / 1e6);
    if left_out > 0 {
        let reasons: Vec<String> = module.left_out.iter().map(|(why, count)| format!("{count} {why}")).collect();
        println!("{left_out} are left to other tiers: {}", reasons.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}
