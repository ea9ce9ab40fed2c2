//! Samples of all address spaces, by file of the image.

use crate::areas::Areas;
use crate::object::Object;
use friscy_boundary::{Backing, ObjectId, Sampler, Samples};
use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A file of the image that code was sampled in.
pub struct SampledFile {
    /// The object that it was mapped as.
    pub object: ObjectId,
    /// Where its contents begin in what the image's files lie in.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
}

#[derive(Default)]
struct Recorded {
    sampler: Sampler,
    samples: Samples<ObjectId, SampledFile>,
}

/// Takes samples of what a [`crate::WebCpu`] has its address spaces run.
#[derive(Clone, Default)]
pub struct Profiler(Rc<RefCell<Recorded>>);

impl Profiler {
    /// All samples so far.
    pub fn samples(&self) -> Ref<'_, Samples<ObjectId, SampledFile>> {
        Ref::map(self.0.borrow(), |recorded| &recorded.samples)
    }

    /// The sampler, to go with a run.
    pub(crate) fn sampler(&self) -> Sampler {
        self.0.borrow().sampler.clone()
    }

    /// Takes it back, and finds out what was sampled in an address space with these areas.
    pub(crate) fn look(&self, mut sampler: Sampler, areas: &Areas, objects: &BTreeMap<ObjectId, Object>) {
        let mut recorded = self.0.borrow_mut();
        for sample in sampler.take() {
            let at = sample.pc.and_then(|pc| {
                let Backing::Private { object, offset } = areas.at(pc)? else { return None };
                let held = objects.get(&object)?;
                let (start, len) = (held.file?, held.len());
                Some((object, offset, move || SampledFile { object, start, len }))
            });
            recorded.samples.add(sample, at);
        }
        recorded.sampler = sampler;
    }
}
