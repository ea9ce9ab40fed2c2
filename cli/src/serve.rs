//! `friscy serve`.

use crate::error::Error;
use crate::options::ServeOptions;
use friscy_pack::serve::Bundle;
use std::process::ExitCode;

/// Serves a bundle until the process is ended.
///
/// # Errors
/// The folder does not exist, or the address is taken.
pub fn serve(options: &ServeOptions) -> Result<ExitCode, Error> {
    if !options.dir.join("manifest.json").is_file() {
        return Err(Error::Other(format!(
            "{}: no bundle is there; friscy-pack IMAGE -o {} writes one",
            options.dir.display(),
            options.dir.display()
        )));
    }
    let bundle = Bundle::bind(&options.dir, options.bind, options.port)
        .map_err(|error| Error::Other(format!("{}:{}: {error}; -p 0 takes a free port", options.bind, options.port)))?;
    println!("{}", bundle.url());
    bundle.run().map_err(|error| Error::Other(format!("serving: {error}")))?;
    Ok(ExitCode::SUCCESS)
}
