//! Man pages and shell completions, from the same table of flags that the command line is parsed by.

use crate::error::Error;
use crate::options::Cli;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// Prints the completions of a shell.
///
/// # Errors
/// None: a reader that goes away has seen enough.
pub fn completions(shell: Shell) -> Result<ExitCode, Error> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "friscy", &mut text);
    print(&text)
}

/// Prints the man page of friscy, or of one of its commands.
///
/// # Errors
/// There is no such command.
pub fn man(command: Option<&str>) -> Result<ExitCode, Error> {
    let mut cli = Cli::command();
    cli.build();
    let page = match command {
        None => cli,
        Some(name) => {
            let found = cli.find_subcommand(name).cloned();
            let found = found.ok_or_else(|| Error::Other(format!("man {name}: no such command; see `friscy help`")))?;
            found.name(format!("friscy-{name}"))
        }
    };
    let mut text = Vec::new();
    // Writing into memory does not fail.
    let _ = clap_mangen::Man::new(page).render(&mut text);
    print(&text)
}

fn print(text: &[u8]) -> Result<ExitCode, Error> {
    let _ = std::io::stdout().write_all(text);
    Ok(ExitCode::SUCCESS)
}
