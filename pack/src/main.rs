//! The command `friscy-pack`.

use clap::Parser;
use friscy_pack::bundle::{self, Options};
use friscy_pack::entry::{self, Wishes};
use friscy_pack::{PackError, assets};
use friscy_vfs::native::Rootfs;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes a static web bundle that runs a riscv64 Linux root file system in a browser tab.
///
/// Any file server can host the folder; it needs no special headers and works under any path. Everything in the image
/// becomes public with it.
#[derive(Parser)]
#[command(name = "friscy-pack", version, max_term_width = 100)]
struct Arguments {
    /// The root file system: a folder or a tar file.
    image: PathBuf,

    /// The program to start and its arguments; a shell if there are none.
    #[arg(trailing_var_arg = true, value_name = "CMD ARG")]
    command: Vec<String>,

    /// The folder to write. It may be absent, empty, or an earlier bundle, which is replaced when the new one is complete.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    /// The program to start, before the arguments of the command line.
    #[arg(long, value_name = "CMD")]
    entrypoint: Option<String>,

    /// Sets an environment variable.
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,

    /// The working directory [default: the user's home].
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,

    /// The user, by name or number [default: root].
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,

    /// The host name [default: friscy].
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,

    /// What the page calls the image [default: PRETTY_NAME of its os-release].
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// The folder of the web runtime [default: $FRISCY_WEB_ASSETS, or web-assets beside the program].
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,

    /// Says nothing while it works.
    #[arg(short, long)]
    quiet: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("friscy-pack: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), PackError> {
    let assets = assets::find(arguments.assets.as_deref())?;
    let rootfs = Rootfs::from_path(&arguments.image)?;
    let lower = &**rootfs.lower();
    let wishes = Wishes {
        command: arguments.entrypoint.iter().chain(&arguments.command).cloned().collect(),
        env: arguments.env.clone(),
        cwd: arguments.workdir.clone(),
        user: arguments.user.clone(),
        hostname: arguments.hostname.clone(),
    };
    let entry = entry::complete(lower, &wishes)?;
    let fallback = arguments.image.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = arguments.name.clone().unwrap_or_else(|| entry::display_name(lower, &fallback));
    let command = entry.argv.join(" ");
    let live = !arguments.quiet && std::io::stderr().is_terminal();
    let mut progress = |done: usize, all: usize| {
        if live {
            eprint!("\rchunk {done} of {all}");
            let _ = std::io::stderr().flush();
        }
    };
    let summary = bundle::write(lower, &Options { name, entry, assets }, &arguments.output, &mut progress)?;
    if live {
        eprint!("\r\x1b[K");
    }
    if !arguments.quiet {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "{}: {} files, {:.1} MB; {:.1} MB are fetched before {command} starts",
            arguments.output.display(),
            summary.files,
            megabytes(summary.bytes),
            megabytes(summary.first_bytes),
        );
    }
    Ok(())
}
