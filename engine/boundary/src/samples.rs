//! Samples of all address spaces, by file: address spaces and their mappings are gone when a run is over.

use crate::Sample;
use std::collections::BTreeMap;

/// Samples are of a run's start while it has retired so many instructions.
const STARTUP: u64 = 1 << 26;

/// The most files that are told apart; each takes a descriptor of the host, natively.
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
pub struct FileSamples<F> {
    /// The file, as whoever maps it knows it.
    pub file: F,
    /// By byte offset in the file.
    pub places: BTreeMap<u64, Place>,
}

/// All samples. Files are told apart by keys.
pub struct Samples<K, F> {
    /// Those in files.
    pub files: Vec<FileSamples<F>>,
    /// Instructions that other samples stand for: in generated code, in files that may have been written to, or above
    /// the limits of files and places.
    pub elsewhere: u64,
    known: BTreeMap<K, usize>,
    places: usize,
    total: u64,
}

impl<K, F> Default for Samples<K, F> {
    fn default() -> Samples<K, F> {
        Samples { files: Vec::new(), elsewhere: 0, known: BTreeMap::new(), places: 0, total: 0 }
    }
}

impl<K: Ord, F> Samples<K, F> {
    /// Adds a sample. `at` is the key of the file that its code is of, if nobody can have changed that, the offset there,
    /// and what says what is kept of the file when it comes first.
    pub fn add(&mut self, sample: Sample, at: Option<(K, u64, impl FnOnce() -> F)>) {
        let instructions = sample.instructions;
        self.total = self.total.saturating_add(instructions);
        let steady = self.total > STARTUP;
        match at.and_then(|(key, offset, file)| self.place(key, offset, file)) {
            Some(place) => {
                place.instructions = place.instructions.saturating_add(instructions);
                place.startup |= !steady;
                place.steady |= steady;
            }
            None => self.elsewhere = self.elsewhere.saturating_add(instructions),
        }
    }

    fn place(&mut self, key: K, offset: u64, file: impl FnOnce() -> F) -> Option<&mut Place> {
        let number = match self.known.get(&key) {
            Some(number) => *number,
            None if self.files.len() >= MAX_FILES => return None,
            None => {
                self.files.push(FileSamples { file: file(), places: BTreeMap::new() });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_by_file_and_place() {
        let mut samples: Samples<u32, &str> = Samples::default();
        let mut add = |instructions, at: Option<(u32, u64)>| {
            let at = at.map(|(key, offset)| (key, offset, move || if key == 7 { "first" } else { "second" }));
            samples.add(Sample { pc: None, instructions }, at);
        };
        add(STARTUP - 1, Some((7, 16)));
        add(5, Some((7, 16)));
        add(0, Some((7, 20)));
        add(3, Some((8, 16)));
        add(9, None);
        assert_eq!(samples.elsewhere, 9);
        let [first, second] = samples.files.as_slice() else { panic!("two files") };
        assert_eq!((first.file, second.file), ("first", "second"));
        let place = |instructions, startup, steady| Place { instructions, startup, steady };
        let of_first = [(16, place(STARTUP + 4, true, true)), (20, place(0, false, true))];
        assert_eq!(first.places, BTreeMap::from(of_first));
        assert_eq!(second.places, BTreeMap::from([(16, place(3, false, true))]));
    }

    #[test]
    fn files_beyond_the_limit_are_elsewhere() {
        let mut samples: Samples<usize, ()> = Samples::default();
        for file in 0..=MAX_FILES {
            samples.add(Sample { pc: None, instructions: 2 }, Some((file, 0, || ())));
        }
        assert_eq!((samples.files.len(), samples.elsewhere), (MAX_FILES, 2));
    }
}
