//! What a guest is told about its instruction set, derived from the extensions that the table has rows of.

use crate::table::{COMPRESSED, Extension, ROWS};

impl Extension {
    /// Every extension, in the order of the ISA string.
    pub const ALL: [Extension; 11] = [
        Extension::I,
        Extension::M,
        Extension::A,
        Extension::F,
        Extension::D,
        Extension::C,
        Extension::Zicsr,
        Extension::Zifencei,
        Extension::Zba,
        Extension::Zbb,
        Extension::Zbs,
    ];

    /// The name in an ISA string: one letter, or several that begin with `z`.
    pub const fn name(self) -> &'static str {
        match self {
            Extension::I => "i",
            Extension::M => "m",
            Extension::A => "a",
            Extension::F => "f",
            Extension::D => "d",
            Extension::C => "c",
            Extension::Zicsr => "zicsr",
            Extension::Zifencei => "zifencei",
            Extension::Zba => "zba",
            Extension::Zbb => "zbb",
            Extension::Zbs => "zbs",
        }
    }

    /// The extension's bit in the value that `riscv_hwprobe(2)` returns for `RISCV_HWPROBE_KEY_IMA_EXT_0`; zero for those
    /// that the key does not name on their own. `RISCV_HWPROBE_IMA_FD` stands for F and D together.
    const fn hwprobe_bit(self) -> u64 {
        match self {
            Extension::D => 1 << 0,
            Extension::C => 1 << 1,
            Extension::Zba => 1 << 3,
            Extension::Zbb => 1 << 4,
            Extension::Zbs => 1 << 5,
            _ => 0,
        }
    }
}

/// The extensions that the table has rows of, in the order of the ISA string.
pub fn extensions() -> impl Iterator<Item = Extension> {
    let has = |extension| ROWS.iter().chain(&COMPRESSED).any(|row| row.extension == extension);
    Extension::ALL.into_iter().filter(move |extension| has(*extension))
}

/// The ISA string, as the `isa` line of `/proc/cpuinfo` has it.
pub fn isa_string() -> String {
    let mut isa = String::from("rv64");
    for extension in extensions() {
        if extension.name().len() > 1 {
            isa.push('_');
        }
        isa.push_str(extension.name());
    }
    isa
}

/// The value of `AT_HWCAP`: one bit a single-letter extension, bit 0 for A (Linux `asm/hwcap.h`).
pub fn hwcap() -> u64 {
    let bit = |name: &str| match name.as_bytes() {
        [letter] => 1 << (letter - b'a'),
        _ => 0,
    };
    extensions().fold(0, |bits, extension| bits | bit(extension.name()))
}

/// The value of `RISCV_HWPROBE_KEY_IMA_EXT_0` in `riscv_hwprobe(2)`.
pub fn hwprobe_ima_ext_0() -> u64 {
    extensions().fold(0, |bits, extension| bits | extension.hwprobe_bit())
}
