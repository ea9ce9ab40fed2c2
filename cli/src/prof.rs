//! `friscy prof`: looking at profiles, adding them up, checking them.

use crate::error::Error;
use crate::options::{ProfCommand, ProfOptions};
use crate::record::Output;
use friscy_profile::{Block, Executable, MAGIC, Module, ModuleId, Name, Profile, check, overlap};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Status of `verify` when a file has changed since.
const STALE: u8 = 1;

/// Runs a command of `friscy prof`.
///
/// # Errors
/// A file that cannot be read or written, or is no profile or no riscv64 ELF file.
pub fn prof(options: &ProfOptions) -> Result<ExitCode, Error> {
    let mut status = ExitCode::SUCCESS;
    let text = match &options.command {
        ProfCommand::Show { profile, elf, root, count } => {
            let profile = read(profile)?;
            let mut files = elf.iter().map(|path| executable(path)).collect::<Result<Vec<_>, _>>()?;
            files.extend(found(&profile, root.as_deref()));
            show(&profile, &files, *count)
        }
        ProfCommand::Merge { profiles, weights, output } => {
            Output::new(output)?.write(&merge(profiles, weights)?.encode())?;
            return Ok(status);
        }
        ProfCommand::Diff { old, new, count } => diff(&read(old)?, &read(new)?, *count),
        ProfCommand::Verify { profile, elf } => {
            let (text, fresh) = verify(&read(profile)?, elf)?;
            if !fresh {
                status = ExitCode::from(STALE);
            }
            text
        }
        ProfCommand::Text { profile, output: Some(output) } => {
            Output::new(output)?.write(&read(profile)?.encode())?;
            return Ok(status);
        }
        ProfCommand::Text { profile, output: None } => read(profile)?.print(),
    };
    // A reader that went away has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(status)
}

/// Reads a profile in either form.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read(path: &Path) -> Result<Profile, Error> {
    let bytes = fs::read(path).map_err(|error| Error::host(path, error))?;
    let wrong = |what: String| Error::Other(format!("{}: {what}", path.display()));
    match std::str::from_utf8(&bytes) {
        Ok(text) if text.starts_with("friscy profile") && !bytes.starts_with(&MAGIC) => {
            Profile::parse(text).map_err(|error| wrong(error.to_string()))
        }
        _ => Profile::decode(&bytes).map_err(|error| wrong(error.to_string())),
    }
}

fn executable(path: &Path) -> Result<Executable, Error> {
    let bytes = fs::read(path).map_err(|error| Error::host(path, error))?;
    Executable::parse(&bytes).map_err(|error| Error::Other(format!("{}: {error}", path.display())))
}

/// The files that a profile names, as far as they are there and the same.
fn found(profile: &Profile, root: Option<&Path>) -> Vec<Executable> {
    let mut files = Vec::new();
    for (id, module) in &profile.modules {
        let paths = module.paths.iter().map(|path| match root {
            Some(root) => root.join(path.as_str().trim_start_matches('/')),
            None => PathBuf::from(path.as_str()),
        });
        files.extend(paths.filter_map(|path| executable(&path).ok()).find(|file| file.id == *id));
    }
    files
}

fn merge(profiles: &[PathBuf], weights: &[NonZeroU64]) -> Result<Profile, Error> {
    if !weights.is_empty() && weights.len() != profiles.len() {
        let (have, want) = (weights.len(), profiles.len());
        return Err(Error::Other(format!("--weights: {have} numbers for {want} profiles; give one for each")));
    }
    let mut sum = Profile::default();
    for (at, path) in profiles.iter().enumerate() {
        sum.merge(&read(path)?.weighted(weights.get(at).copied().unwrap_or(NonZeroU64::MIN)));
    }
    Ok(sum)
}

/// `part` in percent of `all`.
fn percent(part: u64, all: u64) -> f64 {
    100.0 * part as f64 / all.max(1) as f64
}

fn names<'a>(names: impl IntoIterator<Item = &'a Name>) -> String {
    names.into_iter().map(Name::as_str).collect::<Vec<_>>().join("; ")
}

/// The first digits of a module's hash, which tell modules of a run apart.
fn short(id: &ModuleId) -> String {
    id.to_string().chars().take(12).collect()
}

/// The function of a block, or where it is; and the module.
fn place(block: &Block, id: &ModuleId, module: &Module, file: Option<&Executable>) -> String {
    match file.filter(|file| file.id == *id).and_then(|file| file.function(block.offset)) {
        Some(function) => format!("{} in {}", function.name, module.title()),
        None => format!("{:#x} in {}", block.offset, module.title()),
    }
}

