//! `friscy-fuzz-inputs TARGET FOLDER`: writes the seeds of a fuzzer's target.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [target, folder] = &words[..] else {
        eprintln!("friscy-fuzz-inputs TARGET FOLDER");
        return ExitCode::FAILURE;
    };
    match friscy_fuzz_inputs::write_seeds(target, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{folder}: {error}");
            ExitCode::FAILURE
        }
    }
}
