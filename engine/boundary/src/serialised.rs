//! The boundary as bytes: what the page's glue moves between wasm instances, and what a test puts between the two
//! native sides to show that nothing but plain data crosses.
//!
//! A request is one [`Request`], a reply one [`Reply`], both in postcard's encoding. Both sides are built from the same
//! sources, so that the encoding carries no version.

use crate::{CopyFault, Cpu, Exit, Mapping, MemError, MmId, ObjectId, Prot, Ran, Regs};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A call of [`Cpu`].
// Values live only while they are encoded or carried out.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// [`Cpu::create`].
    Create,
    /// [`Cpu::fork_from`].
    ForkFrom {
        /// Parent.
        parent: MmId,
        /// What the child gets.
        mappings: Cow<'a, [Mapping]>,
    },
    /// [`Cpu::destroy`].
    Destroy {
        /// Address space.
        mm: MmId,
    },
    /// [`Cpu::map`].
    Map {
        /// Address space.
        mm: MmId,
        /// The mapping.
        mapping: Mapping,
    },
    /// [`Cpu::unmap`].
    Unmap {
        /// Address space.
        mm: MmId,
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
    /// [`Cpu::protect`].
    Protect {
        /// Address space.
        mm: MmId,
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
        /// Protections.
        prot: Prot,
    },
    /// [`Cpu::discard`].
    Discard {
        /// Address space.
        mm: MmId,
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
    /// [`Cpu::move_pages`].
    MovePages {
        /// Address space.
        mm: MmId,
        /// First address.
        from: u64,
        /// New first address.
        to: u64,
        /// Bytes.
        len: u64,
    },
    /// [`Cpu::copy_in`].
    CopyIn {
        /// Address space.
        mm: MmId,
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
    /// [`Cpu::copy_out`].
    CopyOut {
        /// Address space.
        mm: MmId,
        /// First address.
        addr: u64,
        /// What to write.
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// [`Cpu::poke`].
    Poke {
        /// Address space.
        mm: MmId,
        /// First address.
        addr: u64,
        /// What to write.
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// [`Cpu::flush_icache`].
    FlushIcache {
        /// Address space.
        mm: MmId,
        /// First address.
        addr: u64,
        /// Bytes.
        len: u64,
    },
    /// [`Cpu::exact_faults`].
    ExactFaults {
        /// Address space.
        mm: MmId,
    },
    /// [`Cpu::run`].
    Run {
        /// Address space.
        mm: MmId,
        /// The task's registers.
        regs: Cow<'a, Regs>,
        /// Instructions.
        fuel: u64,
    },
    /// [`Cpu::object_create`].
    ObjectCreate {
        /// Bytes.
        len: u64,
    },
    /// [`Cpu::object_is_file`].
    ObjectIsFile {
        /// The object.
        object: ObjectId,
        /// Where its contents begin.
        offset: u64,
    },
    /// [`Cpu::object_read`].
    ObjectRead {
        /// Object.
        object: ObjectId,
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u64,
    },
    /// [`Cpu::object_write`].
    ObjectWrite {
        /// Object.
        object: ObjectId,
        /// First byte.
        offset: u64,
        /// What to write.
        #[serde(borrow, with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// [`Cpu::object_resize`].
    ObjectResize {
        /// Object.
        object: ObjectId,
        /// Bytes.
        len: u64,
    },
    /// [`Cpu::object_release`].
    ObjectRelease {
        /// Object.
        object: ObjectId,
    },
}

/// What a call returns.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply<'a> {
    /// Nothing.
    Nothing,
    /// Of requests about memory.
    Memory(Result<(), MemError>),
    /// Of requests that make an address space.
    Space(Result<MmId, MemError>),
    /// Of requests that make an object.
    Object(Result<ObjectId, MemError>),
    /// Of copies to guest memory.
    Copied(Result<(), CopyFault>),
    /// Of reads: what could be read.
    Bytes(#[serde(borrow, with = "serde_bytes")] &'a [u8]),
    /// Of a run.
    Ran {
        /// What it did.
        ran: Ran,
        /// The registers after it.
        regs: Cow<'a, Regs>,
    },
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Encoding into a vector fails for types that the encoding cannot express, which these are not.
    postcard::to_allocvec(value).unwrap_or_default()
}

/// Carries out an encoded request; returns the encoded reply.
///
/// # Errors
/// When the bytes are no request: a bug of the glue.
pub fn dispatch(cpu: &mut impl Cpu, request: &[u8]) -> Result<Vec<u8>, postcard::Error> {
    // The kernel chose the length of its own buffer.
    let sized = |len: u64| vec![0; usize::try_from(len).unwrap_or(0)];
    let reply = match postcard::from_bytes(request)? {
        Request::Create => Reply::Space(cpu.create()),
        Request::ForkFrom { parent, mappings } => Reply::Space(cpu.fork_from(parent, &mappings)),
        Request::Destroy { mm } => {
            cpu.destroy(mm);
            Reply::Nothing
        }
        Request::Map { mm, mapping } => Reply::Memory(cpu.map(mm, &mapping)),
        Request::Unmap { mm, addr, len } => Reply::Memory(cpu.unmap(mm, addr, len)),
        Request::Protect { mm, addr, len, prot } => Reply::Memory(cpu.protect(mm, addr, len, prot)),
        Request::Discard { mm, addr, len } => Reply::Memory(cpu.discard(mm, addr, len)),
        Request::MovePages { mm, from, to, len } => Reply::Memory(cpu.move_pages(mm, from, to, len)),
        Request::CopyIn { mm, addr, len } => {
            let mut buf = sized(len);
            let copied = match cpu.copy_in(mm, addr, &mut buf) {
                Ok(()) => buf.len(),
                Err(fault) => fault.copied as usize,
            };
            return Ok(encode(&Reply::Bytes(buf.get(..copied).unwrap_or_default())));
        }
        Request::CopyOut { mm, addr, bytes } => Reply::Copied(cpu.copy_out(mm, addr, bytes)),
        Request::Poke { mm, addr, bytes } => Reply::Copied(cpu.poke(mm, addr, bytes)),
        Request::FlushIcache { mm, addr, len } => {
            cpu.flush_icache(mm, addr, len);
            Reply::Nothing
        }
        Request::ExactFaults { mm } => {
            cpu.exact_faults(mm);
            Reply::Nothing
        }
        Request::Run { mm, regs, fuel } => {
            let mut regs = regs.into_owned();
            let ran = cpu.run(mm, &mut regs, fuel);
            Reply::Ran { ran, regs: Cow::Owned(regs) }
        }
        Request::ObjectCreate { len } => Reply::Object(cpu.object_create(len)),
        Request::ObjectIsFile { object, offset } => {
            cpu.object_is_file(object, offset);
            Reply::Nothing
        }
        Request::ObjectRead { object, offset, len } => {
            let mut buf = sized(len);
            let read = cpu.object_read(object, offset, &mut buf);
            return Ok(encode(&Reply::Bytes(buf.get(..read).unwrap_or_default())));
        }
        Request::ObjectWrite { object, offset, bytes } => Reply::Memory(cpu.object_write(object, offset, bytes)),
        Request::ObjectResize { object, len } => Reply::Memory(cpu.object_resize(object, len)),
        Request::ObjectRelease { object } => {
            cpu.object_release(object);
            Reply::Nothing
        }
    };
    Ok(encode(&reply))
}

/// What moves requests to the cpu side and replies back.
pub trait Transport {
    /// Sends a request and waits for its reply. A cpu side that has failed for good replies with no bytes.
    fn call(&mut self, request: &[u8]) -> Vec<u8>;
}

/// The kernel's end of the boundary: a [`Cpu`] behind a [`Transport`]. When the other side has failed for good, memory
/// requests are refused, copies fault and runs end as [`Exit::Poisoned`].
pub struct Remote<T: Transport> {
    transport: T,
}

impl<T: Transport> Remote<T> {
    /// The cpu side behind `transport`.
    pub fn new(transport: T) -> Remote<T> {
        Remote { transport }
    }

    /// The transport.
    pub fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    fn memory(&mut self, request: &Request<'_>) -> Result<(), MemError> {
        let reply = self.transport.call(&encode(request));
        match postcard::from_bytes(&reply) {
            Ok(Reply::Memory(result)) => result,
            _ => Err(MemError::NoMemory),
        }
    }

    fn space(&mut self, request: &Request<'_>) -> Result<MmId, MemError> {
        let reply = self.transport.call(&encode(request));
        match postcard::from_bytes(&reply) {
            Ok(Reply::Space(result)) => result,
            _ => Err(MemError::NoMemory),
        }
    }

    fn copied(&mut self, request: &Request<'_>) -> Result<(), CopyFault> {
        let reply = self.transport.call(&encode(request));
        match postcard::from_bytes(&reply) {
            Ok(Reply::Copied(result)) => result,
            _ => Err(CopyFault { copied: 0 }),
        }
    }

    fn bytes(&mut self, request: &Request<'_>, buf: &mut [u8]) -> usize {
        let reply = self.transport.call(&encode(request));
        let Ok(Reply::Bytes(bytes)) = postcard::from_bytes(&reply) else { return 0 };
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        n
    }

    fn order(&mut self, request: &Request<'_>) {
        self.transport.call(&encode(request));
    }
}

impl<T: Transport> Cpu for Remote<T> {
    fn create(&mut self) -> Result<MmId, MemError> {
        self.space(&Request::Create)
    }

    fn fork_from(&mut self, parent: MmId, mappings: &[Mapping]) -> Result<MmId, MemError> {
        self.space(&Request::ForkFrom { parent, mappings: Cow::Borrowed(mappings) })
    }

    fn destroy(&mut self, mm: MmId) {
        self.order(&Request::Destroy { mm });
    }

    fn map(&mut self, mm: MmId, mapping: &Mapping) -> Result<(), MemError> {
        self.memory(&Request::Map { mm, mapping: *mapping })
    }

    fn unmap(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        self.memory(&Request::Unmap { mm, addr, len })
    }

    fn protect(&mut self, mm: MmId, addr: u64, len: u64, prot: Prot) -> Result<(), MemError> {
        self.memory(&Request::Protect { mm, addr, len, prot })
    }

    fn discard(&mut self, mm: MmId, addr: u64, len: u64) -> Result<(), MemError> {
        self.memory(&Request::Discard { mm, addr, len })
    }

    fn move_pages(&mut self, mm: MmId, from: u64, to: u64, len: u64) -> Result<(), MemError> {
        self.memory(&Request::MovePages { mm, from, to, len })
    }

    fn copy_in(&mut self, mm: MmId, addr: u64, buf: &mut [u8]) -> Result<(), CopyFault> {
        let copied = self.bytes(&Request::CopyIn { mm, addr, len: buf.len() as u64 }, buf);
        if copied < buf.len() { Err(CopyFault { copied: copied as u64 }) } else { Ok(()) }
    }

    fn copy_out(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.copied(&Request::CopyOut { mm, addr, bytes })
    }

    fn poke(&mut self, mm: MmId, addr: u64, bytes: &[u8]) -> Result<(), CopyFault> {
        self.copied(&Request::Poke { mm, addr, bytes })
    }

    fn flush_icache(&mut self, mm: MmId, addr: u64, len: u64) {
        self.order(&Request::FlushIcache { mm, addr, len });
    }

    fn exact_faults(&mut self, mm: MmId) {
        self.order(&Request::ExactFaults { mm });
    }

    fn run(&mut self, mm: MmId, regs: &mut Regs, fuel: u64) -> Ran {
        let reply = self.transport.call(&encode(&Request::Run { mm, regs: Cow::Borrowed(regs), fuel }));
        match postcard::from_bytes(&reply) {
            Ok(Reply::Ran { ran, regs: after }) => {
                *regs = after.into_owned();
                ran
            }
            _ => Ran { exit: Exit::Poisoned, retired: 0 },
        }
    }

    fn object_create(&mut self, len: u64) -> Result<ObjectId, MemError> {
        let reply = self.transport.call(&encode(&Request::ObjectCreate { len }));
        match postcard::from_bytes(&reply) {
            Ok(Reply::Object(result)) => result,
            _ => Err(MemError::NoMemory),
        }
    }

    fn object_is_file(&mut self, object: ObjectId, offset: u64) {
        self.order(&Request::ObjectIsFile { object, offset });
    }

    fn object_read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> usize {
        self.bytes(&Request::ObjectRead { object, offset, len: buf.len() as u64 }, buf)
    }

    fn object_write(&mut self, object: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), MemError> {
        self.memory(&Request::ObjectWrite { object, offset, bytes })
    }

    fn object_resize(&mut self, object: ObjectId, len: u64) -> Result<(), MemError> {
        self.memory(&Request::ObjectResize { object, len })
    }

    fn object_release(&mut self, object: ObjectId) {
        self.order(&Request::ObjectRelease { object });
    }
}

/// A transport to a cpu side in the same program.
pub struct Loopback<C: Cpu>(pub C);

impl<C: Cpu> Transport for Loopback<C> {
    fn call(&mut self, request: &[u8]) -> Vec<u8> {
        dispatch(&mut self.0, request).unwrap_or_default()
    }
}

/// A cpu side in the same program, every call of which goes through bytes.
pub type Serialised<C> = Remote<Loopback<C>>;
