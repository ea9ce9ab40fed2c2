//! Random changes of the list of mappings, compared with a table of pages.

use super::{anonymous, empty_kernel};
use crate::Kernel;
use crate::cpu::ObjectRef;
use crate::mm::{MapRequest, Mm, VmaBacking, VmaFlags};
use crate::ports::{Entropy, SeededEntropy};
use friscy_abi::mman::MREMAP_MAYMOVE;
use friscy_boundary::{PAGE_SIZE, Prot};
use std::collections::BTreeMap;

const BASE: u64 = 0x200_0000;
const PAGES: u64 = 24;

/// What a page is: its protection, and the object's page it shows, if any.
type Model = BTreeMap<u64, (Prot, Option<u64>)>;

struct Run {
    k: Kernel,
    mm: Mm,
    model: Model,
    object: ObjectRef,
    random: SeededEntropy,
}

impl Run {
    fn pick(&mut self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes) % below
    }

    fn range(&mut self) -> (u64, u64) {
        let start = self.pick(PAGES);
        (start, 1 + self.pick(PAGES - start))
    }

    fn prot(&mut self) -> Prot {
        [Prot::NONE, Prot::R, Prot::RW, Prot::RX][self.pick(4) as usize]
    }

    fn step(&mut self) {
        let (start, count) = self.range();
        let (addr, len) = (BASE + start * PAGE_SIZE, count * PAGE_SIZE);
        let prot = self.prot();
        match self.pick(5) {
            0 => {
                self.mm.map(&self.k.cpu, MapRequest { prot, ..anonymous(addr, len) }).unwrap();
                self.model.extend((start..start + count).map(|page| (page, (prot, None))));
            }
            1 => {
                let first = self.pick(8);
                let backing = VmaBacking::Object { object: self.object.clone(), offset: first * PAGE_SIZE, file: None };
                let flags = VmaFlags::SHARED | VmaFlags::MAYWRITE;
                self.mm.map(&self.k.cpu, MapRequest { prot, flags, backing, ..anonymous(addr, len) }).unwrap();
                self.model.extend((start..start + count).map(|page| (page, (prot, Some(first + page - start)))));
            }
            2 => {
                self.mm.unmap(&self.k.cpu, addr, len).unwrap();
                self.model.retain(|page, _| !(start..start + count).contains(page));
            }
            3 => {
                let reach = (start..start + count).take_while(|page| self.model.contains_key(page)).count() as u64;
                let result = self.mm.protect(&self.k.cpu, addr, len, prot);
                assert_eq!(result.is_ok(), reach == count);
                for page in start..start + reach {
                    self.model.get_mut(&page).unwrap().0 = prot;
                }
            }
            _ => {
                // A move within one mapping to a place that does not overlap it.
                let to = self.pick(PAGES);
                let new = 1 + self.pick(PAGES - to);
                let target = BASE + to * PAGE_SIZE;
                let old: Vec<_> = (start..start + count).map(|page| self.model.get(&page).copied()).collect();
                let result = self.mm.remap(&self.k.cpu, addr, len, new * PAGE_SIZE, MREMAP_MAYMOVE, Some(target));
                if result.is_err() {
                    return;
                }
                self.model.retain(|page, _| !(start..start + count).contains(page) && !(to..to + new).contains(page));
                let (prot, object) = old[0].unwrap();
                for page in 0..new {
                    let content = old.get(page as usize).copied().flatten();
                    self.model.insert(to + page, content.unwrap_or((prot, object.map(|first| first + page))));
                }
            }
        }
    }

    fn check(&self) {
        let mut listed = Model::new();
        let mut end = 0;
        for (&start, vma) in &self.mm.vmas {
            assert!(start == vma.start && start >= end && vma.end > start);
            end = vma.end;
            for page in (start..end).step_by(PAGE_SIZE as usize) {
                let object = match &vma.backing {
                    VmaBacking::Anonymous => None,
                    VmaBacking::Object { offset, .. } => Some((offset + page - start) / PAGE_SIZE),
                };
                listed.insert((page - BASE) / PAGE_SIZE, (vma.prot, object));
            }
        }
        assert_eq!(listed, self.model);
        assert_eq!(self.mm.total, self.model.len() as u64 * PAGE_SIZE);
        // Neighbours that could be one are one.
        let vmas: Vec<_> = self.mm.vmas.values().collect();
        for pair in vmas.windows(2) {
            let joined = pair[0].end == pair[1].start && pair[0].prot == pair[1].prot && pair[0].flags == pair[1].flags;
            let anonymous =
                matches!((&pair[0].backing, &pair[1].backing), (VmaBacking::Anonymous, VmaBacking::Anonymous));
            assert!(!(joined && anonymous), "{pair:?}");
        }
        assert_eq!(self.object.references(), 1 + vmas.iter().filter(|vma| vma.is_shared()).count());
    }
}

#[test]
fn the_list_is_the_table() {
    for seed in 0..40 {
        let k = empty_kernel();
        let mm = Mm::new(k.cpu.create().unwrap());
        let object = ObjectRef::create(&k.cpu, 64 * PAGE_SIZE).unwrap();
        let mut run = Run { k, mm, model: Model::new(), object, random: SeededEntropy(seed) };
        for _ in 0..150 {
            run.step();
            run.check();
        }
    }
}
