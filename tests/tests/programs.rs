//! Programs that must behave as under Linux: the files in `programs/`, one test each.
//!
//! A file is given to the interpreter that its extension names. What it must print, and the status it must end with, is
//! in the `.out` beside it, which the referee wrote (`FRISCY_BLESS=1`, as root). A file whose first line is `# live: …`
//! prints what depends on the versions of packages: the referee runs beside friscy then.
//!
//! `FRISCY_PROGRAM_TESTS=large` means the files in `programs/large` instead, which need the root file system of programs
//! (`cargo xtask rootfs --set programs`) and minutes: `cargo xtask full` runs them.

use friscy_tests::guest::{first_difference, in_friscy, in_referee, outcome, tail};
use friscy_tests::places::workspace;
use libtest_mimic::{Arguments, Failed, Trial};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Seconds that a program may take: many times what it does.
const LIMIT: Duration = Duration::from_secs(900);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let folder = std::env::var_os("FRISCY_PROGRAM_TESTS").unwrap_or_default();
    let mut files: Vec<PathBuf> = fs::read_dir(workspace().join("tests/programs").join(folder))
        .expect("the folder of programs")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|extension| extension != "out"))
        .collect();
    files.sort();
    let trials = files
        .into_iter()
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            Trial::test(name, move || check(&path).map_err(Failed::from))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The command that runs a file's text.
fn command<'a>(extension: &str, text: &'a str) -> Vec<&'a str> {
    match extension {
        "sh" => vec!["/bin/bash", "-c", text],
        "busybox" => vec!["busybox", "sh", "-c", text],
        "dash" => vec!["dash", "-c", text],
        "py" => vec!["python3", "-c", text],
        "pl" => vec!["perl", "-e", text],
        "lua" => vec!["lua5.4", "-e", text],
        "awk" => vec!["gawk", text],
        "sql" => vec!["sqlite3", ":memory:", text],
        other => panic!("nothing runs .{other}"),
    }
}

fn check(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let command = command(&extension, &text);
    let expected = path.with_extension(format!("{extension}.out"));
    let live = text.lines().next().is_some_and(|line| line.contains(" live: "));
    let bless = std::env::var_os("FRISCY_BLESS").is_some();
    let referee = || {
        let outcome = outcome(&mut in_referee(&command), b"", LIMIT);
        [outcome.stdout, format!("exit status {}\n", outcome.status).into_bytes()].concat()
    };
    let want = if live || bless {
        referee()
    } else {
        fs::read(&expected).map_err(|error| format!("{}: {error}", expected.display()))?
    };
    if bless && !live {
        fs::write(&expected, &want).map_err(|error| error.to_string())?;
    }
    let outcome = outcome(&mut in_friscy(&command), b"", LIMIT);
    let got = [outcome.stdout, format!("exit status {}\n", outcome.status).into_bytes()].concat();
    match first_difference(&got, &want) {
        None => Ok(()),
        Some(difference) => Err(format!("{difference}  standard error\n{}", tail(&outcome.stderr))),
    }
}
