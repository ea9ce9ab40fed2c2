//! Random requests to address spaces, compared page by page with a model that holds a byte a page.

use super::space::Pages;
use super::{Memfd, NativeSpace};
use friscy_boundary::Prot;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

const PAGE: u64 = 4096;
const BASE: u64 = 0x10000;
const PAGES: u64 = 24;
const FILE_PAGES: usize = 6;

/// A page of a mapping, as Linux's manual pages define it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Anonymous(u8),
    /// File, page of it, and the byte once it was written.
    Private(usize, u64, Option<u8>),
    Shared(usize, u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Page {
    prot: Prot,
    source: Source,
}

type Model = BTreeMap<u64, Page>;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }

    fn prot(&mut self) -> Prot {
        [Prot::RW, Prot::RW, Prot::R, Prot::NONE, Prot::RX, Prot::RWX][self.below(6) as usize]
    }

    /// Some pages, by number.
    fn pages(&mut self) -> Range<u64> {
        let first = self.below(PAGES);
        first..first + 1 + self.below((PAGES - first).min(6))
    }
}

struct World {
    files: Vec<(Rc<Memfd>, Vec<u8>)>,
    spaces: Vec<(NativeSpace, Model)>,
}

fn addresses(pages: &Range<u64>) -> Range<u64> {
    BASE + pages.start * PAGE..BASE + pages.end * PAGE
}

impl World {
    fn new() -> World {
        let file = |letter: u8| {
            let bytes: Vec<u8> = (0..FILE_PAGES as u8).map(|page| letter + page).collect();
            let file = Memfd::new(c"file", 0).unwrap();
            for (page, byte) in bytes.iter().enumerate() {
                file.write(page as u64 * PAGE, &[*byte; PAGE as usize]).unwrap();
            }
            (Rc::new(file), bytes)
        };
        World { files: vec![file(b'a'), file(b'A')], spaces: vec![(NativeSpace::new().unwrap(), Model::new())] }
    }

    /// What the model reads at a page, whatever its protections; nothing beyond a file.
    fn content(&self, page: &Page) -> Option<u8> {
        match page.source {
            Source::Anonymous(byte) | Source::Private(_, _, Some(byte)) => Some(byte),
            Source::Private(file, at, None) | Source::Shared(file, at) => self.files[file].1.get(at as usize).copied(),
        }
    }

    /// Whether a store to a page of space `index` succeeded, in the model.
    fn store(&mut self, index: usize, number: u64, byte: u8, force: bool) -> bool {
        let Some(page) = self.spaces[index].1.get(&number).copied() else { return false };
        if !(page.prot.write || force) || self.content(&page).is_none() {
            return false;
        }
        let changed = match page.source {
            Source::Anonymous(_) => Source::Anonymous(byte),
            Source::Private(file, at, _) => Source::Private(file, at, Some(byte)),
            Source::Shared(file, at) => {
                self.files[file].1[at as usize] = byte;
                page.source
            }
        };
        self.spaces[index].1.insert(number, Page { source: changed, ..page });
        true
    }

