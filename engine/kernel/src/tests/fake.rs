//! Address spaces as tables of pages.

use friscy_boundary::{Backing, CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, PAGE_SIZE, Prot, Ran, Regs};
use std::collections::BTreeMap;

const PAGE: usize = PAGE_SIZE as usize;

#[derive(Clone)]
struct Page {
    prot: Prot,
    /// Empty for a page of zeros that nobody touched.
    bytes: Vec<u8>,
    /// Object and offset of a shared page.
    shared: Option<(ObjectId, u64)>,
}

#[derive(Default)]
pub(crate) struct FakeCpu {
    spaces: BTreeMap<MmId, BTreeMap<u64, Page>>,
    objects: BTreeMap<ObjectId, Vec<u8>>,
    next: u32,
}

impl FakeCpu {
    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn copy(
        &mut self,
        mm: MmId,
        addr: u64,
        len: usize,
        mut step: impl FnMut(&mut [u8], usize, Prot) -> bool,
    ) -> Result<(), CopyFault> {
        let mut done = 0;
        while done < len {
            let at = addr.wrapping_add(done as u64);
            let page = at / PAGE_SIZE * PAGE_SIZE;
            let within = (at - page) as usize;
            let count = (PAGE - within).min(len - done);
            let fault = CopyFault { copied: done as u64 };
            let Some(found) = self.spaces.get_mut(&mm).and_then(|space| space.get_mut(&page)) else {
                return Err(fault);
            };
            let prot = found.prot;
            let bytes = match found.shared {
                Some((object, offset)) => {
                    let object = self.objects.get_mut(&object).unwrap();
                    let end = offset as usize + PAGE;
                    if object.len() < end {
                        object.resize(end, 0);
                    }
                    &mut object[offset as usize..end]
                }
                None => {
                    found.bytes.resize(PAGE, 0);
                    &mut found.bytes[..]
                }
            };
            if !step(&mut bytes[within..within + count], done, prot) {
                return Err(fault);
            }
            done += count;
        }
        Ok(())
    }
}

impl Cpu for FakeCpu {
    fn create(&mut self) -> Result<MmId, MemError> {
        let id = MmId(self.fresh());
        self.spaces.insert(id, BTreeMap::new());
        Ok(id)
    }

    fn fork_from(&mut self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError> {
        let id = MmId(self.fresh());
        let from = self.spaces.get(&parent).unwrap();
        let pages = from
            .iter()
            .filter(|(page, _)| {
                mappings.iter().any(|mapping| (mapping.addr..mapping.addr + mapping.len).contains(page))
            })
            .map(|(&page, content)| (page, content.clone()))
            .collect();
        self.spaces.insert(id, pages);
        Ok(id)
    }

    fn destroy(&mut self, mm: MmId) {
        assert!(self.spaces.remove(&mm).is_some(), "destroyed twice");
    }

    fn map(&mut self, mm: MmId, mapping: &Mapping) -> Result<(), MemError> {
        for at in (0..mapping.len).step_by(PAGE) {
            let (bytes, shared) = match mapping.backing {
                Backing::Anonymous => (Vec::new(), None),
                Backing::Shared { object, offset } => (Vec::new(), Some((object, offset + at))),
                Backing::Private { object, offset } => {
                    let content = self.objects.get(&object).unwrap();
                    let start = (offset + at) as usize;
                    let end = (start + PAGE).min(content.len());
                    let mut bytes = content.get(start..end).unwrap_or_default().to_vec();
                    bytes.resize(PAGE, 0);
                    (bytes, None)
                }
            };
            let page = Page { prot: mapping.prot, bytes, shared };
            self.spaces.get_mut(&mm).unwrap().insert(mapping.addr + at, page);
        }
        Ok(())
    }

    fn unmap(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        self.spaces.get_mut(&mm).unwrap().retain(|page, _| !(addr..addr + len).contains(page));
        Ok(())
    }

    fn protect(&mut self, mm: MmId, addr: u64, len: u64, prot: Prot) -> Result<(), MemError> {
        for (_, page) in self.spaces.get_mut(&mm).unwrap().range_mut(addr..addr + len) {
            page.prot = prot;
        }
        Ok(())
    }

    fn discard(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        for (_, page) in self.spaces.get_mut(&mm).unwrap().range_mut(addr..addr + len) {
            page.bytes.clear();
        }
        Ok(())
    }

    fn move_pages(&mut self, mm: MmId, from: u64, to: u64, len: u64) -> Result<(), MemError> {
        let space = self.spaces.get_mut(&mm).unwrap();
        for page in (0..len).step_by(PAGE) {
            if let Some(content) = space.remove(&(from + page)) {
                space.insert(to + page, content);
            }
        }
        Ok(())
    }

    fn copy_in(&mut self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        let len = buf.len();
        self.copy(mm, addr, len, |bytes, at, prot| {
            if prot.read {
                buf[at..at + bytes.len()].copy_from_slice(bytes);
            }
            prot.read
        })
    }

    fn copy_out(&mut self, mm: MmId, addr: u64, from: &[u8]) -> Result<(), CopyFault> {
        self.copy(mm, addr, from.len(), |bytes, at, prot| {
            if prot.write {
                bytes.copy_from_slice(&from[at..at + bytes.len()]);
            }
            prot.write
        })
    }

    fn poke(&mut self, mm: MmId, addr: u64, from: &[u8]) -> Result<(), CopyFault> {
        self.copy(mm, addr, from.len(), |bytes, at, _| {
            bytes.copy_from_slice(&from[at..at + bytes.len()]);
            true
        })
    }

    fn flush_icache(&mut self, _: MmId, _: u64, _: u64) {}

    fn run(&mut self, _: MmId, _: &mut Regs, _: u64) -> Ran {
        Ran { exit: Exit::Fuel, retired: 0 }
    }

    fn object_create(&mut self, len: u64) -> Result<ObjectId, MemError> {
        let id = ObjectId(self.fresh());
        self.objects.insert(id, vec![0; len as usize]);
        Ok(id)
    }

    fn object_read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize {
        let content = self.objects.get(&object).unwrap();
        let from = content.get(offset as usize..).unwrap_or_default();
        let count = from.len().min(buf.len());
        buf[..count].copy_from_slice(&from[..count]);
        count
    }

    fn object_write(&mut self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        let content = self.objects.get_mut(&object).unwrap();
        let end = offset as usize + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn object_resize(&mut self, object: ObjectId, len: u64) -> Result<(), MemError> {
        self.objects.get_mut(&object).unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn object_release(&mut self, object: ObjectId) {
        assert!(self.objects.remove(&object).is_some(), "released twice");
    }
}