fn show(profile: &Profile, files: &[Executable], count: usize) -> String {
    let (counted, elsewhere) = (profile.instructions(), profile.elsewhere);
    let all = counted.saturating_add(elsewhere);
    let mut text = format!("run        {}\nproducer   {}\n", names(&profile.labels), names(&profile.producers));
    let _ = writeln!(text, "retired    {} instructions", profile.retired);
    let _ = writeln!(text, "counted    {counted} in modules, {elsewhere} elsewhere\n");
    let _ = writeln!(text, "  share  blocks  module");
    let mut modules: Vec<_> = profile.modules.iter().collect();
    modules.sort_by_key(|(id, module)| (std::cmp::Reverse(module.instructions()), **id));
    for (id, module) in modules {
        let share = percent(module.instructions(), all);
        let _ = writeln!(text, "{share:6.2} %  {:6}  {} {}", module.blocks.len(), short(id), module.title());
    }
    let mut functions: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for (id, module) in &profile.modules {
        let file = files.iter().find(|file| file.id == *id);
        for (block, count) in &module.blocks {
            let (sum, startup) = functions.entry(place(block, id, module, file)).or_insert((0, true));
            *sum = sum.saturating_add(count.instructions);
            *startup &= !count.phases.steady;
        }
    }
    let mut functions: Vec<_> = functions.into_iter().collect();
    functions.sort_by(|(a, (more, _)), (b, (less, _))| less.cmp(more).then_with(|| a.cmp(b)));
    let _ = writeln!(text, "\n  share  phase    function, or block without symbols");
    for (place, (instructions, startup)) in functions.into_iter().take(count) {
        let phase = if startup { "startup" } else { "steady" };
        let _ = writeln!(text, "{:6.2} %  {phase:7}  {place}", percent(instructions, all));
    }
    text
}

fn diff(old: &Profile, new: &Profile, count: usize) -> String {
    let mut text = format!("overlap    {:.2} %\n", 100.0 * overlap(old, new));
    let _ = writeln!(text, "retired    {} and {} instructions\n", old.retired, new.retired);
    let (all_old, all_new) = (old.instructions(), new.instructions());
    let mut both = old.clone();
    both.merge(new);
    let none = Module::default();
    let mut blocks = Vec::new();
    let _ = writeln!(text, "   old      new   module");
    for (id, module) in &both.modules {
        let (before, after) = (old.modules.get(id).unwrap_or(&none), new.modules.get(id).unwrap_or(&none));
        let shares = (percent(before.instructions(), all_old), percent(after.instructions(), all_new));
        let _ = writeln!(text, "{:6.2} % {:6.2} %  {} {}", shares.0, shares.1, short(id), module.title());
        for block in module.blocks.keys() {
            let count = |module: &Module| module.blocks.get(block).map_or(0, |count| count.instructions);
            let shares = (percent(count(before), all_old), percent(count(after), all_new));
            blocks.push((shares, place(block, id, module, None)));
        }
    }
    blocks.sort_by(|((a, b), first), ((c, d), second)| {
        (c - d).abs().total_cmp(&(a - b).abs()).then_with(|| first.cmp(second))
    });
    let _ = writeln!(text, "\n   old      new   block");
    for ((before, after), place) in blocks.into_iter().take(count).filter(|((before, after), _)| before != after) {
        let _ = writeln!(text, "{before:6.2} % {after:6.2} %  {place}");
    }
    text
}

/// The report, and whether everything that is counted for the files is as it was.
fn verify(profile: &Profile, paths: &[PathBuf]) -> Result<(String, bool), Error> {
    let mut text = String::from("   same    alike   file\n");
    let mut fresh = true;
    for path in paths {
        let file = executable(path)?;
        let Some((module, by)) = module_of(profile, &file, path) else {
            let _ = writeln!(text, "      -        -   {}: not in the profile", path.display());
            continue;
        };
        let found = check(module, &file);
        fresh &= found.same == found.instructions;
        let (same, alike) = (percent(found.same, found.instructions), percent(found.alike, found.instructions));
        let _ = writeln!(text, "{same:6.2} % {alike:6.2} %  {}: {by}", path.display());
    }
    Ok((text, fresh))
}

/// The module that a file is, or was: by its bytes, else by what the hints say.
fn module_of<'a>(profile: &'a Profile, file: &Executable, path: &Path) -> Option<(&'a Module, &'static str)> {
    let modules = || profile.modules.values();
    if let Some(module) = profile.modules.get(&file.id) {
        return Some((module, "the same executable bytes"));
    }
    let by_build = modules().find(|module| module.build_id.is_some() && module.build_id == file.build_id);
    let by_soname = || modules().find(|module| module.soname.is_some() && module.soname == file.soname);
    let name = path.file_name();
    let by_name =
        || modules().find(|module| module.paths.iter().any(|path| Path::new(path.as_str()).file_name() == name));
    by_build
        .map(|module| (module, "the same build-id"))
        .or_else(|| by_soname().map(|module| (module, "the same soname, other bytes")))
        .or_else(|| by_name().map(|module| (module, "the same name, other bytes")))
}
