//! The text form: a line a fact.

use crate::model::{Block, Count, Module, ModuleId, Name, Phases, Profile};
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

/// The first line.
const FIRST: &str = "friscy profile 1";

/// Why a text is no profile.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TextError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Profile {
    /// The profile as text, which [`Profile::parse`] reads.
    #[must_use]
    pub fn print(&self) -> String {
        let mut text = format!("{FIRST}\n");
        // Writing into a string does not fail.
        let mut line = |word: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(text, "{word} {value}");
        };
        self.producers.iter().for_each(|name| line("producer", name));
        self.labels.iter().for_each(|name| line("label", name));
        line("retired", &self.retired);
        line("elsewhere", &self.elsewhere);
        for (id, module) in &self.modules {
            line("module", id);
            module.soname.iter().for_each(|name| line("soname", name));
            module.build_id.iter().for_each(|name| line("build-id", name));
            module.paths.iter().for_each(|name| line("path", name));
            for (Block { offset, len, hash, loose }, count) in &module.blocks {
                let phases = phases(count.phases);
                let value = format!("{offset:#x} {len} {hash:016x} {loose:016x} {} {phases}", count.instructions);
                line("block", &value);
            }
        }
        text
    }

    /// Reads the text form. Empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn parse(text: &str) -> Result<Profile, TextError> {
        let mut profile = Profile::default();
        let mut current: Option<ModuleId> = None;
        let mut begun = false;
        for (index, line) in text.lines().enumerate() {
            let wrong = |what| TextError { line: index + 1, what };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if !begun {
                if line != FIRST {
                    return Err(wrong("a profile in text begins with \"friscy profile 1\""));
                }
                begun = true;
                continue;
            }
            let (word, value) = line.split_once(' ').ok_or(wrong("a word, a space and a value are wanted"))?;
            let name = || Name::try_from(value.to_owned()).map_err(wrong);
            let number = || value.parse::<u64>().map_err(|_| wrong("a number below 2^64 is wanted"));
            let module = current.and_then(|id| profile.modules.get_mut(&id)).ok_or(wrong("there is no module before"));
            match word {
                "producer" => drop(profile.producers.insert(name()?)),
                "label" => drop(profile.labels.insert(name()?)),
                "retired" => profile.retired = number()?,
                "elsewhere" => profile.elsewhere = number()?,
                "module" => {
                    let id = ModuleId(hash(value).ok_or(wrong("a SHA-256 hash of 64 hexadecimal digits is wanted"))?);
                    match profile.modules.entry(id) {
                        Entry::Vacant(entry) => drop(entry.insert(Module::default())),
                        Entry::Occupied(_) => return Err(wrong("this module was there before")),
                    }
                    current = Some(id);
                }
                "soname" => module?.soname = Some(name()?),
                "build-id" => module?.build_id = Some(name()?),
                "path" => drop(module?.paths.insert(name()?)),
                "block" => {
                    let (block, count) =
                        block(value).ok_or(wrong("offset, length, two hashes, count and phases are wanted"))?;
                    if module?.blocks.insert(block, count).is_some() {
                        return Err(wrong("this block was there before"));
                    }
                }
                _ => return Err(wrong("an unknown word")),
            }
        }
        if begun { Ok(profile) } else { Err(TextError { line: 1, what: "the text is empty" }) }
    }
}

fn phases(phases: Phases) -> &'static str {
    match (phases.startup, phases.steady) {
        (true, true) => "startup,steady",
        (true, false) => "startup",
        (false, true) => "steady",
        (false, false) => "-",
    }
}

fn hash(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn block(value: &str) -> Option<(Block, Count)> {
    let mut words = value.split(' ');
    let hex = |word: &str| u64::from_str_radix(word, 16).ok();
    let offset = hex(words.next()?.strip_prefix("0x")?)?;
    let len = words.next()?.parse().ok()?;
    let (hash, loose) = (hex(words.next()?)?, hex(words.next()?)?);
    let instructions = words.next()?.parse().ok()?;
    let phases = match words.next()? {
        "startup,steady" => Phases { startup: true, steady: true },
        "startup" => Phases { startup: true, steady: false },
        "steady" => Phases { startup: false, steady: true },
        "-" => Phases::default(),
        _ => return None,
    };
    words.next().is_none().then_some((Block { offset, len, hash, loose }, Count { instructions, phases }))
}
