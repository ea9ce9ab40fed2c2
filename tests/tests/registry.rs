//! Images that are named are fetched from a registry, docker's own, on this host.

use friscy_tests::guest::{Outcome, outcome};
use friscy_tests::images::images;
use friscy_tests::places::friscy;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// `user` with the password `secret`, by bcrypt.
const HTPASSWD: &str = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

struct Registry {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    /// Starts a registry that keeps its files in a folder of its own; with `auth` it wants a password.
    fn start(auth: bool) -> Registry {
        let dir = tempfile::tempdir().expect("a folder");
        // The port was free a moment ago, which is the best that can be known.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let root = dir.path().display();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}/data}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\"}}\n"
        );
        if auth {
            fs::write(dir.path().join("htpasswd"), HTPASSWD).expect("a file");
            config += &format!("auth: {{htpasswd: {{realm: test, path: {root}/htpasswd}}}}\n");
        }
        let path = dir.path().join("config.yml");
        fs::write(&path, config).expect("a file");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry (`cargo xtask setup` installs it)");
        let registry = Registry { child, port, dir };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "the registry does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    fn name(&self, rest: &str) -> String {
        format!("127.0.0.1:{}/{rest}", self.port)
    }

    /// Copies an image, or all images of an index, into the registry.
    fn push(&self, from: &str, rest: &str, auth: bool) {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--insecure-policy", "copy", "--all", "--quiet", "--dest-tls-verify=false"]);
        if auth {
            skopeo.args(["--dest-creds", "user:secret"]);
        }
        let output = skopeo.arg(from).arg(format!("docker://{}", self.name(rest))).output().expect("skopeo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs friscy with a cache and a docker configuration below the registry's folder.
    fn run(&self, arguments: &[&str]) -> Outcome {
        let mut process = Command::new(friscy());
        process.env("FRISCY_CACHE", self.dir.path().join("cache")).env("DOCKER_CONFIG", self.dir.path().join("docker"));
        outcome(process.arg("run").args(arguments), b"", Duration::from_secs(60))
    }
}

#[track_caller]
fn prints(outcome: &Outcome, expected: &str) {
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), "");
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), expected);
    assert_eq!(outcome.status, 0);
}

#[track_caller]
fn fails(outcome: &Outcome, expected: &str) {
    let stderr = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(stderr.starts_with("friscy: ") && stderr.contains(expected), "{stderr}");
    assert_eq!((outcome.status, outcome.stdout.as_slice()), (125, &b""[..]));
}

fn layout(name: &str) -> String {
    format!("oci:{}:test", images().join(name).display())
}

#[test]
fn images_are_fetched_once() {
    let mut registry = Registry::start(false);
    registry.push(&layout("layout"), "friscy/test:1", false);
    registry.push(&layout("zstd"), "friscy/test:zstd", false);
    let name = registry.name("friscy/test:1");
    let script = "echo $GREETING; cat /data/stays /data/old/above";
    let expected = "hello\nstays\nabove\n";
    fails(&registry.run(&["--pull", "never", &name]), "no image of that name is in the cache");
    prints(&registry.run(&[&name, script]), expected);
    prints(&registry.run(&["--pull", "always", &name, script]), expected);
    prints(&registry.run(&[&registry.name("friscy/test:zstd"), script]), expected);
    fails(&registry.run(&[&registry.name("friscy/test:2")]), "there is no friscy/test with the tag or digest 2");
    let digest = manifest_digest("layout");
    let by_digest = registry.name(&format!("friscy/test@{digest}"));
    prints(&registry.run(&[&by_digest, script]), expected);
    let none = format!("sha256:{}", "0".repeat(64));
    fails(&registry.run(&[&registry.name(&format!("friscy/test@{none}"))]), &format!("tag or digest {none}"));

    // From now on there is only the cache.
    let _ = registry.child.kill();
    let _ = registry.child.wait();
    for pull in ["missing", "never"] {
        prints(&registry.run(&["--pull", pull, &name, script]), expected);
    }
    prints(&registry.run(&[&by_digest, script]), expected);
    fails(&registry.run(&["--pull", "always", &name]), "is the name right, and the network there?");
}

fn manifest_digest(layout: &str) -> String {
    let index = fs::read_to_string(images().join(layout).join("index.json")).expect("index.json");
    let index: serde_json::Value = serde_json::from_str(&index).expect("JSON");
    let manifests = index["manifests"].as_array().expect("manifests");
    let tagged = |manifest: &&serde_json::Value| {
        manifest["annotations"]["org.opencontainers.image.ref.name"].as_str() == Some("test")
    };
    manifests.iter().find(tagged).and_then(|manifest| manifest["digest"].as_str()).expect("a digest").to_owned()
}

#[test]
fn other_platforms_and_damage_are_told() {
    let registry = Registry::start(false);
    let amd64 = format!("docker-archive:{}", images().join("amd64.tar").display());
    registry.push(&amd64, "friscy/amd64:1", false);
    fails(&registry.run(&[&registry.name("friscy/amd64:1")]), "it is for linux/amd64, and friscy runs linux/riscv64");

    registry.push(&layout("layout"), "friscy/test:1", false);
    let mut largest = (0, Path::new("").to_owned());
    visit(&registry.dir.path().join("data"), &mut |path| {
        let len = fs::metadata(path).map_or(0, |meta| meta.len());
        if len > largest.0 {
            largest = (len, path.to_owned());
        }
    });
    let mut bytes = fs::read(&largest.1).expect("a layer");
    bytes[1000] ^= 1;
    fs::write(&largest.1, bytes).expect("a layer");
    fails(&registry.run(&[&registry.name("friscy/test:1")]), "layer 1 of 3: its digest is sha256:");
    let parts = fs::read_dir(registry.dir.path().join("cache/parts")).expect("a cache");
    assert_eq!(parts.count(), 0);
}

fn visit(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { visit(&path, each) } else { each(&path) }
    }
}

#[test]
fn credentials_are_dockers() {
    let registry = Registry::start(true);
    registry.push(&layout("layout"), "friscy/test:1", true);
    let name = registry.name("friscy/test:1");
    fails(&registry.run(&[&name]), "it denies friscy/test: there is no such repository, or `docker login 127.0.0.1:");
    let config = |auth: &str| {
        let docker = registry.dir.path().join("docker");
        fs::create_dir_all(&docker).expect("a folder");
        let host = registry.name("").trim_end_matches('/').to_owned();
        let json = serde_json::json!({ "auths": { host: { "auth": auth } } });
        fs::write(docker.join("config.json"), json.to_string()).expect("a file");
    };
    config("dXNlcjp3cm9uZw==");
    fails(&registry.run(&[&name]), "it denies friscy/test");
    config("not base64!");
    fails(&registry.run(&[&name]), "docker's config.json: ");
    config("dXNlcjpzZWNyZXQ=");
    prints(&registry.run(&[&name, "echo $GREETING"]), "hello\n");
}
