//! File tests: each file under `filetests/` holds an input and, behind lines `---- <stage>`, the exact text of the region
//! after that stage.
//!
//! The input of a `.s` file is assembly, one instruction a line, with labels; branches name labels. Lines that begin with a
//! dot are directives: `.rounding dynamic`, `.one-block`, and `.targets` with the labels that jumps by registers lead to. The input of a `.ir` file is a region.
//!
//! With `FRISCY_BLESS=1` in the environment the stages that a file names are written anew. Read the difference like code.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

mod common;

use common::{CODE, Code};
use friscy_lift_ir::passes::{self, Inlining, Simplifier};
use friscy_lift_ir::{CodeSource, FetchFault, Lifter, Limits, Region, RoundingClass, text, verify};
use std::collections::BTreeMap;
use std::path::Path;

const FUNCTION: Limits = Limits { max_insts: 1000, max_blocks: 100, follow_calls_return_site: true };
const ONE_BLOCK: Limits = Limits { max_blocks: 1, ..FUNCTION };

/// Splits a line at the words that may be labels.
fn substitute(line: &str, at: i64, labels: &BTreeMap<&str, i64>) -> String {
    match line.rsplit_once([' ', ',']) {
        Some((_, last)) if labels.contains_key(last) => {
            format!("{}{}", &line[..line.len() - last.len()], labels[last] - at)
        }
        _ => line.to_string(),
    }
}

/// Code, with where its jumps by registers lead.
struct Led(Code, Vec<u64>);

impl CodeSource for Led {
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault> {
        self.0.fetch(pc)
    }

    fn jump_targets(&mut self, _: &Region) -> Vec<u64> {
        self.1.clone()
    }
}

fn assemble(source: &str) -> (Region, Led) {
    let mut labels = BTreeMap::new();
    let mut lines = Vec::new();
    let mut at = 0;
    let (mut limits, mut rounding, mut targets) = (FUNCTION, RoundingClass::Rne, "");
    for line in source.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(label) = line.strip_suffix(':') {
            labels.insert(label, at);
        } else if line == ".one-block" {
            limits = ONE_BLOCK;
        } else if line == ".rounding dynamic" {
            rounding = RoundingClass::Dynamic;
        } else if line == ".rounding invalid" {
            rounding = RoundingClass::Invalid;
        } else if let Some(names) = line.strip_prefix(".targets ") {
            targets = names;
        } else if !line.is_empty() {
            let len = if line.starts_with("c.") { 2 } else { 4 };
            lines.push((at, len, line));
            at += len;
        }
    }
    let mut code = Code::default();
    for (at, len, line) in lines {
        let line = substitute(line, at, &labels);
        let bits = friscy_isa::assemble(&line).unwrap_or_else(|e| panic!("`{line}`: {e}"));
        code.push(bits, len as u8);
    }
    let mut region = Region::new(CODE, rounding);
    let targets = targets.split(',').filter(|name| !name.is_empty()).map(|name| CODE + labels[name] as u64).collect();
    let mut code = Led(code, targets);
    Lifter::new().lift(CODE, rounding, &mut code, &limits, &mut region);
    (region, code)
}

/// Brings a region, lifted from `code`, to a stage.
fn run(stage: &str, region: &mut Region, code: &mut Led) {
    if let Some(rest) = stage.strip_prefix("inlined") {
        passes::inline_calls(region, &[], &Inlining::COMPILED, &mut Lifter::new(), code);
        return rest.strip_prefix(", ").into_iter().for_each(|rest| run(rest, region, code));
    }
    match stage {
        "lifted" => {}
        "simplified" => Simplifier::new().run(region),
        "promoted" => passes::promote(region),
        "optimised" => passes::optimise(region, &mut Simplifier::new()),
        "without redundant loads" => passes::remove_redundant_loads(region),
        "without dead sets" => passes::remove_dead_sets(region),
        "without dead code" => passes::remove_dead_code(region),
        _ => panic!("there is no stage `{stage}`"),
    }
}

/// What the file should hold.
fn expected(path: &Path, content: &str) -> String {
    let mut parts = content.split("---- ");
    let input = parts.next().unwrap_or_default();
    let mut out = input.to_string();
    for part in parts {
        let stage = part.lines().next().unwrap_or_default().trim();
        let (mut region, mut code) = match path.extension().and_then(|e| e.to_str()) {
            Some("s") => assemble(input),
            _ => {
                let region = text::parse(input).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                (region, Led(Code::default(), Vec::new()))
            }
        };
        run(stage, &mut region, &mut code);
        if let Err(e) = verify::verify(&region) {
            panic!("{}, {stage}: {e}\n{region}", path.display());
        }
        let printed = text::print(&region);
        let parsed = text::parse(&printed).unwrap_or_else(|e| panic!("{}, {stage}: {e}", path.display()));
        assert_eq!(text::print(&parsed), printed, "{}, {stage}: does not round-trip", path.display());
        out.push_str(&format!("---- {stage}\n{printed}\n"));
    }
    format!("{}\n", out.trim_end())
}

fn check(path: &Path) {
    let content = std::fs::read_to_string(path).expect("a file test can be read");
    let want = expected(path, &content);
    if std::env::var_os("FRISCY_BLESS").is_some() {
        std::fs::write(path, want).expect("a file test can be written");
    } else {
        assert_eq!(content, want, "{} differs; FRISCY_BLESS=1 writes it anew", path.display());
    }
}

#[test]
fn files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of file tests can be read") {
        check(&entry.expect("an entry").path());
        count += 1;
    }
    assert!(count >= 10, "only {count} file tests were found");
}
