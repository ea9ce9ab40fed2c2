//! The GNU tools that the tests compare with.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A new path in cargo's folder for the files of tests.
pub fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unique = format!("isa-{}-{}-{name}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique)
}

/// Assembles a source with every extension of the table and returns the object file's path.
pub fn gnu_assemble(name: &str, source: &str) -> PathBuf {
    let input = scratch(&format!("{name}.s"));
    let output = scratch(&format!("{name}.o"));
    std::fs::write(&input, source).expect("the scratch folder is writable");
    let result = Command::new("riscv64-linux-gnu-as")
        .arg("-march=rv64gc_zba_zbb_zbs")
        .arg("-o")
        .args([&output, &input])
        .output()
        .expect("riscv64-linux-gnu-as is installed");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    std::fs::remove_file(input).expect("the source was written above");
    output
}

/// Copies the section `.text` of a file, without headers and symbols: `objdump` looks symbols up one by one for each line, which
/// takes long for large libraries.
pub fn text_section(file: &Path) -> PathBuf {
    let output = scratch("text");
    let result = Command::new("riscv64-linux-gnu-objcopy")
        .args(["-O", "binary", "-j", ".text"])
        .args([file, &output])
        .output()
        .expect("riscv64-linux-gnu-objcopy is installed");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    output
}

/// A line of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub pc: u64,
    pub bits: u32,
    pub len: u8,
    /// Mnemonic and operands, without symbols and comments; targets as our disassembler writes them.
    pub text: String,
}

/// What `objdump -d -M no-aliases` prints for a file, given further arguments.
pub fn objdump(file: &Path, arguments: &[&str]) -> Vec<Line> {
    let result = Command::new("riscv64-linux-gnu-objdump")
        .args(["-d", "-z", "-M", "no-aliases"])
        .args(arguments)
        .arg(file)
        .output()
        .expect("riscv64-linux-gnu-objdump is installed");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    String::from_utf8(result.stdout).expect("listings of code are ASCII").lines().filter_map(parse_line).collect()
}

/// Reads `   10d4:\t00b50063          \tbeq\ta0,a1,10e4 <symbol>`. Data that looks like an encoding longer than 32 bits is one
/// line, with its first 32 bits, whose continuations are left out.
fn parse_line(line: &str) -> Option<Line> {
    let (pc, rest) = line.split_once(":\t")?;
    let pc = u64::from_str_radix(pc.trim(), 16).ok()?;
    let (bits, text) = rest.split_once('\t')?;
    let bits = bits.split_whitespace().next()?;
    let len = u8::try_from(bits.len() / 2).ok()?;
    let bits = u32::from_str_radix(bits, 16).ok()?;
    let text = text.split(" #").next().unwrap_or_default();
    // A target with a symbol has no prefix.
    let text = match text.split_once(" <") {
        Some((head, _)) => {
            let start = head.rfind([',', '\t']).map_or(0, |at| at + 1);
            let (head, target) = head.split_at(start);
            format!("{head}0x{}", target.trim_start_matches("0x"))
        }
        None => text.trim_end().to_owned(),
    };
    Some(Line { pc, bits, len, text })
}
