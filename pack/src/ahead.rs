//! Compiling an image's programs and libraries ahead of time.

use crate::PackError;
use crate::layout::{Layout, Placed, read_file};
use crate::manifest::{Ahead, FileRef, Segment};
use crate::store;
use friscy_aot::{AotError, Chosen, compile, is_program};
use friscy_image::Cache;
use friscy_profile::{Executable, ModuleId, Profile};
use friscy_vfs::Lower;
use friscy_wasm::ahead::{FORMAT, SECTION, Table};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Bytes of a file that say whether it is a program.
const HEAD: u64 = 64;

/// What was compiled.
#[derive(Default, Debug)]
pub struct Compiled {
    /// The modules' files, by number.
    pub modules: Vec<FileRef>,
    /// The files that they are of.
    pub files: Vec<Ahead>,
    /// How many functions they have.
    pub functions: u64,
    /// Of how many that were found in these files.
    pub found: u64,
    /// The share of the profile's instructions that was chosen, if there is one.
    pub coverage: Option<f64>,
    /// The share of them that is of no file of the image, or of blocks that are others there.
    pub stale: f64,
    /// Where in the concatenation of all contents there is code that ran, and how many instructions of it, if there is a
    /// profile.
    pub ran: BTreeMap<u64, u64>,
    /// Bytes of the modules, before they are deflated.
    pub bytes: u64,
    /// Programs and libraries that were not compiled, with the reasons.
    pub left_out: Vec<(String, AotError)>,
}

/// Which code is compiled, and what is kept.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where modules are kept for the next time.
    pub cache: Option<Cache>,
    /// What tells hot code; everything is compiled if there is none.
    pub profile: Option<Choice>,
}

/// Hot code, by a profile.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The profile.
    pub profile: Profile,
    /// How much of its instructions is wanted, in percent.
    pub coverage: f64,
    /// The most bytes of the guest's code.
    pub max_size: u64,
}

/// A program or library on its way to a compiling thread.
struct Job {
    number: usize,
    offset: u64,
    path: String,
    bytes: Vec<u8>,
    /// What is wanted, if not all is.
    only: Option<Chosen>,
}

/// What became of one.
type Outcome = Result<Made, (String, Failed)>;

/// A module that was written.
struct Made {
    file: FileRef,
    ahead: Ahead,
    bytes: u64,
    /// How many functions were found in its file.
    found: u64,
}

/// Why there is no module of a file.
enum Failed {
    /// It cannot be compiled: it runs as it would without.
    Refused(AotError),
    /// The host failed.
    Host(PackError),
}

