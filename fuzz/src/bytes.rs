//! Programs whose code is given as bytes, as a fuzzer mutates them.

use crate::compare::{Totals, compare};
use crate::generate::surround;
use crate::memory::CODE_BYTES;
use crate::program::{Item, Program};
use crate::random::Random;
use crate::shrink::shrink;
use friscy_isa::{Inst, decode, disassemble, encode, len_bytes};

/// What registers, memory and runs are drawn from comes first.
const SEED_BYTES: usize = 8;

/// The code, an item an instruction or what is none; an odd byte at the end counts for nothing.
fn items(code: &[u8]) -> Vec<Item> {
    let half = |at: usize| code.get(at..at + 2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(low) = half(at) {
        let item = match half(at + 2) {
            Some(high) if len_bytes(low) == 4 => Item::Raw { bits: u32::from(low) | u32::from(high) << 16, len: 4 },
            _ => Item::Raw { bits: low.into(), len: 2 },
        };
        items.push(item);
        at += if matches!(item, Item::Raw { len: 4, .. }) { 4 } else { 2 };
    }
    items
}

/// Decoding, printing and encoding agree on an encoding.
fn check_encoding(bits: u32) -> Result<(), String> {
    let Some(inst) = decode(bits) else { return Ok(()) };
    let text = disassemble(&inst, 0x1_0000);
    let again = encode(&inst).ok_or_else(|| format!("{bits:#x} ({text}) cannot be encoded"))?;
    // Of several encodings in two bytes the first one is taken.
    if decode(again) != Some(Inst { bits: again, ..inst }) || inst.len == 4 && again != inst.bits {
        return Err(format!("{bits:#x} ({text}) becomes {again:#x}"));
    }
    Ok(())
}

/// Decodes code given as bytes, after eight that everything else of a program is drawn from, and compares its executions;
/// a difference is shrunk.
///
/// # Errors
/// What disagrees, with the text of the smallest program found.
pub fn check_bytes(bytes: &[u8], totals: &mut Totals) -> Result<(), String> {
    let Some((seed, code)) = bytes.split_first_chunk::<SEED_BYTES>() else { return Ok(()) };
    let items = items(code.get(..CODE_BYTES).unwrap_or(code));
    for item in &items {
        if let Item::Raw { bits, .. } = item {
            check_encoding(*bits)?;
        }
    }
    let program: Program = surround(Random(u64::from_le_bytes(*seed)), items);
    let Err(difference) = compare(&program, totals) else { return Ok(()) };
    let (program, difference) = shrink(program, difference);
    Err(format!("{program}# {difference}\n"))
}
