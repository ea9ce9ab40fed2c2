//! Images made by umoci, skopeo and buildah run as docker runs them, in every form; `tests/images.sh` makes them.

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::images::images;
use friscy_tests::places::friscy;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A cache folder for one test.
fn cache() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn run_in(cache: &Path, options: &[&str], image: &str, command: &[&str]) -> Outcome {
    let mut process = Command::new(friscy());
    process.env("FRISCY_CACHE", cache).arg("run").args(options).arg(images().join(image)).args(command);
    outcome(&mut process, b"", Duration::from_secs(60))
}

#[track_caller]
fn check(cache: &Path, options: &[&str], image: &str, command: &[&str], stdout: &str) {
    let outcome = run_in(cache, options, image, command);
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), "", "{image}");
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), stdout, "{image}");
    assert_eq!(outcome.status, 0, "{image}");
}

/// The forms of the image that umoci made.
const FORMS: [&str; 6] = ["layout", "docker.tar", "oci.tar", "oci.tar.gz", "zstd", "both.tar"];

#[test]
fn every_form_is_the_same_image() {
    let cache = cache();
    let expected = "hello\nuid=1000(app) gid=50(staff)\n/srv/app\nGREETING=hello\nHOME=/home/app\nHOSTNAME=friscy\n\
                    PATH=/bin\nPWD=/srv/app\nSHLVL=1\n";
    for form in FORMS {
        for _ in 0..2 {
            check(cache.path(), &[], form, &[], expected);
        }
    }
}

#[test]
fn layers_cover_each_other() {
    let cache = cache();
    let script = "cd /data; find . | sort; cat stays old/above; stat -c %h old/link";
    let expected = ".\n./old\n./old/above\n./old/link\n./stays\nstays\nabove\n2\n";
    for form in FORMS {
        check(cache.path(), &["-u", "0"], form, &[script], expected);
    }
}

#[test]
fn options_win_over_the_image() {
    let cache = cache();
    let options = ["--entrypoint", "/bin/echo"];
    check(cache.path(), &options, "layout", &["a", "b"], "a b\n");
    check(cache.path(), &options, "layout", &[], "\n");
    let script = "echo $GREETING $HOME; pwd; id -u; id -g";
    check(
        cache.path(),
        &["-e", "GREETING=bye", "-w", "/tmp", "-u", "root"],
        "layout",
        &[script],
        "bye /root\n/tmp\n0\n0\n",
    );
    check(cache.path(), &["-u", "app"], "layout", &["id"], "uid=1000(app) gid=1000(app) groups=50(staff)\n");
}

#[test]
fn buildah_and_plain_root_file_systems() {
    let cache = cache();
    check(cache.path(), &[], "buildah.tar", &[], "from buildah\n");
    check(cache.path(), &[], "buildah.tar", &["pwd"], "/\n");
    for form in ["root", "root.tar", "root.tar.gz", "root.tar.zst"] {
        for _ in 0..2 {
            check(cache.path(), &[], form, &["cat", "/data/old/below", "/data/gone"], "below\ngone\n");
        }
    }
    let outcome = run_in(cache.path(), &[], "amd64.tar", &[]);
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(
        stderr.contains("amd64.tar: it is for linux/amd64, and friscy runs linux/riscv64: build it with"),
        "{stderr}"
    );
    assert_eq!((outcome.status, outcome.stdout.as_slice()), (125, &b""[..]));
}

#[test]
fn without_a_cache_folder_images_run_as_well() {
    check(Path::new("/proc/none"), &[], "oci.tar.gz", &["echo $GREETING"], "hello\n");
    check(Path::new("/proc/none"), &[], "root.tar.zst", &["cat", "/data/gone"], "gone\n");
}
