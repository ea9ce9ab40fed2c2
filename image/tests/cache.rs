//! The cache folder: what is in it, what happens to it when runs are killed, share it, or have no room.

// Not every test program uses all of it.
#[allow(dead_code)]
mod common;

use common::*;
use friscy_image::{Cache, Options, open};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

const LAYER: &[(&str, &str)] = &[("bin/sh", "shell")];

/// The files of a cache by name, with their inode numbers.
fn files(cache: &Path) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for folder in ["layers", "images", "sources", "parts"] {
        for entry in fs::read_dir(cache.join(folder)).unwrap().flatten() {
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            all.insert(name, entry.metadata().unwrap().ino());
        }
    }
    all
}

fn text(path: &Path, options: &Options) -> String {
    show(&*open(path, options).unwrap().lower)
}

#[test]
fn a_second_run_reads_and_writes_nothing_but_the_cache() {
    let cache = tempfile::tempdir().unwrap();
    let layout = Layout::simple(&[LAYER, &[("etc/x", "1")]]);
    let archive = file(&gzip(&layout.archive()));
    let first = text(&archive.path, &options(Some(cache.path())));
    let before = files(cache.path());
    assert_eq!(before.keys().filter(|name| name.starts_with("layers/")).count(), 2);
    assert_eq!(before.len(), 4, "{before:?}");
    // The contents are of no interest any more; what stat(2) tells is the same but for the time of the change.
    let layers = fs::read_dir(layout.path().join("blobs/sha256")).unwrap().count();
    assert_eq!(text(&archive.path, &options(Some(cache.path()))), first);
    assert_eq!(files(cache.path()), before);
    assert!(layers > 2);
    // The same image in another form shares everything.
    assert_eq!(text(layout.path(), &options(Some(cache.path()))), first);
    assert_eq!(files(cache.path()), before);
}

#[test]
fn a_file_that_changed_is_another() {
    let cache = tempfile::tempdir().unwrap();
    let source = file(&tar(&[("a", "1")]));
    let options = options(Some(cache.path()));
    assert_eq!(text(&source.path, &options), "/\n/a = 1\n");
    assert_eq!(files(cache.path()).len(), 1);
    // Same length, same inode.
    fs::write(&source.path, tar(&[("a", "2")])).unwrap();
    assert_eq!(text(&source.path, &options), "/\n/a = 2\n");
    // One that changed a moment ago is not remembered, as it may change again in the same tick of the clock.
    fs::write(&source.path, tar(&[("a", "3")])).unwrap();
    assert_eq!(text(&source.path, &options), "/\n/a = 3\n");
    assert_eq!(files(cache.path()).len(), 1);
}

