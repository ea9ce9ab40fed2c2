//! A shared handle of the cpu side: the kernel calls it, and so do files whose contents are memory objects.

use friscy_boundary::{Cpu, CopyFault, Mapping, MemError, MmId, ObjectId, Prot, Ran, Regs};
use std::cell::RefCell;
use std::rc::Rc;

/// The cpu, shared within the machine's one thread. No call of it calls back, so it is never borrowed twice.
#[derive(Clone)]
pub struct CpuRef(Rc<RefCell<Box<dyn Cpu>>>);

impl CpuRef {
    /// Shares a cpu.
    #[must_use]
    pub fn new(cpu: Box<dyn Cpu>) -> CpuRef {
        CpuRef(Rc::new(RefCell::new(cpu)))
    }
}

#[allow(missing_docs, reason = "each does what the method of `friscy_boundary::Cpu` does")]
#[allow(clippy::missing_errors_doc, reason = "as those of `friscy_boundary::Cpu`")]
impl CpuRef {
    pub fn create(&self) -> Result<MmId, MemError> {
        self.0.borrow_mut().create()
    }

    pub fn fork_from(&self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError> {
        self.0.borrow_mut().fork_from(parent, mappings)
    }

    pub fn destroy(&self, mm: MmId) {
        self.0.borrow_mut().destroy(mm);
    }

    pub fn map(&self, mm: MmId, mapping: &Mapping) -> Result<(), MemError> {
        self.0.borrow_mut().map(mm, mapping)
    }

    pub fn unmap(&self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        self.0.borrow_mut().unmap(mm, addr, len)
    }

    pub fn protect(&self, mm: MmId, addr: u64, len: u64, prot: Prot) -> Result<(), MemError> {
        self.0.borrow_mut().protect(mm, addr, len, prot)
    }

    pub fn discard(&self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        self.0.borrow_mut().discard(mm, addr, len)
    }

    pub fn move_pages(&self, mm: MmId, from: u64, to: u64, len: u64) -> Result<(), MemError> {
        self.0.borrow_mut().move_pages(mm, from, to, len)
    }

    #[inline]
    pub fn copy_in(&self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        self.0.borrow_mut().copy_in(mm, addr, buf)
    }

    #[inline]
    pub fn copy_out(&self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.0.borrow_mut().copy_out(mm, addr, bytes)
    }

    pub fn poke(&self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.0.borrow_mut().poke(mm, addr, bytes)
    }

    pub fn flush_icache(&self, mm: MmId, addr: u64, len: u64) {
        self.0.borrow_mut().flush_icache(mm, addr, len);
    }

    #[inline]
    pub fn run(&self, mm: MmId, regs: &mut Regs, fuel: u64) -> Ran {
        self.0.borrow_mut().run(mm, regs, fuel)
    }

    pub fn object_create(&self, len: u64) -> Result<ObjectId, MemError> {
        self.0.borrow_mut().object_create(len)
    }

    pub fn object_read(&self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize {
        self.0.borrow_mut().object_read(object, offset, buf)
    }

    pub fn object_write(&self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        self.0.borrow_mut().object_write(object, offset, bytes)
    }

    pub fn object_resize(&self, object: ObjectId, len: u64) -> Result<(), MemError> {
        self.0.borrow_mut().object_resize(object, len)
    }

    pub fn object_release(&self, object: ObjectId) {
        self.0.borrow_mut().object_release(object);
    }
}
