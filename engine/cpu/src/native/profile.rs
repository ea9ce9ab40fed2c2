//! Samples of all address spaces, by file: address spaces and their mappings are gone when a run is over.

use super::{Memfd, NativeSpace};
use crate::sampler::Sampler;
use friscy_boundary::ObjectId;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Samples are of a run's start while it has retired so many instructions.
const STARTUP: u64 = 1 << 26;

/// The most files that are told apart; each takes a descriptor of the host.
const MAX_FILES: usize = 1024;

/// The most places that are told apart.
const MAX_PLACES: usize = 1 << 20;

/// What samples at one place stand for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Place {
    /// Retired instructions.
    pub instructions: u64,
    /// Some of them were within the run's first 2^26.
    pub startup: bool,
    /// Some were later.
    pub steady: bool,
}

/// The samples in one file.
pub struct FileSamples {
    /// The object that it was mapped as.
    pub object: Option<ObjectId>,
    /// By byte offset in the file.
    pub places: BTreeMap<u64, Place>,
    file: Rc<Memfd>,
    version: u64,
}

impl FileSamples {
    /// The bytes of the file; nothing if it was changed since.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.file.len_bytes()).ok()?];
        let all = self.file.read(0, &mut bytes) == bytes.len();
        (all && self.file.version() == self.version && !self.file.guest_writes()).then_some(bytes)
    }
}

/// All samples.
#[derive(Default)]
pub struct Samples {
    /// Those in files.
    pub files: Vec<FileSamples>,
    /// Instructions that other samples stand for: in generated code, in files that may have been written to, or above
    /// the limits of files and places.
    pub elsewhere: u64,
    known: FxHashMap<(u64, u64), usize>,
    places: usize,
    total: u64,
}

impl Samples {
    fn add(
        &mut self,
        space: &NativeSpace,
        pc: u64,
        instructions: u64,
        object: impl Fn(&Rc<Memfd>) -> Option<ObjectId>,
    ) {
        self.total = self.total.saturating_add(instructions);
        let steady = self.total > STARTUP;
        match self.place(space, pc, object) {
            Some(place) => {
                place.instructions = place.instructions.saturating_add(instructions);
                place.startup |= !steady;
                place.steady |= steady;
            }
            None => self.elsewhere = self.elsewhere.saturating_add(instructions),
        }
    }

    fn place(
        &mut self,
        space: &NativeSpace,
        pc: u64,
        object: impl Fn(&Rc<Memfd>) -> Option<ObjectId>,
    ) -> Option<&mut Place> {
        let (file, offset) = space.code_file(pc)?;
        let key = (file.number(), file.version());
        let number = match self.known.get(&key) {
            Some(number) => *number,
            None if self.files.len() >= MAX_FILES => return None,
            None => {
                let (object, version) = (object(file), file.version());
                self.files.push(FileSamples { object, places: BTreeMap::new(), file: file.clone(), version });
                self.known.insert(key, self.files.len() - 1);
                self.files.len() - 1
            }
        };
        let places = &mut self.files.get_mut(number)?.places;
        if !places.contains_key(&offset) {
            if self.places >= MAX_PLACES {
                return None;
            }
            self.places += 1;
        }
        Some(places.entry(offset).or_default())
    }
}

/// Takes samples of what a [`super::NativeCpu`] runs.
#[derive(Clone, Default)]
pub struct Profiler {
    pub(super) sampler: Rc<RefCell<Sampler>>,
    samples: Rc<RefCell<Samples>>,
}

impl Profiler {
    /// All samples so far, which are forgotten.
    pub fn take(&self) -> Samples {
        self.samples.take()
    }

    /// Finds out what was sampled while `space` ran.
    pub(super) fn look(&self, space: &NativeSpace, objects: &BTreeMap<ObjectId, Rc<Memfd>>) {
        let mut samples = self.samples.borrow_mut();
        let object = |file: &Rc<Memfd>| objects.iter().find(|(_, other)| Rc::ptr_eq(other, file)).map(|(id, _)| *id);
        for sample in self.sampler.borrow_mut().take() {
            samples.add(space, sample.pc, sample.instructions, object);
        }
    }
}
