//! A shared handle of the cpu side: the kernel calls it, and so do files whose contents are memory objects.

use friscy_boundary::{CopyFault, Cpu, Mapping, MemError, MmId, ObjectId, Prot, Ran, Regs};
use std::cell::RefCell;
use std::fmt;
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

    pub fn exact_faults(&self, mm: MmId) {
        self.0.borrow_mut().exact_faults(mm);
    }

    #[inline]
    pub fn run(&self, mm: MmId, regs: &mut Regs, fuel: u64) -> Ran {
        self.0.borrow_mut().run(mm, regs, fuel)
    }

    pub fn object_is_file(&self, object: ObjectId, offset: u64) {
        self.0.borrow_mut().object_is_file(object, offset);
    }

    pub fn object_create(&self, len: u64) -> Result<ObjectId, MemError> {
        self.0.borrow_mut().object_create(len)
    }

    pub fn object_of_file(&self, file: i32, len: u64) -> Result<ObjectId, MemError> {
        self.0.borrow_mut().object_of_file(file, len)
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

/// A memory object that the kernel refers to: mappings, files and shared-memory segments hold clones of the reference,
/// and the object is released with the last one.
#[derive(Clone)]
pub struct ObjectRef(Rc<OwnedObject>);

struct OwnedObject {
    id: ObjectId,
    cpu: CpuRef,
}

impl ObjectRef {
    /// Makes an object of `len` zero bytes.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    pub fn create(cpu: &CpuRef, len: u64) -> Result<ObjectRef, MemError> {
        let id = cpu.object_create(len)?;
        Ok(ObjectRef(Rc::new(OwnedObject { id, cpu: cpu.clone() })))
    }

    /// Says that it holds a file of the image; see [`Cpu::object_is_file`](friscy_boundary::Cpu::object_is_file).
    pub fn is_file(&self, offset: u64) {
        self.0.cpu.object_is_file(self.0.id, offset);
    }

    /// Makes an object of the `len` bytes of an open file of the host, where that can be had.
    ///
    /// # Errors
    /// [`MemError`].
    pub fn of_file(cpu: &CpuRef, file: i32, len: u64) -> Result<ObjectRef, MemError> {
        let id = cpu.object_of_file(file, len)?;
        Ok(ObjectRef(Rc::new(OwnedObject { id, cpu: cpu.clone() })))
    }

    /// Whether anything else refers to the object.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Rc::strong_count(&self.0) > 1
    }

    /// Its name at the boundary.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.0.id
    }

    /// Reads; returns how many bytes, fewer than asked only at the object's end.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        self.0.cpu.object_read(self.0.id, offset, buf)
    }

    /// Writes, growing it as needed.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        self.0.cpu.object_write(self.0.id, offset, bytes)
    }

    /// Sets its length.
    ///
    /// # Errors
    /// [`MemError::NoMemory`].
    pub fn resize(&self, len: u64) -> Result<(), MemError> {
        self.0.cpu.object_resize(self.0.id, len)
    }

    /// How many references there are: mappings and others.
    #[must_use]
    pub fn references(&self) -> usize {
        Rc::strong_count(&self.0)
    }
}

impl Drop for OwnedObject {
    fn drop(&mut self) {
        self.cpu.object_release(self.id);
    }
}

impl PartialEq for ObjectRef {
    fn eq(&self, other: &ObjectRef) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ObjectRef {}

impl fmt::Debug for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.id, f)
    }
}
