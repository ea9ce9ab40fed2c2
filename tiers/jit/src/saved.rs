//! Code as bytes that another process can have again: a head, the code, and what is known of its accesses, which is read when
//! one of them faults.

use crate::compile::Finished;
use crate::fault::Faults;
use crate::symbol::Reloc;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;

/// What comes before the code.
#[derive(Serialize, Deserialize)]
struct Head {
    entries: Vec<u64>,
    relocs: Vec<Reloc>,
    code_len: u32,
}

/// What is known of a region's accesses.
#[derive(Clone, Debug)]
pub(crate) struct Accesses {
    /// As bytes, until it is needed.
    saved: Bytes,
    faults: OnceCell<Faults>,
}

impl From<Faults> for Accesses {
    fn from(faults: Faults) -> Accesses {
        Accesses { saved: Bytes::new(), faults: OnceCell::from(faults) }
    }
}

impl Accesses {
    /// # Panics
    /// If the bytes are not what [`save`] wrote. Who keeps them makes sure that they are.
    pub(crate) fn faults(&self) -> &Faults {
        self.faults.get_or_init(|| postcard::from_bytes(&self.saved).expect("what was saved"))
    }
}

/// A region's code as bytes; nothing if it is too long.
pub(crate) fn save(finished: &Finished) -> Option<Vec<u8>> {
    let Finished { code, relocs, entries, .. } = finished;
    let code_len = u32::try_from(code.len()).ok()?;
    let head = Head { entries: entries.clone(), relocs: relocs.clone(), code_len };
    let mut bytes = postcard::to_allocvec(&head).ok()?;
    bytes.extend(code);
    if finished.accesses.saved.is_empty() {
        bytes.extend(postcard::to_allocvec(finished.accesses.faults()).ok()?);
    } else {
        bytes.extend(&finished.accesses.saved);
    }
    Some(bytes)
}

/// What [`save`] made bytes of; nothing if these are none.
pub(crate) fn restore(saved: &Bytes) -> Option<Finished> {
    let (Head { entries, relocs, code_len }, rest) = postcard::take_from_bytes::<Head>(saved).ok()?;
    let (code, faults) = rest.split_at_checked(code_len as usize)?;
    if relocs.iter().any(|reloc| reloc.place().end > code.len()) {
        return None;
    }
    let accesses = Accesses { saved: saved.slice_ref(faults), faults: OnceCell::new() };
    Some(Finished { code: code.to_vec(), relocs, entries, accesses, attempts: 0, stores: 0 })
}
