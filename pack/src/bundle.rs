//! Writing a bundle: everything into a new folder, which takes the place of the old one only when it is complete.

use crate::ahead::Compiled;
use crate::layout::Layout;
use crate::manifest::{Entry, FILES, FORMAT, FileRef, Index, MANIFEST, Manifest};
use crate::{PackError, ahead, assets, first, store};
use friscy_vfs::Lower;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

/// What a bundle is made of, besides the image.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the page calls the image.
    pub name: String,
    /// What is started.
    pub entry: Entry,
    /// The folder of the web runtime, see [`assets::find`].
    pub assets: PathBuf,
    /// How programs and libraries are compiled ahead of time, if they are.
    pub ahead: Option<ahead::Options>,
}

/// How far the writing is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Programs and libraries are compiled.
    Programs,
    /// Chunks are written.
    Chunks,
}

/// What was written.
#[derive(Debug)]
pub struct Summary {
    /// Files in the bundle.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that are fetched before the first program starts, the page itself included.
    pub first_bytes: u64,
    /// What was compiled ahead of time.
    pub compiled: Compiled,
}

/// Writes a bundle of `lower` into the folder `out`, which may be absent, empty, or an earlier bundle. `progress` is
/// called with the number of programs or chunks that are done, and the number of all.
///
/// # Errors
/// [`PackError`]; the folder is as it was then.
pub fn write(
    lower: &dyn Lower,
    options: &Options,
    out: &Path,
    progress: &mut dyn FnMut(Step, usize, usize),
) -> Result<Summary, PackError> {
    check_output(out)?;
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(PackError::at(parent))?;
    let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = Temporary(parent.join(format!(".{name}.new-{}", std::process::id())));
    fs::create_dir(&temporary.0).map_err(PackError::at(&temporary.0))?;
    let summary = write_into(lower, options, &temporary.0, progress)?;
    replace(&temporary.0, out, &parent.join(format!(".{name}.old-{}", std::process::id())))?;
    Ok(summary)
}

/// A folder that is removed again unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn check_output(out: &Path) -> Result<(), PackError> {
    match fs::read_dir(out) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(PackError::at(out)(error)),
        Ok(mut entries) => {
            if entries.next().is_none() || is_bundle(out) {
                Ok(())
            } else {
                Err(PackError::ForeignOutput(out.into()))
            }
        }
    }
}

fn is_bundle(dir: &Path) -> bool {
    let Ok(bytes) = fs::read(dir.join(MANIFEST)) else { return false };
    serde_json::from_slice::<serde_json::Value>(&bytes)
        .is_ok_and(|value| value["producer"].as_str().is_some_and(|producer| producer.starts_with("friscy-pack ")))
}

fn replace(new: &Path, out: &Path, aside: &Path) -> Result<(), PackError> {
    let existed = out.exists();
    if existed {
        fs::rename(out, aside).map_err(PackError::at(out))?;
    }
    if let Err(error) = fs::rename(new, out) {
        if existed {
            let _ = fs::rename(aside, out);
        }
        return Err(PackError::at(out)(error));
    }
    if existed {
        fs::remove_dir_all(aside).map_err(PackError::at(aside))?;
    }
    Ok(())
}

/// The chunks with code that ran, that with most instructions first, without the first ones. `ran` has places in the
/// concatenation of all chunks and the instructions executed there.
fn chunks_of(ran: &BTreeMap<u64, u64>, ends: &[u64], first: u32) -> Vec<u32> {
    let mut heat: BTreeMap<u32, u64> = BTreeMap::new();
    for (at, instructions) in ran {
        let chunk = ends.partition_point(|end| end <= at) as u32;
        let sum = heat.entry(chunk).or_default();
        *sum = sum.saturating_add(*instructions);
    }
    let mut chunks: Vec<(u32, u64)> = heat.into_iter().filter(|(chunk, _)| *chunk >= first).collect();
    chunks.sort_by_key(|(_, instructions)| std::cmp::Reverse(*instructions));
    chunks.into_iter().map(|(chunk, _)| chunk).collect()
}

