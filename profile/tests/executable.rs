//! What profiles see of an ELF file: one made by hand, and random changes of it.

use friscy_profile::{BadElf, Block, Count, Executable, Module, Staleness, check};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Where the code is in the file and in memory.
const OFFSET: u64 = 64 + 2 * 56;
const ADDRESS: u64 = 0x1_0000 + OFFSET;

/// An ELF file with a segment of data and one of code.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [ADDRESS, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 2, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for (flags, offset, address, len) in [(6_u32, 0, 0x9000, 16), (5, OFFSET, ADDRESS, code.len() as u64)] {
        file.extend(1_u32.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [offset, address, address, len, len, 0x1000] {
            file.extend(word.to_le_bytes());
        }
    }
    file.extend(code);
    file
}

/// `addi a0,a0,1`; `c.addi a0,2`; `bnez a0,-6`; `c.nop`; `ecall`; no instruction.
const CODE: [u8; 20] = [
    0x13, 0x05, 0x15, 0x00, 0x09, 0x05, 0xe3, 0x1d, 0x05, 0xfe, 0x01, 0x00, 0x73, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff,
    0xff,
];

fn block(executable: &Executable, offset: u64) -> Option<(u64, u32)> {
    executable.block(ADDRESS + offset).map(|block| (block.offset - ADDRESS, block.len))
}

#[test]
fn blocks_end_at_branches_and_traps() {
    let executable = Executable::parse(&elf(243, &CODE)).unwrap();
    assert_eq!(executable.address(OFFSET + 4), Some(ADDRESS + 4));
    assert_eq!(executable.address(0), None);
    assert_eq!(block(&executable, 0), Some((0, 10)));
    assert_eq!(block(&executable, 4), Some((4, 6)));
    assert_eq!(block(&executable, 10), Some((10, 6)));
    for nothing in [16, 18, 20, 1 << 40] {
        assert_eq!(block(&executable, nothing), None, "{nothing}");
    }
    assert_eq!(executable.code(ADDRESS + 16, 4), Some(&CODE[16..]));
    assert_eq!(executable.code(ADDRESS + 16, 5), None);
}

#[test]
fn what_changed_is_told_from_what_is_alike() {
    let old = Executable::parse(&elf(243, &CODE)).unwrap();
    let count = |instructions| Count { instructions, ..Count::default() };
    let blocks: BTreeMap<Block, Count> =
        [(0, 70), (4, 20), (10, 10)].map(|(at, n)| (old.block(ADDRESS + at).unwrap(), count(n))).into();
    let module = Module { blocks, ..Module::default() };
    assert_eq!(check(&module, &old), Staleness { instructions: 100, same: 100, alike: 0 });
    // Another immediate in the first instruction, another instruction before the trap.
    let mut code = CODE;
    (code[2], code[10]) = (0x25, 0x05);
    let new = Executable::parse(&elf(243, &code)).unwrap();
    assert_ne!(new.id, old.id);
    assert_eq!(check(&module, &new), Staleness { instructions: 100, same: 20, alike: 80 });
}

#[test]
fn other_files_are_refused() {
    let error = |bytes: &[u8]| Executable::parse(bytes).unwrap_err();
    assert!(matches!(error(b""), BadElf::Elf(_)));
    assert_eq!(error(&elf(62, &CODE)), BadElf::Machine);
    assert_eq!(error(&elf(243, &[])), BadElf::NoCode);
    let whole = elf(243, &CODE);
    let cut = error(&whole[..whole.len() - 1]).to_string();
    assert_eq!(cut, "not an ELF file: an executable segment lies beyond its end");
}

proptest! {
    #[test]
    fn random_changes_do_not_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut file = elf(243, &CODE);
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Ok(executable) = Executable::parse(&file) {
            for at in [0, 1, OFFSET, ADDRESS, ADDRESS + 3, u64::MAX] {
                let _ = (executable.address(at), executable.block(at), executable.function(at));
            }
        }
    }
}
