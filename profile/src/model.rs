//! What a profile is, and how profiles are merged.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU64;

/// Text without control characters, so that it fits in a line: a label, or a hint.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The text, control characters replaced by U+FFFD.
    #[must_use]
    pub fn new(text: &str) -> Name {
        Name(text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Name, &'static str> {
        if text.chars().any(char::is_control) { Err("a name with control characters") } else { Ok(Name(text)) }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identifies a module: the SHA-256 hash of its executable bytes ([`crate::Executable`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ModuleId(pub [u8; 32]);

impl fmt::Display for ModuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// When code was executed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Phases {
    /// While the run started: within its first 2^26 instructions.
    pub startup: bool,
    /// After that.
    pub steady: bool,
}

/// A basic block: its bytes are from one jump target to the next instruction that may continue elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Block {
    /// Its address as the module's ELF headers count (`p_vaddr`): in a shared object and a position-independent
    /// executable the offset from where it is loaded.
    pub offset: u64,
    /// Bytes.
    pub len: u32,
    /// Hash of the bytes: the first eight of their SHA-256, as a big-endian number.
    pub hash: u64,
    /// The same of the mnemonics, each with a line feed: it stays when only registers and immediates change.
    pub loose: u64,
}

/// How often a block was executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    /// Retired instructions that samples at the block stand for; 0 if it ran and no sample was taken.
    pub instructions: u64,
    /// When they were.
    pub phases: Phases,
}

impl Count {
    /// Adds another count, saturating.
    pub fn add(&mut self, other: Count) {
        self.instructions = self.instructions.saturating_add(other.instructions);
        self.phases.startup |= other.phases.startup;
        self.phases.steady |= other.phases.steady;
    }
}

/// What was executed of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Module {
    /// Hint: `DT_SONAME`.
    pub soname: Option<Name>,
    /// Hint: the GNU build-id in hexadecimal digits.
    pub build_id: Option<Name>,
    /// Hints: where it was in the guest.
    pub paths: BTreeSet<Name>,
    /// Its blocks.
    pub blocks: BTreeMap<Block, Count>,
}

impl Module {
    /// Instructions of all blocks, saturating.
    #[must_use]
    pub fn instructions(&self) -> u64 {
        self.blocks.values().fold(0, |sum, count| sum.saturating_add(count.instructions))
    }

    /// Where blocks begin of which at least so many instructions were counted.
    #[must_use]
    pub fn sampled(&self, instructions: u64) -> BTreeSet<u64> {
        let counted = self.blocks.iter().filter(|(_, count)| count.instructions >= instructions);
        counted.map(|(block, _)| block.offset).collect()
    }

    /// Where all blocks begin that ran; none if only those are known that were sampled.
    #[must_use]
    pub fn ran(&self) -> BTreeSet<u64> {
        if self.blocks.values().all(|count| count.instructions > 0) { BTreeSet::new() } else { self.sampled(0) }
    }

    /// A name for people: a path, else the soname.
    #[must_use]
    pub fn title(&self) -> &str {
        self.paths.first().or(self.soname.as_ref()).map_or("(no name)", Name::as_str)
    }

    fn merge(&mut self, other: &Module) {
        let least = |a: &Option<Name>, b: &Option<Name>| a.iter().chain(b).min().cloned();
        self.soname = least(&self.soname, &other.soname);
        self.build_id = least(&self.build_id, &other.build_id);
        self.paths.extend(other.paths.iter().cloned());
        for (block, count) in &other.blocks {
            self.blocks.entry(*block).or_default().add(*count);
        }
    }
}

/// A profile.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// What wrote it, with its version.
    pub producers: BTreeSet<Name>,
    /// What was run.
    pub labels: BTreeSet<Name>,
    /// Retired instructions of the run.
    pub retired: u64,
    /// Instructions that samples outside of modules stand for: generated code, files that are no ELF files or changed.
    pub elsewhere: u64,
    /// What was executed.
    pub modules: BTreeMap<ModuleId, Module>,
}

impl Profile {
    /// Instructions of all blocks, saturating.
    #[must_use]
    pub fn instructions(&self) -> u64 {
        self.modules.values().fold(0, |sum, module| sum.saturating_add(module.instructions()))
    }

    /// The same with all counts multiplied, saturating.
    #[must_use]
    pub fn weighted(mut self, weight: NonZeroU64) -> Profile {
        let scale = |count: &mut u64| *count = count.saturating_mul(weight.get());
        scale(&mut self.retired);
        scale(&mut self.elsewhere);
        let blocks = self.modules.values_mut().flat_map(|module| module.blocks.values_mut());
        blocks.for_each(|count| scale(&mut count.instructions));
        self
    }

    /// Adds another profile. The order in which several are merged makes no difference.
    pub fn merge(&mut self, other: &Profile) {
        self.producers.extend(other.producers.iter().cloned());
        self.labels.extend(other.labels.iter().cloned());
        self.retired = self.retired.saturating_add(other.retired);
        self.elsewhere = self.elsewhere.saturating_add(other.elsewhere);
        for (id, module) in &other.modules {
            self.modules.entry(*id).or_default().merge(module);
        }
    }
}
