//! Running other programs.

use anyhow::{Context, Result, bail};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The folder that cargo builds into.
pub fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace().join(dir),
        None => workspace().join("target"),
    }
}

/// The folder of what these commands make and keep.
pub fn cache_dir() -> PathBuf {
    workspace().join("target/friscy")
}

/// Says what is being done.
pub fn step(text: &str) {
    eprintln!("==> {text}");
}

/// A cargo command in the workspace.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// Runs a command; fails unless it succeeds.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{} cannot be started", name(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", name(command));
    }
    Ok(())
}

/// Runs a command and answers what it printed; fails unless it succeeds.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} cannot be started", name(command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", name(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a file of results says of its making: when, and of which commit; with `+` files were changed since then. Results
/// themselves are no such change.
pub fn commit() -> Result<String> {
    let git = |arguments: &[&str]| read(Command::new("git").args(arguments).current_dir(workspace()));
    let changed = git(&["status", "--porcelain", "--", ".", ":!docs/full-run.md", ":!tests/suites/*.results.txt"])?;
    let date = read(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M"]))?;
    let mark = if changed.is_empty() { "" } else { "+" };
    Ok(format!("{} UTC, {}{mark}", date.trim(), git(&["rev-parse", "--short=10", "HEAD"])?.trim()))
}

/// Whether a command can be started and succeeds; its output is not shown.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command whose output (both streams) is shown and given to `line`, line by line; answers whether it succeeded.
pub fn watch(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let title = name(command);
    let mut child = command.spawn().with_context(|| format!("{title} cannot be started"))?;
    // The command holds ends of the pipe as long as it lives; reading would not end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for text in BufReader::new(reader).split(b'\n') {
        let text = text?;
        let text = String::from_utf8_lossy(&text);
        // Nobody needs to read along.
        let _ = writeln!(std::io::stdout(), "{text}");
        line(&text);
    }
    Ok(child.wait()?.success())
}

fn name(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().take(3).map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}
