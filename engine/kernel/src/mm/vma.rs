//! Splitting and merging of the list of mappings.

use super::{Mm, Vma, VmaBacking};

impl Vma {
    /// Cuts at `at`, which lies strictly inside: `self` keeps what is below.
    pub(super) fn split_off(&mut self, at: u64) -> Vma {
        let mut upper = self.clone();
        upper.start = at;
        if let VmaBacking::Object { offset, .. } = &mut upper.backing {
            *offset += at - self.start;
        }
        self.end = at;
        upper
    }

    /// Whether `next`, which starts where this ends, may be one mapping with it.
    fn continues(&self, next: &Vma) -> bool {
        self.end == next.start
            && self.prot == next.prot
            && self.flags == next.flags
            && match (&self.backing, &next.backing) {
                (VmaBacking::Anonymous, VmaBacking::Anonymous) => true,
                (
                    VmaBacking::Object { object: a, offset: from, file: fa },
                    VmaBacking::Object { object: b, offset: to, file: fb },
                ) => a == b && fa == fb && from.checked_add(self.len()) == Some(*to),
                _ => false,
            }
    }
}

impl Mm {
    /// Makes `addr` a border between mappings, if one spans it.
    pub(super) fn split_at(&mut self, addr: u64) {
        let Some((_, vma)) = self.vmas.range_mut(..addr).next_back() else { return };
        if vma.end > addr {
            let upper = vma.split_off(addr);
            self.vmas.insert(addr, upper);
        }
    }

    /// Takes every mapping within `[start, end)` off the list, splitting those at its borders.
    pub(super) fn take_range(&mut self, start: u64, end: u64) -> Vec<Vma> {
        self.split_at(start);
        self.split_at(end);
        let keys: Vec<u64> = self.vmas.range(start..end).map(|(&key, _)| key).collect();
        let taken: Vec<Vma> = keys.iter().filter_map(|key| self.vmas.remove(key)).collect();
        self.total -= taken.iter().map(Vma::len).sum::<u64>();
        self.note_gap(end);
        taken
    }

    /// Puts a mapping on the list where nothing is, merged with its neighbours when they have the same properties.
    pub(super) fn insert(&mut self, vma: Vma) {
        self.total += vma.len();
        let start = vma.start;
        self.vmas.insert(start, vma);
        self.merge_at(start);
    }

    /// Merges the mapping that starts at `start` with its neighbours where possible.
    pub(super) fn merge_at(&mut self, start: u64) {
        let Some(vma) = self.vmas.get(&start) else { return };
        let end = vma.end;
        if let Some(next) = self.vmas.get(&end)
            && vma.continues(next)
        {
            let new_end = next.end;
            self.vmas.remove(&end);
            if let Some(vma) = self.vmas.get_mut(&start) {
                vma.end = new_end;
            }
        }
        let Some(vma) = self.vmas.get(&start) else { return };
        let new_end = vma.end;
        if let Some((&before, previous)) = self.vmas.range(..start).next_back()
            && previous.continues(vma)
        {
            self.vmas.remove(&start);
            if let Some(previous) = self.vmas.get_mut(&before) {
                previous.end = new_end;
            }
        }
    }

    /// Applies `change` to every mapping within `[start, end)`, splitting at the borders and merging after it.
    pub(super) fn update_range(&mut self, start: u64, end: u64, mut change: impl FnMut(&mut Vma)) {
        self.split_at(start);
        self.split_at(end);
        let keys: Vec<u64> = self.vmas.range(start..end).map(|(&key, _)| key).collect();
        for key in &keys {
            if let Some(vma) = self.vmas.get_mut(key) {
                change(vma);
            }
        }
        for key in keys {
            self.merge_at(key);
        }
        self.merge_at(end);
    }
}