    fn step(&mut self, random: &mut Random) -> String {
        let index = random.below(self.spaces.len() as u64) as usize;
        let pages = random.pages();
        let range = addresses(&pages);
        let byte = random.below(255) as u8 + 1;
        match random.below(14) {
            0 | 1 => {
                let prot = random.prot();
                let file = random.below(2) as usize;
                let offset = random.below(3);
                let kind = random.below(4);
                let source = |n: u64| match kind {
                    0 => Source::Private(file, offset + n, None),
                    1 => Source::Shared(file, offset + n),
                    _ => Source::Anonymous(0),
                };
                let object = self.files[file].0.clone();
                let backing = match kind {
                    0 => Pages::Private(object, offset * PAGE),
                    1 => Pages::Shared(object, offset * PAGE),
                    _ => Pages::Anonymous,
                };
                let (space, model) = &mut self.spaces[index];
                let _ = space.map(range, prot, backing).unwrap();
                model.extend(pages.clone().map(|n| (n, Page { prot, source: source(n - pages.start) })));
                format!("map {pages:?} {prot:?} {:?} in {index}", source(0))
            }
            2 => {
                let (space, model) = &mut self.spaces[index];
                let _ = space.unmap(range).unwrap();
                model.retain(|n, _| !pages.contains(n));
                format!("unmap {pages:?} in {index}")
            }
            3 | 4 => {
                let prot = random.prot();
                let (space, model) = &mut self.spaces[index];
                let _ = space.protect(range, prot).unwrap();
                model.range_mut(pages.clone()).for_each(|(_, page)| page.prot = prot);
                format!("protect {pages:?} {prot:?} in {index}")
            }
            5 => {
                let (space, model) = &mut self.spaces[index];
                let _ = space.discard(range).unwrap();
                for (_, page) in model.range_mut(pages.clone()) {
                    match &mut page.source {
                        Source::Anonymous(byte) => *byte = 0,
                        Source::Private(_, _, own) => *own = None,
                        Source::Shared(..) => {}
                    }
                }
                format!("discard {pages:?} in {index}")
            }
            6 => {
                // Behind all pages, then back to where there is room.
                let (space, model) = &mut self.spaces[index];
                let away = BASE + (PAGES + pages.start) * PAGE;
                let _ = space.move_pages(range.clone(), away).unwrap();
                let count = pages.end - pages.start;
                let target = random.below(PAGES - count + 1);
                let landing = target..target + count;
                let _ = space.unmap(addresses(&landing)).unwrap();
                let moved: Vec<_> = pages.clone().filter_map(|n| Some((n, model.remove(&n)?))).collect();
                model.retain(|n, _| !landing.contains(n));
                let _ = space.move_pages(away..away + count * PAGE, addresses(&landing).start).unwrap();
                model.extend(moved.into_iter().map(|(n, page)| (target + (n - pages.start), page)));
                format!("move {pages:?} to {target} in {index}")
            }
            7 | 8 => {
                let stored = self.store(index, pages.start, byte, false);
                assert_eq!(self.spaces[index].0.copy_out(range.start, &[byte; 16]).is_ok(), stored);
                format!("store {byte} to {} in {index}", pages.start)
            }
            9 => {
                let stored = self.store(index, pages.start, byte, true);
                assert_eq!(self.spaces[index].0.poke(range.start, &[byte; 16]).is_ok(), stored);
                format!("poke {byte} to {} in {index}", pages.start)
            }
            10 => {
                let file = random.below(2) as usize;
                if random.below(2) == 0 {
                    let at = random.below(FILE_PAGES as u64);
                    if (at as usize) < self.files[file].1.len() {
                        self.files[file].1[at as usize] = byte;
                        self.files[file].0.write(at * PAGE, &[byte; 16]).unwrap();
                    }
                    return format!("write {byte} to page {at} of file {file}");
                }
                let len = random.below(FILE_PAGES as u64 + 1);
                self.files[file].0.resize(len * PAGE).unwrap();
                self.files[file].1.resize(len as usize, 0);
                for (_, model) in &mut self.spaces {
                    for page in model.values_mut() {
                        // Linux drops private copies beyond the new end too.
                        match &mut page.source {
                            Source::Private(f, at, own) if *f == file && *at >= len => *own = None,
                            _ => {}
                        }
                    }
                }
                format!("resize file {file} to {len}")
            }
            11 => {
                self.spaces[index].0.begin_journal().unwrap();
                format!("begin a journal in {index}")
            }
            12 => {
                let journal = self.spaces[index].0.begin_journal().unwrap();
                let page = self.spaces[index].1.get(&pages.start).copied();
                let before = page.and_then(|page| self.content(&page));
                let stored = page.is_some_and(|page| page.prot.write) && before.is_some();
                assert_eq!(self.spaces[index].0.copy_out(range.start, &[byte; 16]).is_ok(), stored);
                journal.take_back(true);
                assert_eq!(self.spaces[index].0.copy_out(range.start, &[byte; 16]).is_ok(), stored);
                assert!(journal.differences(1).is_empty());
                journal.take_back(false);
                // A view has a page of its own even so.
                if let Some(Page { source: Source::Private(_, _, own), .. }) =
                    self.spaces[index].1.get_mut(&pages.start)
                    && stored
                {
                    *own = before;
                }
                format!("store {byte} to {} in {index} and take it back", pages.start)
            }
            _ if self.spaces.len() > 3 => {
                self.spaces.swap_remove(index);
                format!("drop {index}")
            }
            _ => {
                let freeze = random.below(2) == 0;
                let part = 0..1 + random.below(PAGES);
                let thaw = random.below(2) == 0;
                let (space, model) = &mut self.spaces[index];
                if thaw {
                    space.thaw(0).unwrap();
                }
                let child = space.fork_with(&[addresses(&part)], freeze).unwrap();
                let copy = model.range(part.clone()).map(|(&n, &page)| (n, page)).collect();
                self.spaces.push((child, copy));
                format!("fork {index}, thaw {thaw}, freeze {freeze}, {part:?}")
            }
        }
    }

    fn check(&self, log: &[String]) {
        for (index, (space, model)) in self.spaces.iter().enumerate() {
            for n in 0..PAGES {
                let mut buf = [0];
                let seen = space.copy_in(BASE + n * PAGE, &mut buf).ok().map(|()| buf[0]);
                let page = model.get(&n);
                let readable = page.filter(|page| page.prot.read || page.prot.write);
                let expected = readable.and_then(|page| self.content(page));
                assert_eq!(seen, expected, "page {n} of {index}: {page:?}\n{}", log.join("\n"));
            }
        }
    }
}

#[test]
fn random_requests_do_what_the_model_does() {
    for seed in 0..100 {
        let mut random = Random(seed);
        let mut world = World::new();
        let mut log = Vec::new();
        for _ in 0..100 {
            log.push(world.step(&mut random));
            world.check(&log);
        }
    }
}
