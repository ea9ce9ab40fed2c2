//! Who is measured: friscy's tiers and what they are compared with.

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// What of friscy executes guest code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Tier {
    /// As the first `friscy run` does: hot code is compiled.
    Jit,
    /// As later runs do: what earlier ones ran is compiled already. They are run before anything is measured.
    Later,
    /// `friscy run --tier interp`: nothing is compiled.
    Interp,
    /// The web engine, as the page has it, under node; for kernels only.
    V8,
    /// The page in headless Chromium; for kernels only.
    Chromium,
}

impl Tier {
    /// Whether it is the web engine.
    pub fn is_web(self) -> bool {
        matches!(self, Tier::V8 | Tier::Chromium)
    }
}

/// What friscy is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Baseline {
    /// x86-64 code of `gcc -O2`, which percents are of; it is always measured.
    Native,
    /// That without vectors: `-fno-tree-vectorize`.
    Scalar,
    /// The scalar one with fused multiply-adds, which the guest has too: `-mfma`; for floating point only.
    Fma,
    /// `clang -O2`.
    Clang,
    /// That without vectors: `-fno-vectorize -fno-slp-vectorize`.
    ClangScalar,
    /// The guest's program under qemu-user.
    Qemu,
    /// Compiled straight to wasm by `clang -O2` and run under node, all of it compiled by V8's optimising compiler before
    /// it starts. V8 does not replace a function that runs, so that otherwise a kernel of one long call would be measured
    /// as V8's quick compiler makes it. What a kernel of system calls needs, WASI does not have.
    Wasm,
    /// The same program as V8 compiles it by default: quickly at first, and better what is called often.
    WasmTiered,
}

/// One of either.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contender {
    /// friscy.
    Friscy(Tier),
    /// Another.
    Other(Baseline),
}

/// Native code, the base of percents.
pub const NATIVE: Contender = Contender::Other(Baseline::Native);
/// Native code without vectors, the other base of percents for floating point.
pub const SCALAR: Contender = Contender::Other(Baseline::Scalar);
/// What is compiled straight to wasm, the other base of percents for what V8 runs.
pub const WASM: Contender = Contender::Other(Baseline::Wasm);

impl Contender {
    /// Its name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Friscy(Tier::Jit) => "jit",
            Contender::Friscy(Tier::Later) => "later",
            Contender::Friscy(Tier::Interp) => "interp",
            Contender::Friscy(Tier::V8) => "v8",
            Contender::Friscy(Tier::Chromium) => "chromium",
            Contender::Other(Baseline::Native) => "native",
            Contender::Other(Baseline::Scalar) => "scalar",
            Contender::Other(Baseline::Fma) => "fma",
            Contender::Other(Baseline::Clang) => "clang",
            Contender::Other(Baseline::ClangScalar) => "clang-scalar",
            Contender::Other(Baseline::Qemu) => "qemu",
            Contender::Other(Baseline::Wasm) => "wasm",
            Contender::Other(Baseline::WasmTiered) => "wasm-tiered",
        }
    }

    /// What the head of its column says.
    pub fn title(self) -> &'static str {
        match self {
            Contender::Friscy(Tier::Jit) => "friscy",
            Contender::Friscy(Tier::Later) => "friscy, later runs",
            Contender::Friscy(Tier::Interp) => "friscy, interpreted",
            Contender::Friscy(Tier::V8) => "friscy in V8",
            Contender::Friscy(Tier::Chromium) => "friscy in Chromium",
            Contender::Other(Baseline::Scalar) => "gcc, scalar",
            Contender::Other(Baseline::Fma) => "gcc, scalar, fma",
            Contender::Other(Baseline::Clang) => "clang",
            Contender::Other(Baseline::ClangScalar) => "clang, scalar",
            Contender::Other(Baseline::Qemu) => "qemu-user",
            Contender::Other(Baseline::Wasm) => "wasm",
            Contender::Other(Baseline::WasmTiered) => "wasm, tiered",
            Contender::Other(Baseline::Native) => "native",
        }
    }

    /// Whether it is wasm that V8 runs. Its command tells what the program took by itself (`web/bench/clock.mjs`).
    pub fn in_v8(self) -> bool {
        match self {
            Contender::Friscy(tier) => tier.is_web(),
            Contender::Other(baseline) => matches!(baseline, Baseline::Wasm | Baseline::WasmTiered),
        }
    }
}

impl Serialize for Contender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A contender and the command that is run for it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who it is.
    pub contender: Contender,
    /// The program and its arguments.
    pub command: Vec<String>,
}

impl Entry {
    /// An entry; empty words are none.
    pub fn new(contender: Contender, words: &[&str]) -> Entry {
        Entry { contender, command: words.iter().map(|&word| word.to_owned()).collect() }
    }
}

/// Who takes part in a run.
#[derive(Clone, Debug)]
pub struct Field {
    /// friscy's tiers.
    pub tiers: Vec<Tier>,
    /// The others, native code first and each once.
    pub baselines: Vec<Baseline>,
}

/// What this host has.
pub struct Host<'a> {
    /// Whether there is a program of that name.
    pub installed: &'a dyn Fn(&str) -> bool,
    /// Whether the processor multiplies and adds in one.
    pub fused: bool,
    /// Whether programs can be compiled for WASI.
    pub wasi: &'a dyn Fn() -> bool,
    /// Whether the web runtime was built, and friscy-pack.
    pub web: bool,
}

