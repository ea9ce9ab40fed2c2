//! The wasm of small guest functions, to the letter: for each file `pinned/NAME.s`, an instruction a line with numbers for
//! offsets of branches and a line `.targets` with where jumps by registers lead, `pinned/NAME.wat` has the module, with how many bytes and instructions its function has.
//!
//! With `FRISCY_BLESS=1` in the environment the texts are written anew. Read the difference like code.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests run on the host")]

use friscy_lift_ir::passes::{Simplifier, optimise};
use friscy_lift_ir::{CodeSource, FetchFault, Lifter, Limits, Region, RoundingClass};
use friscy_wasm::{AccessForm, Features, inspect};
use std::collections::BTreeMap;
use std::path::Path;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

const START: u64 = 0x1_0000;
const FUNCTION: Limits = Limits { max_insts: 1000, max_blocks: 100, follow_calls_return_site: true };

struct Code {
    words: BTreeMap<u64, u32>,
    targets: Vec<u64>,
}

impl CodeSource for Code {
    fn fetch(&mut self, pc: u64) -> Result<u32, FetchFault> {
        self.words.get(&pc).copied().ok_or(FetchFault)
    }

    fn jump_targets(&mut self, _: &Region) -> Vec<u64> {
        self.targets.clone()
    }
}

fn region(source: &str) -> Region {
    let lines = source.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let (directives, lines): (Vec<&str>, Vec<&str>) =
        lines.filter(|line| !line.is_empty()).partition(|line| line.starts_with('.'));
    let targets = directives.iter().filter_map(|line| line.strip_prefix(".targets ")).flat_map(|list| list.split(", "));
    let targets = targets.map(|offset| START + offset.parse::<u64>().expect("an offset")).collect();
    let words =
        lines.into_iter().map(|line| friscy_isa::assemble(line).unwrap_or_else(|error| panic!("`{line}`: {error}")));
    let mut code = Code { words: (START..).step_by(4).zip(words).collect(), targets };
    let mut region = Region::new(START, RoundingClass::Rne);
    Lifter::new().lift(START, RoundingClass::Rne, &mut code, &FUNCTION, &mut region);
    optimise(&mut region, &mut Simplifier::new());
    region
}

/// How many bytes and instructions the last function of a module has.
fn size(module: &[u8]) -> (usize, usize) {
    let mut size = (0, 0);
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CodeSectionEntry(body) = payload.expect("a valid module") {
            let operators = body.get_operators_reader().expect("a valid function");
            size = (body.range().len(), operators.into_iter().count());
        }
    }
    size
}

#[test]
fn modules_are_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pinned");
    let mut sources: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("a file").path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "s"));
    sources.sort();
    assert!(sources.len() >= 6, "few files in {}", folder.display());
    for path in sources {
        let region = region(&std::fs::read_to_string(&path).expect("a text"));
        let module = inspect(&region, Features { fused: true }, AccessForm::Checked).expect("a module");
        let features = WasmFeatures::WASM2 | WasmFeatures::TAIL_CALL | WasmFeatures::RELAXED_SIMD;
        Validator::new_with_features(features).validate_all(&module).expect("a valid module");
        let (bytes, instructions) = size(&module);
        let text = wasmprinter::print_bytes(&module).expect("a text");
        let text = format!(";; {bytes} bytes, {instructions} instructions\n{text}");
        let expected = path.with_extension("wat");
        if std::env::var_os("FRISCY_BLESS").is_some() {
            std::fs::write(&expected, &text).expect("the text can be written");
        }
        let known = std::fs::read_to_string(&expected).unwrap_or_default();
        assert!(known == text, "{} is not what is made now:\n{text}", expected.display());
    }
}