/// Compiles every riscv64 program and library of the image on all of the host's processors, or takes what was compiled
/// before from the cache; writes the modules into `dir`. `progress` is called with the number of files that are done and of
/// those that there are.
///
/// # Errors
/// [`PackError`] when the image cannot be read or a module not be written.
pub fn compile_all(
    lower: &dyn Lower,
    layout: &Layout,
    options: &Options,
    dir: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Compiled, PackError> {
    let mut programs = Vec::new();
    for file in layout.files() {
        if is_program(&read_file(lower, file.id, &file.path, file.extent.len.min(HEAD))?) {
            programs.push(file);
        }
    }
    let selection = options.profile.as_ref().map(|choice| select(lower, &programs, choice)).transpose()?;
    if let Some(Selected { chosen, .. }) = &selection {
        programs.retain(|file| chosen.contains_key(&file.extent.offset));
    }
    let total = programs.len();
    let workers = thread::available_parallelism().map_or(1, usize::from).min(total.max(1));
    let (send, receive) = sync_channel::<Job>(workers);
    let receive = Mutex::new(receive);
    let outcomes: Mutex<Vec<Option<Outcome>>> = Mutex::new((0..total).map(|_| None).collect());
    let done = AtomicUsize::new(0);
    let read: Result<(), PackError> = thread::scope(|scope| {
        let work = || {
            scope.spawn(|| {
                while let Some(job) = next(&receive) {
                    let number = job.number;
                    let outcome = module(&job, options.cache.as_ref(), dir).map_err(|failed| (job.path, failed));
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes[number] = Some(outcome);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let threads: Vec<_> = (0..workers).map(|_| work()).collect();
        let read = programs.iter().enumerate().try_for_each(|(number, file)| {
            let bytes = read_file(lower, file.id, &file.path, file.extent.len)?;
            let path = format!("/{}", String::from_utf8_lossy(&file.path));
            // The workers take until the channel closes, so there is always one to receive.
            let offset = file.extent.offset;
            let only = selection.as_ref().and_then(|selected| selected.chosen.get(&offset).cloned());
            let _ = send.send(Job { number, offset, path, bytes, only });
            progress(done.load(Ordering::Relaxed), total);
            Ok(())
        });
        drop(send);
        while read.is_ok() && threads.iter().any(|thread| !thread.is_finished()) {
            progress(done.load(Ordering::Relaxed), total);
            thread::sleep(std::time::Duration::from_millis(100));
        }
        read
    });
    read?;
    let mut compiled = Compiled::default();
    if let Some(Selected { coverage, stale, ran, .. }) = selection {
        (compiled.coverage, compiled.stale, compiled.ran) = (Some(coverage), stale, ran);
    }
    for outcome in outcomes.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten() {
        match outcome {
            Ok(Made { file, ahead, bytes, found }) => {
                compiled.found += found;
                compiled.functions += u64::from(ahead.functions);
                compiled.bytes += bytes;
                compiled.files.push(Ahead { module: compiled.modules.len() as u32, ..ahead });
                compiled.modules.push(file);
            }
            Err((path, Failed::Refused(error))) => compiled.left_out.push((path, error)),
            Err((_, Failed::Host(error))) => return Err(error),
        }
    }
    Ok(compiled)
}

fn next(receive: &Mutex<Receiver<Job>>) -> Option<Job> {
    receive.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// The module of one file, written into `dir`; its length too.
fn module(job: &Job, cache: Option<&Cache>, dir: &Path) -> Result<Made, Failed> {
    let name = format!("{}-{FORMAT}-{}.wasm", store::sha256_hex(&job.bytes), env!("CARGO_PKG_VERSION"));
    let cache = cache.filter(|_| job.only.is_none());
    let kept = cache.and_then(|cache| cache.module(&name)).and_then(|wasm| Some((table(&wasm)?, wasm)));
    let (table, wasm, found) = match kept {
        Some((table, wasm)) => {
            let found = table.functions() as usize;
            (table, wasm, found)
        }
        None => {
            let only = friscy_aot::Options { only: job.only.as_ref() };
            let friscy_aot::Module { wasm, found, .. } = compile(&job.bytes, only).map_err(Failed::Refused)?;
            // A cache that cannot be written to costs time only.
            let _ = cache.map(|cache| cache.keep_module(&name, &wasm));
            let read = table(&wasm).ok_or_else(|| AotError::Invalid(String::from("its section cannot be read")));
            (read.map_err(Failed::Refused)?, wasm, found)
        }
    };
    let segments = table.origin.segments.iter().map(|segment| Segment {
        offset: segment.offset,
        address: segment.address,
        len: segment.len,
    });
    let ahead = Ahead {
        offset: job.offset,
        module: 0,
        is_relative: table.origin.is_relative,
        functions: table.functions(),
        places: table.cells(),
        segments: segments.collect(),
    };
    let file = store::put(dir, &wasm).map_err(Failed::Host)?;
    Ok(Made { file, ahead, bytes: wasm.len() as u64, found: found as u64 })
}

/// Code that a profile chose.
struct Selected {
    /// By where its file's contents begin.
    chosen: BTreeMap<u64, Chosen>,
    /// As [`Compiled::coverage`].
    coverage: f64,
    /// As [`Compiled::stale`].
    stale: f64,
    /// As [`Compiled::ran`].
    ran: BTreeMap<u64, u64>,
}

/// Chooses code by a profile. What of that is not as in the image is dropped first.
fn select(lower: &dyn Lower, programs: &[&Placed], choice: &Choice) -> Result<Selected, PackError> {
    let mut profile = choice.profile.clone();
    let all = profile.instructions();
    let mut functions: BTreeMap<ModuleId, Vec<Range<u64>>> = BTreeMap::new();
    let mut places: Vec<(ModuleId, u64)> = Vec::new();
    let mut ran = BTreeMap::new();
    for file in programs {
        let bytes = read_file(lower, file.id, &file.path, file.extent.len)?;
        // What cannot be read is no file of the profile's.
        let Ok(executable) = Executable::parse(&bytes) else { continue };
        if profile.modules.contains_key(&executable.id) {
            profile.drop_stale(&executable);
            for (block, count) in profile.modules.get(&executable.id).into_iter().flat_map(|module| &module.blocks) {
                if let Some(at) = executable.file_offset(block.offset) {
                    ran.insert(file.extent.offset + at, count.instructions);
                }
            }
            places.push((executable.id, file.extent.offset));
            functions.insert(executable.id, executable.functions.into_iter().map(|function| function.range).collect());
        }
    }
    profile.modules.retain(|id, _| functions.contains_key(id));
    let selection = friscy_profile::select(&profile, &functions, choice.coverage, choice.max_size);
    let chosen = places.into_iter().filter_map(|(id, offset)| {
        let selected = selection.modules.get(&id)?;
        let module = profile.modules.get(&id)?;
        let chosen = Chosen {
            ranges: selected.iter().map(|selected| selected.range.clone()).collect(),
            ran: module.ran(),
            entries: module.sampled(selection.entry_instructions()),
        };
        Some((offset, chosen))
    });
    let chosen = chosen.collect();
    let share = |instructions: u64| if all == 0 { 0.0 } else { instructions as f64 / all as f64 };
    Ok(Selected { chosen, coverage: share(selection.covered), stale: share(all - selection.total), ran })
}

/// What a module's section says.
fn table(wasm: &[u8]) -> Option<Table> {
    let mut payloads = wasmparser::Parser::new(0).parse_all(wasm);
    payloads.find_map(|payload| match payload {
        Ok(wasmparser::Payload::CustomSection(section)) if section.name() == SECTION => Table::parse(section.data()),
        _ => None,
    })
}
