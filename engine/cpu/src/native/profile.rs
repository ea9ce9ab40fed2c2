//! Samples of all address spaces of a [`super::NativeCpu`], by file.

use super::{Memfd, NativeSpace};
use friscy_boundary::{ObjectId, Sampler, Samples};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A file that code was sampled in.
pub struct SampledFile {
    /// The object that it was mapped as.
    pub object: Option<ObjectId>,
    file: Rc<Memfd>,
    version: u64,
}

impl SampledFile {
    /// The bytes of the file; nothing if it was changed since.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.file.len_bytes()).ok()?];
        let all = self.file.read(0, &mut bytes) == bytes.len();
        (all && self.file.version() == self.version && !self.file.guest_writes()).then_some(bytes)
    }
}

/// All samples, by number and version of the file.
type FileSamples = Samples<(u64, u64), SampledFile>;

/// Takes samples of what a [`super::NativeCpu`] runs.
#[derive(Clone, Default)]
pub struct Profiler {
    pub(super) sampler: Rc<RefCell<Sampler>>,
    samples: Rc<RefCell<FileSamples>>,
}

impl Profiler {
    /// All samples so far, which are forgotten.
    pub fn take(&self) -> FileSamples {
        self.samples.take()
    }

    /// Finds out what was sampled while `space` ran.
    pub(super) fn look(&self, space: &NativeSpace, objects: &BTreeMap<ObjectId, Rc<Memfd>>) {
        let mut samples = self.samples.borrow_mut();
        for sample in self.sampler.borrow_mut().take() {
            let found = sample.pc.and_then(|pc| space.code_file(pc));
            let at = found.map(|(file, offset)| {
                let version = file.version();
                let kept = move || {
                    let object = objects.iter().find(|(_, other)| Rc::ptr_eq(other, file)).map(|(id, _)| *id);
                    SampledFile { object, file: file.clone(), version }
                };
                ((file.number(), version), offset, kept)
            });
            samples.add(sample, at);
        }
    }
}
