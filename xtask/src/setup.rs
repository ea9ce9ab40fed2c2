//! What the host needs, and installing it.

use crate::shell::{read, run, step, succeeds};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Something that commands need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Assembling root file systems.
    Rootfs,
    /// The referees of tests, and a compiler for test programs.
    Guests,
    /// Makers of images, for tests of reading them.
    Images,
    /// A browser.
    Browser,
    /// node and npm.
    Node,
    /// Rust's standard library for wasm32.
    Wasm,
    /// A C compiler and library for wasm32-wasi.
    Wasi,
    /// A C compiler and library for i386, and the firmware that v86 boots.
    V86,
}

/// Everything but what only measurements beside v86 need.
pub const ALL: [Need; 7] =
    [Need::Rootfs, Need::Guests, Need::Images, Need::Browser, Need::Node, Need::Wasm, Need::Wasi];

/// What builds the demonstration.
pub const DEMO: [Need; 3] = [Need::Rootfs, Need::Node, Need::Wasm];

impl Need {
    fn packages(self) -> &'static [&'static str] {
        match self {
            Need::Rootfs => &["mmdebstrap", "arch-test", "debian-archive-keyring", "qemu-user-static"],
            Need::Guests => &[
                "qemu-user-static",
                "gcc-riscv64-linux-gnu",
                "binutils-riscv64-linux-gnu",
                "libc6-dev-riscv64-cross",
                "cmake",
                "patch",
                "tmux",
                "xz-utils",
            ],
            Need::Images => &["umoci", "skopeo", "buildah", "docker-registry", "jq", "zstd"],
            Need::Browser => &["chromium", "fonts-dejavu-core"],
            Need::Node => {
                if succeeds(Command::new("npm").arg("--version")) {
                    &[]
                } else {
                    &["nodejs", "npm"]
                }
            }
            Need::Wasi => &["clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32"],
            Need::V86 => &["gcc-i686-linux-gnu", "libc6-dev-i386-cross", "seabios"],
            Need::Wasm => {
                if wasm_toolchain().is_some() {
                    &[]
                } else {
                    &["rustc-web", "cargo-web", "rust-web-src", "libstd-rust-web-dev", "lld-19"]
                }
            }
        }
    }
}

/// How wasm32 is compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WasmToolchain {
    /// The toolchain in use has the target.
    Rustup,
    /// Debian's compiler for the web, which builds the standard library itself.
    Debian,
}

/// The way to compile for wasm32, if there is one.
pub fn wasm_toolchain() -> Option<WasmToolchain> {
    let has_target = || {
        let sysroot = read(Command::new("rustc").args(["--print", "sysroot"])).ok()?;
        Path::new(sysroot.trim()).join("lib/rustlib/wasm32-unknown-unknown/lib").is_dir().then_some(())
    };
    if has_target().is_some() {
        return Some(WasmToolchain::Rustup);
    }
    let debian = ["/usr/bin/rustc", "/usr/bin/cargo", "/usr/bin/wasm-ld-19", "/usr/lib/rustlib/src"];
    debian.iter().all(|path| Path::new(path).exists()).then_some(WasmToolchain::Debian)
}

/// Installs what is missing for `needs`.
pub fn setup(needs: &[Need]) -> Result<()> {
    if needs.contains(&Need::Wasm) && wasm_toolchain().is_none() && succeeds(Command::new("rustup").arg("--version")) {
        step("adding the target wasm32-unknown-unknown");
        // Debian's packages are the other way.
        let _ = run(Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]));
    }
    install(needs)?;
    if needs.contains(&Need::Guests) {
        register_qemu();
    }
    Ok(())
}

/// Lets Linux start riscv64 programs by qemu-user, which the referee of the conformance tests needs: their programs start
/// programs of their own.
fn register_qemu() {
    const REGISTERED: &str = "/proc/sys/fs/binfmt_misc/qemu-riscv64";
    const FORMAT: &str = "/usr/lib/binfmt.d/qemu-riscv64.conf";
    if Path::new(REGISTERED).exists() {
        return;
    }
    step("registering qemu-user for riscv64 programs (binfmt_misc)");
    let script = format!(
        "[ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc; \
         cat {FORMAT} > /proc/sys/fs/binfmt_misc/register"
    );
    let mut command = Command::new(if is_root() { "sh" } else { "sudo" });
    if !is_root() {
        command.arg("sh");
    }
    if run(command.args(["-c", &script])).is_err() {
        eprintln!("it failed: tests that compare with Linux live will fail, too");
    }
}

/// Installs the packages that are missing.
fn install(needs: &[Need]) -> Result<()> {
    let mut missing = Vec::new();
    for package in needs.iter().flat_map(|need| need.packages()) {
        if !is_installed(package) {
            missing.push(*package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    step(&format!("installing {}", missing.join(" ")));
    if !succeeds(Command::new("apt-get").arg("--version")) {
        bail!(
            "apt-get is not there: on a host other than Debian, install yourself what corresponds to {}",
            missing.join(", ")
        );
    }
    apt(&["update"]).context("the package lists cannot be read")?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(missing);
    apt(&arguments)
}

/// Runs apt-get as root.
fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = if is_root() { Command::new("apt-get") } else { Command::new("sudo") };
    if !is_root() {
        command.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    }
    run(command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
}

/// Whether this process is root's.
pub fn is_root() -> bool {
    read(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

fn is_installed(package: &str) -> bool {
    let output = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]).output();
    output.is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}
