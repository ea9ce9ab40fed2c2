//! The command `friscy-pack`.

use clap::Parser;
use friscy_image::{Cache, Config, Pull};
use friscy_pack::ahead::{self, Choice};
use friscy_pack::bundle::{self, Options, Step};
use friscy_pack::entry::{self, Wishes};
use friscy_pack::{PackError, assets};
use friscy_profile::Profile;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes a static web bundle that runs a riscv64 Linux root file system in a browser tab.
///
/// Any file server can host the folder; it needs no special headers and works under any path. Everything in the image
/// becomes public with it.
#[derive(Parser)]
#[command(name = "friscy-pack", version, max_term_width = 100)]
struct Arguments {
    /// An image: a `docker save` or OCI archive, an OCI layout folder, a tar or folder of a root file system, an ELF
    /// file, or the name of an image in a registry. Archives may be compressed.
    image: PathBuf,

    /// The command and its arguments [default: the image's, or a shell].
    #[arg(trailing_var_arg = true, value_name = "CMD ARG")]
    command: Vec<String>,

    /// The folder to write. It may be absent, empty, or an earlier bundle, which is replaced when the new one is complete.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    /// The program to start in place of the image's entry point, before the arguments of the command line.
    #[arg(long, value_name = "CMD")]
    entrypoint: Option<String>,

    /// Sets an environment variable.
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,

    /// The working directory [default: the image's, or the user's home].
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,

    /// The user, by name or number [default: the image's, or root].
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,

    /// The host name [default: friscy].
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,

    /// What the page calls the image [default: PRETTY_NAME of its os-release].
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// Compiles every riscv64 program and library of the image ahead of time. The bundle is larger by it, but a browser
    /// fetches only what of it runs. Modules are kept in the cache folder for the next time (`friscy cache`).
    #[arg(long)]
    aot: bool,

    /// Compiles only what a profile of `friscy run --profile-out` shows to be hot, grown to whole functions.
    #[arg(long, value_name = "FILE", requires = "aot")]
    profile: Option<PathBuf>,

    /// How much of the profile's instructions is to be in what is compiled, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 99.0, requires = "profile")]
    coverage: f64,

    /// The most bytes of the guest's code that are compiled by a profile.
    #[arg(long, value_name = "BYTES", default_value_t = u64::MAX, hide_default_value = true, requires = "profile")]
    max_size: u64,

    /// The folder of the web runtime [default: $FRISCY_WEB_ASSETS, or web-assets beside the program].
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,

    /// When an image that is named, and no file, is fetched from its registry: missing (from the cache), always, never.
    #[arg(long, value_name = "WHEN", default_value = "missing")]
    pull: Pull,

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
    let options = friscy_image::Options { pull: arguments.pull, ..friscy_image::Options::from_env() };
    let image = friscy_image::open(&arguments.image, &options)?;
    let lower = &*image.lower;
    let wishes = wishes(arguments, &image.config);
    let entry = entry::complete(lower, &wishes)?;
    let fallback = arguments.image.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = arguments.name.clone().unwrap_or_else(|| entry::display_name(lower, &fallback));
    let command = entry.argv.join(" ");
    let live = !arguments.quiet && std::io::stderr().is_terminal();
    let mut progress = |step: Step, done: usize, all: usize| {
        if live {
            let what = if step == Step::Programs { "program" } else { "chunk" };
            eprint!("\r\x1b[K{what} {done} of {all}");
            let _ = std::io::stderr().flush();
        }
    };
    let profile = arguments.profile.as_deref().map(|path| read_profile(path, arguments)).transpose()?;
    let ahead = arguments.aot.then(|| ahead::Options { cache: Cache::from_env(), profile });
    let summary = bundle::write(lower, &Options { name, entry, assets, ahead }, &arguments.output, &mut progress)?;
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
        let compiled = &summary.compiled;
        if arguments.aot {
            let (functions, found, files) = (compiled.functions, compiled.found, compiled.modules.len());
            let share = compiled.coverage.map(|share| format!("{:.1} % of instructions, ", 100.0 * share));
            let (share, size) = (share.unwrap_or_default(), megabytes(compiled.bytes));
            println!("{functions} of {found} functions in {files} files compiled, {share}{size:.1} MB");
        }
        // Less than is shown of that is what no file of an image holds, the vDSO.
        if compiled.stale >= 0.0005 {
            let share = 100.0 * compiled.stale;
            eprintln!(
                "friscy-pack: {share:.1} % of the profile's instructions are not used: other files or other code"
            );
        }
        for (path, why) in &compiled.left_out {
            eprintln!("friscy-pack: {path} is not compiled ahead of time: {why}");
        }
    }
    Ok(())
}

/// The code that a profile chooses.
fn read_profile(path: &Path, arguments: &Arguments) -> Result<Choice, PackError> {
    let bytes = std::fs::read(path).map_err(|source| PackError::Host { path: path.into(), source })?;
    let wrong =
        |error: friscy_profile::DecodeError| PackError::Profile { path: path.into(), reason: error.to_string() };
    let profile = Profile::decode(&bytes).map_err(wrong)?;
    Ok(Choice { profile, coverage: arguments.coverage, max_size: arguments.max_size })
}

/// What the command line says, completed by the image's configuration as docker does.
fn wishes(arguments: &Arguments, config: &Config) -> Wishes {
    let command: Vec<Vec<u8>> = arguments.command.iter().map(|word| word.clone().into_bytes()).collect();
    let argv = config.argv(arguments.entrypoint.as_deref(), &command);
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Wishes {
        command: argv.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
        env: config.env.iter().chain(&arguments.env).cloned().collect(),
        cwd: arguments.workdir.clone().or_else(|| said(&config.working_dir)),
        user: arguments.user.clone().or_else(|| said(&config.user)),
        hostname: arguments.hostname.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_says_what_the_command_line_does_not() {
        let config = Config {
            entrypoint: vec!["/e".into()],
            cmd: vec!["c".into()],
            env: vec!["A=1".into(), "B=2".into()],
            working_dir: "/w".into(),
            user: "u:g".into(),
        };
        let parse = |line: &[&str]| Arguments::try_parse_from([&["friscy-pack", "-o", "out"], line].concat()).unwrap();
        let all = wishes(&parse(&["image"]), &config);
        assert_eq!((all.command, all.env), (vec!["/e".into(), "c".into()], config.env.clone()));
        assert_eq!((all.cwd.as_deref(), all.user.as_deref()), (Some("/w"), Some("u:g")));
        let none = wishes(&parse(&["-e", "A=3", "-w", "/x", "-u", "0", "--entrypoint", "/f", "image", "d"]), &config);
        assert_eq!(none.command, ["/f", "d"]);
        assert_eq!(none.env, ["A=1", "B=2", "A=3"]);
        assert_eq!((none.cwd.as_deref(), none.user.as_deref()), (Some("/x"), Some("0")));
        let bare = wishes(&parse(&["image"]), &Config::default());
        assert_eq!((bare.command, bare.cwd, bare.user), (vec![], None, None));
    }
}
