//! The cpu that makes the calls: native address spaces whose tasks run no code.

use crate::Step;
use crate::draw::draw;
use friscy_boundary::{CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, Prot, Ran, Regs};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Number of exit_group(2).
const EXIT_GROUP: u64 = 94;

/// Virtual nanoseconds that a call takes.
const CALL_TIME: u64 = 1000;

/// Instructions that a task may run when the sequence says so.
const CODE: u64 = 2000;

/// Sequence and counters, which the fuzzer looks at as well.
#[derive(Default)]
pub struct Sequence {
    /// What is to come.
    pub steps: VecDeque<Step>,
    /// Calls made.
    pub made: u64,
}

/// The cpu.
pub struct Driver {
    /// The address spaces.
    pub inner: Box<dyn Cpu>,
    /// The calls.
    pub sequence: Rc<RefCell<Sequence>>,
}

impl Cpu for Driver {
    fn create(&mut self) -> Result<MmId, MemError> {
        self.inner.create()
    }
    fn fork_from(&mut self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError> {
        self.inner.fork_from(parent, mappings)
    }
    fn destroy(&mut self, mm: MmId) {
        self.inner.destroy(mm);
    }
    fn map(&mut self, mm: MmId, mapping: &Mapping) -> Result<(), MemError> {
        self.inner.map(mm, mapping)
    }
    fn unmap(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        self.inner.unmap(mm, addr, len)
    }
    fn protect(&mut self, mm: MmId, addr: u64, len: u64, prot: Prot) -> Result<(), MemError> {
        self.inner.protect(mm, addr, len, prot)
    }
    fn discard(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        self.inner.discard(mm, addr, len)
    }
    fn move_pages(&mut self, mm: MmId, from: u64, to: u64, len: u64) -> Result<(), MemError> {
        self.inner.move_pages(mm, from, to, len)
    }
    fn copy_in(&mut self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        self.inner.copy_in(mm, addr, buf)
    }
    fn copy_out(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.inner.copy_out(mm, addr, bytes)
    }
    fn poke(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.inner.poke(mm, addr, bytes)
    }
    fn flush_icache(&mut self, mm: MmId, addr: u64, len: u64) {
        self.inner.flush_icache(mm, addr, len);
    }
    /// Makes the next call, whatever the task's code is. One call in 32 is preceded by running it, which is where
    /// signal frames, unmapped code and stacks are met. When the sequence is at its end, processes end.
    fn run(&mut self, mm: MmId, regs: &mut Regs, _: u64) -> Ran {
        let mut sequence = self.sequence.borrow_mut();
        let Some(step) = sequence.steps.pop_front() else {
            regs.x[17] = EXIT_GROUP;
            regs.x[10] = 0;
            return Ran { exit: Exit::Syscall, retired: CALL_TIME };
        };
        sequence.made += 1;
        let call = draw(&step);
        for (addr, bytes) in &call.pokes {
            // Where the memory is gone, the call gets what it deserves.
            let _ = self.inner.copy_out(mm, *addr, bytes);
        }
        if step.row >> 11 == 31 {
            return self.inner.run(mm, regs, CODE);
        }
        regs.x[17] = call.number;
        regs.x[10..16].copy_from_slice(&call.args);
        Ran { exit: Exit::Syscall, retired: CALL_TIME }
    }
    fn object_create(&mut self, len: u64) -> Result<ObjectId, MemError> {
        self.inner.object_create(len)
    }
    fn object_of_file(&mut self, file: i32, len: u64) -> Result<ObjectId, MemError> {
        self.inner.object_of_file(file, len)
    }
    fn object_read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize {
        self.inner.object_read(object, offset, buf)
    }
    fn object_write(&mut self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        self.inner.object_write(object, offset, bytes)
    }
    fn object_resize(&mut self, object: ObjectId, len: u64) -> Result<(), MemError> {
        self.inner.object_resize(object, len)
    }
    fn object_release(&mut self, object: ObjectId) {
        self.inner.object_release(object);
    }
}