impl Host<'_> {
    /// Why a contender cannot run here, if so.
    fn lacks(&self, contender: Contender) -> Option<&'static str> {
        let installed = self.installed;
        match contender {
            Contender::Other(Baseline::Clang | Baseline::ClangScalar) if !installed("clang") => {
                Some("there is no clang here (Debian: clang)")
            }
            Contender::Other(Baseline::Qemu) if !installed(crate::places::QEMU) => {
                Some("there is no qemu-riscv64-static here (Debian: qemu-user-static)")
            }
            Contender::Other(Baseline::Fma) if !self.fused => Some("this processor has no fused multiply-add"),
            _ if contender.in_v8() && !installed(&crate::places::node()) => {
                Some("there is no node here (Debian: nodejs)")
            }
            Contender::Other(Baseline::Wasm | Baseline::WasmTiered) if !(self.wasi)() => Some(
                "there is no compiler for wasm32-wasi here (Debian: clang, lld, wasi-libc, libclang-rt-dev-wasm32)",
            ),
            Contender::Friscy(Tier::V8) if !self.web => Some(
                "the web runtime or friscy-pack is not there: `cargo xtask web`, `cargo build --release -p friscy-pack`",
            ),
            _ => None,
        }
    }
}

impl Field {
    /// Those that were asked for and can run here, and a sentence about each of those that cannot.
    pub fn choose(tiers: &[Tier], asked: &[Baseline], host: &Host<'_>) -> (Field, Vec<String>) {
        let mut field = Field { tiers: Vec::new(), baselines: vec![Baseline::Native] };
        let mut notes = Vec::new();
        let mut able = |contender: Contender| {
            let lack = host.lacks(contender);
            notes.extend(lack.map(|lack| format!("{} is not measured: {lack}", contender.title())));
            lack.is_none()
        };
        for &tier in tiers {
            if !field.tiers.contains(&tier) && able(Contender::Friscy(tier)) {
                field.tiers.push(tier);
            }
        }
        for &baseline in asked {
            if !field.baselines.contains(&baseline) && able(Contender::Other(baseline)) {
                field.baselines.push(baseline);
            }
        }
        (field, notes)
    }

    /// Whether a baseline takes part.
    pub fn has(&self, baseline: Baseline) -> bool {
        self.baselines.contains(&baseline)
    }

    /// friscy's tiers that run whole root file systems here: those of `friscy run`.
    pub fn native_tiers(&self) -> impl Iterator<Item = Tier> {
        self.tiers.iter().copied().filter(|tier| !tier.is_web())
    }

    /// Whether V8 runs somebody.
    pub fn has_v8(&self) -> bool {
        let tiers = self.tiers.iter().map(|&tier| Contender::Friscy(tier));
        tiers.chain(self.baselines.iter().map(|&baseline| Contender::Other(baseline))).any(Contender::in_v8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_code_always_takes_part_and_what_is_missing_is_told() {
        let asked = [Baseline::Clang, Baseline::Qemu, Baseline::Fma, Baseline::Qemu];
        let host = Host { installed: &|name| name != "clang", fused: false, wasi: &|| true, web: false };
        let (field, notes) = Field::choose(&[Tier::Jit, Tier::V8, Tier::Jit], &asked, &host);
        assert_eq!(field.tiers, [Tier::Jit]);
        assert_eq!(field.baselines, [Baseline::Native, Baseline::Qemu]);
        assert!(!field.has_v8());
        assert_eq!(
            notes,
            [
                "friscy in V8 is not measured: the web runtime or friscy-pack is not there: `cargo xtask web`, `cargo build \
                 --release -p friscy-pack`",
                "clang is not measured: there is no clang here (Debian: clang)",
                "gcc, scalar, fma is not measured: this processor has no fused multiply-add"
            ]
        );
    }

    #[test]
    fn what_v8_runs_needs_node_and_a_compiler() {
        let (asked, host) = ([Baseline::Wasm], |name: &str| name == "node");
        let choose = |installed: &dyn Fn(&str) -> bool, wasi: bool| {
            let host = Host { installed, fused: false, wasi: &|| wasi, web: true };
            let (field, notes) = Field::choose(&[Tier::V8], &asked, &host);
            (field.tiers.len(), field.baselines.len(), notes.len(), field.has_v8(), field.native_tiers().count())
        };
        assert_eq!(choose(&host, true), (1, 2, 0, true, 0));
        assert_eq!(choose(&host, false), (1, 1, 1, true, 0));
        assert_eq!(choose(&|_| false, true), (0, 1, 2, false, 0));
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for tier in Tier::value_variants() {
            let value = tier.to_possible_value();
            assert_eq!(
                value.map(|value| value.get_name().to_owned()).as_deref(),
                Some(Contender::Friscy(*tier).name())
            );
        }
        for baseline in Baseline::value_variants() {
            let value = baseline.to_possible_value();
            assert_eq!(
                value.map(|value| value.get_name().to_owned()).as_deref(),
                Some(Contender::Other(*baseline).name())
            );
        }
    }
}