fn write_into(
    lower: &dyn Lower,
    options: &Options,
    dir: &Path,
    progress: &mut dyn FnMut(Step, usize, usize),
) -> Result<Summary, PackError> {
    let files_dir = dir.join(FILES);
    fs::create_dir(&files_dir).map_err(PackError::at(&files_dir))?;

    let mut page_bytes = 0;
    for name in assets::PAGE_FILES {
        let from = options.assets.join(name);
        page_bytes += fs::copy(&from, dir.join(name)).map_err(PackError::at(from))?;
    }
    let instance = |name: &str| -> Result<FileRef, PackError> {
        let path = options.assets.join(name);
        store::put(&files_dir, &fs::read(&path).map_err(PackError::at(path))?)
    };
    let kernel = instance(assets::KERNEL)?;
    let cpu = instance(assets::CPU)?;

    let program = options.entry.argv.first().map(String::as_str).unwrap_or_default();
    let layout = Layout::new(lower, &first::needed(lower, program))?;
    let compiled = match &options.ahead {
        Some(options) => {
            let mut told = |done, all| progress(Step::Programs, done, all);
            ahead::compile_all(lower, &layout, options, &files_dir, &mut told)?
        }
        None => Compiled::default(),
    };
    let chunks = write_chunks(lower, &layout, &files_dir, progress)?;
    let files = compiled.files.clone();
    let then = chunks_of(&compiled.ran, &layout.chunk_ends, layout.first_chunks);
    let index = Index { format: FORMAT, tree: layout.tree, chunk_ends: layout.chunk_ends, ahead: files };
    let index = store::put(&files_dir, &postcard::to_allocvec(&index)?)?;
    let manifest = Manifest {
        format: FORMAT,
        producer: format!("friscy-pack {}", env!("CARGO_PKG_VERSION")),
        name: options.name.clone(),
        kernel,
        cpu,
        index,
        first: (0..layout.first_chunks).collect(),
        then,
        modules: compiled.modules.clone(),
        chunks,
        entry: options.entry.clone(),
    };
    let mut json = serde_json::to_string(&manifest).unwrap_or_default();
    json.push('\n');
    fs::write(dir.join(MANIFEST), &json).map_err(PackError::at(dir.join(MANIFEST)))?;

    let fetched = [&manifest.kernel, &manifest.cpu, &manifest.index];
    let first_chunks = manifest.chunks.iter().take(layout.first_chunks as usize);
    let first_bytes =
        page_bytes + json.len() as u64 + fetched.into_iter().chain(first_chunks).map(|f| f.bytes).sum::<u64>();
    let mut summary =
        Summary { files: assets::PAGE_FILES.len() + 1, bytes: page_bytes + json.len() as u64, first_bytes, compiled };
    for entry in fs::read_dir(&files_dir).map_err(PackError::at(&files_dir))? {
        let length = entry.and_then(|entry| entry.metadata()).map_err(PackError::at(&files_dir))?.len();
        summary.files += 1;
        summary.bytes += length;
    }
    Ok(summary)
}

/// Compresses and writes the chunks on all of the host's processors; reading stays on this thread.
fn write_chunks(
    lower: &dyn Lower,
    layout: &Layout,
    dir: &Path,
    progress: &mut dyn FnMut(Step, usize, usize),
) -> Result<Vec<FileRef>, PackError> {
    let total = layout.chunk_ends.len();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (send, receive) = sync_channel::<(usize, Vec<u8>)>(workers);
    let receive = Arc::new(Mutex::new(receive));
    let results: Mutex<Vec<Option<Result<FileRef, PackError>>>> = Mutex::new((0..total).map(|_| None).collect());
    let read = thread::scope(|scope| {
        for _ in 0..workers {
            let receive = receive.clone();
            let results = &results;
            scope.spawn(move || {
                loop {
                    let next = receive.lock().map(|receive| receive.recv());
                    let Ok(Ok((number, bytes))) = next else { return };
                    let result = store::put(dir, &bytes);
                    if let Some(slot) = results.lock().ok().as_mut().and_then(|results| results.get_mut(number)) {
                        *slot = Some(result);
                    }
                }
            });
        }
        let mut number = 0;
        let read = layout.chunks(lower, &mut |bytes| {
            // The workers take until the channel closes, so there is always one to receive.
            let _ = send.send((number, bytes));
            number += 1;
            progress(Step::Chunks, number, total);
            Ok(())
        });
        drop(send);
        read
    });
    read?;
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results
        .into_iter()
        .map(|result| {
            result.unwrap_or_else(|| {
                Err(PackError::Content { path: String::new(), reason: "it changed while it was read".into() })
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_with_most_instructions_come_first() {
        let ends = [100, 200, 300, 400];
        let ran = BTreeMap::from([(0, 9), (99, u64::MAX), (100, 3), (150, 4), (200, 0), (399, 8), (310, u64::MAX)]);
        assert_eq!(chunks_of(&ran, &ends, 1), [3, 1, 2]);
        assert_eq!(chunks_of(&ran, &ends, 4), [0_u32; 0]);
        assert_eq!(chunks_of(&BTreeMap::new(), &ends, 0), [0_u32; 0]);
    }
}