#[test]
fn damage_in_the_cache_is_repaired() {
    let cache = tempfile::tempdir().unwrap();
    let options = options(Some(cache.path()));
    let archive = file(&Layout::simple(&[LAYER]).archive());
    let expected = text(&archive.path, &options);
    for name in files(cache.path()).into_keys() {
        let path = cache.path().join(&name);
        let good = fs::read(&path).unwrap();
        for bad in [&b""[..], b"junk", &good[..good.len() / 2]] {
            fs::write(&path, bad).unwrap();
            assert_eq!(text(&archive.path, &options), expected, "{name}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(text(&archive.path, &options), expected, "{name}");
    }
}

/// What the file `name` of an image has as a file of the host, if it is one.
fn copy(path: &Path, options: &Options, name: &str) -> Option<Vec<u8>> {
    let lower = open(path, options).unwrap().lower;
    let id = lower.lookup(lower.root(), name.as_bytes()).unwrap().unwrap();
    let (source, base) = lower.content(id).unwrap();
    let file = source.host_file(base, lower.stat(id).unwrap().size)?;
    Some(fs::read(format!("/proc/self/fd/{}", file.0)).unwrap())
}

/// The copies in a cache, once there are `count`.
fn copies(cache: &Path, count: usize) -> Vec<PathBuf> {
    for _ in 0..1000 {
        let all = fs::read_dir(cache.join("copies")).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
        if all.len() == count && fs::read_dir(cache.join("parts")).unwrap().next().is_none() {
            return all;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("there are not {count} copies");
}

#[test]
fn what_lies_in_a_tar_gets_a_copy_that_can_be_mapped() {
    let (dir, contents) = (tempfile::tempdir().unwrap(), "program ".repeat(5000));
    let options = options(Some(dir.path()));
    let entries: &[(&str, &str)] = &[("small", "text"), ("other", "x"), ("large", &contents)];
    for image in [file(&tar(entries)), file(&Layout::simple(&[&[("below", "x")], entries]).archive())] {
        assert_eq!(copy(&image.path, &options, "small"), None);
        assert_eq!(copy(&image.path, &options, "large"), None);
        let [made] = &copies(dir.path(), 1)[..] else { panic!("one copy") };
        assert_eq!(copy(&image.path, &options, "large").as_deref(), Some(contents.as_bytes()));
        // Half a copy is none, and becomes one.
        fs::write(made, &contents[..999]).unwrap();
        assert_eq!(copy(&image.path, &options, "large"), None);
        for _ in 0..1000 {
            if fs::metadata(made).unwrap().len() == contents.len() as u64 {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(copy(&image.path, &options, "large").as_deref(), Some(contents.as_bytes()));
        // It goes with the image.
        let cache = options.cache.clone().unwrap();
        cache.prune(false).unwrap();
        copies(dir.path(), 1);
        fs::remove_dir_all(dir.path().join("images")).unwrap();
        fs::create_dir(dir.path().join("images")).unwrap();
        cache.prune(false).unwrap();
        copies(dir.path(), 0);
    }
    let without = Options { cache: None, ..options };
    assert_eq!(copy(&file(&tar(entries)).path, &without, "large"), None);
}

#[test]
fn leftovers_of_killed_runs_go_and_what_others_write_stays() {
    let cache = tempfile::tempdir().unwrap();
    let options = options(Some(cache.path()));
    let parts = cache.path().join("parts");
    fs::write(parts.join("dead"), "half of a layer").unwrap();
    let alive = fs::File::create(parts.join("alive")).unwrap();
    rustix::fs::flock(&alive, rustix::fs::FlockOperation::LockExclusive).unwrap();
    text(&file(&Layout::simple(&[LAYER]).archive()).path, &options);
    assert_eq!(leftovers(cache.path()), "alive ");
    drop(alive);
    assert_eq!(options.cache.unwrap().prune(false).unwrap(), 0);
    assert_eq!(leftovers(cache.path()), "");
}

#[test]
fn many_runs_share_a_cache() {
    let cache = tempfile::tempdir().unwrap();
    let archive = file(&gzip(&Layout::simple(&[LAYER, &[("etc/x", "1")]]).archive()));
    let texts: Vec<String> = thread::scope(|scope| {
        let run = |index: usize| {
            let (cache, archive) = (cache.path(), archive.path.as_path());
            scope.spawn(move || {
                let mut last = String::new();
                for _ in 0..20 {
                    if index == 0 {
                        Cache::at(cache, 1 << 30).prune(true).unwrap();
                    }
                    last = text(archive, &options(Some(cache)));
                }
                last
            })
        };
        let threads: Vec<_> = (0..4).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(texts.iter().all(|text| text == "/\n/bin/\n/bin/sh = shell\n/etc/\n/etc/x = 1\n"), "{texts:?}");
    assert_eq!(leftovers(cache.path()), "");
}

#[test]
fn what_was_unused_for_longest_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let big = "x".repeat(100_000);
    let archives: Vec<_> =
        ["a", "b", "c"].map(|name| file(&gzip(&Layout::simple(&[&[(name, &big)]]).archive()))).into_iter().collect();
    let all = options(Some(dir.path()));
    for (age, archive) in [(300, &archives[0]), (200, &archives[1])] {
        text(&archive.path, &all);
        let then = SystemTime::now() - Duration::from_secs(age);
        for name in files(dir.path()).into_keys() {
            let file = fs::File::open(dir.path().join(name)).unwrap();
            if file.metadata().unwrap().modified().unwrap() > SystemTime::now() - Duration::from_secs(100) {
                file.set_modified(then).unwrap();
            }
        }
    }
    // The first is used again, so the second is the oldest.
    text(&archives[0].path, &all);
    let small = Options { cache: Some(Cache::at(dir.path(), 250_000)), ..all };
    text(&archives[2].path, &small);
    let cache = small.cache.clone().unwrap();
    assert!(cache.bytes() <= 250_000);
    let mut names: Vec<String> = cache.images().into_iter().map(|image| image.name).collect();
    names.sort();
    let mut expected = vec![archives[0].path.display().to_string(), archives[2].path.display().to_string()];
    expected.sort();
    assert_eq!(names, expected);
    // What is in use stays even if it alone is too large.
    let tiny = Options { cache: Some(Cache::at(dir.path(), 10)), ..small };
    text(&archives[1].path, &tiny);
    assert_eq!(cache.images().len(), 1);
    assert!(cache.prune(true).unwrap() > 100_000);
    assert_eq!(files(dir.path()).len(), 0);
}
