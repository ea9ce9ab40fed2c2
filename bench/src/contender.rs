//! Who is measured: friscy's tiers and what they are compared with.

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// What of friscy executes guest code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Tier {
    /// As `friscy run` does: hot code is compiled.
    Jit,
    /// `friscy run --tier interp`: nothing is compiled.
    Interp,
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

impl Contender {
    /// Its name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Friscy(Tier::Jit) => "jit",
            Contender::Friscy(Tier::Interp) => "interp",
            Contender::Other(Baseline::Native) => "native",
            Contender::Other(Baseline::Scalar) => "scalar",
            Contender::Other(Baseline::Fma) => "fma",
            Contender::Other(Baseline::Clang) => "clang",
            Contender::Other(Baseline::ClangScalar) => "clang-scalar",
            Contender::Other(Baseline::Qemu) => "qemu",
        }
    }

    /// What the head of its column says.
    pub fn title(self) -> &'static str {
        match self {
            Contender::Friscy(Tier::Jit) => "friscy",
            Contender::Friscy(Tier::Interp) => "friscy, interpreted",
            Contender::Other(Baseline::Scalar) => "gcc, scalar",
            Contender::Other(Baseline::Fma) => "gcc, scalar, fma",
            Contender::Other(Baseline::Clang) => "clang",
            Contender::Other(Baseline::ClangScalar) => "clang, scalar",
            Contender::Other(Baseline::Qemu) => "qemu-user",
            Contender::Other(Baseline::Native) => "native",
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

impl Field {
    /// Those that were asked for and can run here, and a sentence about each of those that cannot.
    /// `installed` says whether there is a program of that name, `fused` whether the processor multiplies and adds in one.
    pub fn choose(
        tiers: &[Tier],
        asked: &[Baseline],
        installed: impl Fn(&str) -> bool,
        fused: bool,
    ) -> (Field, Vec<String>) {
        let mut field = Field { tiers: Vec::new(), baselines: vec![Baseline::Native] };
        let mut notes = Vec::new();
        for &tier in tiers {
            if !field.tiers.contains(&tier) {
                field.tiers.push(tier);
            }
        }
        for &baseline in asked {
            let missing = match baseline {
                Baseline::Clang | Baseline::ClangScalar if !installed("clang") => {
                    Some("there is no clang here (Debian: clang)")
                }
                Baseline::Qemu if !installed(crate::places::QEMU) => {
                    Some("there is no qemu-riscv64-static here (Debian: qemu-user-static)")
                }
                Baseline::Fma if !fused => Some("this processor has no fused multiply-add"),
                _ => None,
            };
            match missing {
                Some(missing) => {
                    notes.push(format!("{} is not measured: {missing}", Contender::Other(baseline).title()))
                }
                None if field.baselines.contains(&baseline) => {}
                None => field.baselines.push(baseline),
            }
        }
        (field, notes)
    }

    /// Whether a baseline takes part.
    pub fn has(&self, baseline: Baseline) -> bool {
        self.baselines.contains(&baseline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_code_always_takes_part_and_what_is_missing_is_told() {
        let asked = [Baseline::Clang, Baseline::Qemu, Baseline::Fma, Baseline::Qemu];
        let (field, notes) = Field::choose(&[Tier::Jit, Tier::Jit], &asked, |name| name != "clang", false);
        assert_eq!(field.tiers, [Tier::Jit]);
        assert_eq!(field.baselines, [Baseline::Native, Baseline::Qemu]);
        assert_eq!(
            notes,
            [
                "clang is not measured: there is no clang here (Debian: clang)",
                "gcc, scalar, fma is not measured: this processor has no fused multiply-add"
            ]
        );
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
