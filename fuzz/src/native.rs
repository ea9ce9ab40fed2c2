//! The cpu on a host with an MMU, as executors.

use crate::compare::Executor;
use crate::large::OnTier;
use crate::memory::{Model, Object, PAGES};
use friscy_boundary::{Backing, Cpu, Mapping, MmId, ObjectId, PAGE_SIZE, Ran, Regs};
use friscy_cpu::{NativeCpu, Policy};
use friscy_interp::Interp;
use friscy_jit::Jit;
use friscy_seam::Tier;
use std::cell::RefCell;
use std::rc::Rc;

/// The interpreter with and without handlers of pairs, on anonymous memory; and two address spaces of one cpu whose code
/// comes from an object, one forked from the other; and the interpreter on regions of many blocks.
pub fn executors(memory: &Model, room: usize) -> Vec<Box<dyn Executor>> {
    let pairs =
        Rc::new(RefCell::new(NativeCpu::new(Box::new(move || -> Box<dyn Tier> { Box::new(Interp::new(room)) }))));
    let single = NativeCpu::new(Box::new(move || -> Box<dyn Tier> { Box::new(Interp::without_pairs(room)) }));
    let single = Rc::new(RefCell::new(single));
    let make_compiler = Rc::new(|| -> Box<dyn Tier> { Box::new(Jit::new(1 << 20)) });
    let policy = Policy { slice: 8, hot: 2, hot_when_idle: 2, start: 0 };
    let tiered = NativeCpu::with_compiler(Box::new(move || Box::new(Interp::new(room))), make_compiler, policy);
    let tiered = Rc::new(RefCell::new(tiered));
    let of_file = OnCpu::new("interp of file pages", &pairs, memory, true);
    let fork = of_file.fork("interp of a fork");
    vec![
        Box::new(OnCpu::new("interp", &pairs, memory, false)),
        Box::new(OnCpu::new("interp without pairs", &single, memory, false)),
        Box::new(of_file),
        Box::new(fork),
        Box::new(OnTier::new("interp of large regions", Box::new(Interp::new(room.max(256 << 10))), memory)),
        Box::new(OnTier::new("jit", Box::new(Jit::new(room)), memory)),
        Box::new(OnTier::new("jit by way of bytes", Box::new(Jit::by_way_of_bytes(room)), memory)),
        Box::new(OnCpu::new("interp and jit", &tiered, memory, false)),
    ]
}

/// An address space of a cpu.
struct OnCpu {
    name: &'static str,
    cpu: Rc<RefCell<NativeCpu>>,
    mm: MmId,
    mappings: Vec<Mapping>,
}

impl OnCpu {
    /// Maps the pages and fills them. Pages that can be fetched are anonymous or views of an object.
    fn new(name: &'static str, cpu: &Rc<RefCell<NativeCpu>>, memory: &Model, of_file: bool) -> OnCpu {
        let mut on = cpu.borrow_mut();
        let mm = on.create().expect("an address space can be made");
        let object = on.object_create(PAGE_SIZE).expect("an object can be made");
        let code = on.object_create(0).expect("an object can be made");
        let mut mappings = Vec::new();
        for (n, page) in PAGES.iter().enumerate() {
            let offset = n as u64 * PAGE_SIZE;
            let backing = match page.object {
                Object::None if of_file && page.prot.exec => Backing::Private { object: code, offset },
                Object::None => Backing::Anonymous,
                Object::Page => Backing::Shared { object, offset: 0 },
                Object::Beyond => Backing::Shared { object, offset: PAGE_SIZE },
            };
            fill(&mut on, code, offset, memory.page(page.addr));
            let mapping = Mapping { addr: page.addr, len: PAGE_SIZE, prot: page.prot, backing };
            on.map(mm, &mapping).expect("a page can be mapped");
            if page.object != Object::Beyond && !matches!(backing, Backing::Private { .. }) {
                on.poke(mm, page.addr, memory.page(page.addr)).expect("a mapped page can be written");
            }
            mappings.push(mapping);
        }
        OnCpu { name, cpu: cpu.clone(), mm, mappings }
    }

    /// A fork, which does not share what the other writes to its object: that one gets a page of its own.
    fn fork(&self, name: &'static str) -> OnCpu {
        let mut on = self.cpu.borrow_mut();
        let mm = on.fork_from(self.mm, &self.mappings).expect("an address space can be forked");
        let object = on.object_create(PAGE_SIZE).expect("an object can be made");
        for (mapping, page) in self.mappings.iter().zip(&PAGES).filter(|(_, page)| page.object != Object::None) {
            let mut bytes = [0; PAGE_SIZE as usize];
            let offset = if page.object == Object::Page { 0 } else { PAGE_SIZE };
            if offset == 0 {
                on.copy_in(mm, page.addr, &mut bytes).expect("the object's page can be read");
                fill(&mut on, object, 0, &bytes);
            }
            on.map(mm, &Mapping { backing: Backing::Shared { object, offset }, ..*mapping })
                .expect("a page can be mapped");
        }
        OnCpu { name, cpu: self.cpu.clone(), mm, mappings: Vec::new() }
    }
}

fn fill(cpu: &mut NativeCpu, object: ObjectId, offset: u64, bytes: &[u8]) {
    cpu.object_write(object, offset, bytes).expect("an object can be written");
}

impl Executor for OnCpu {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, regs: &mut Regs, fuel: u64) -> Option<Ran> {
        Some(self.cpu.borrow_mut().run(self.mm, regs, fuel))
    }

    fn read(&mut self, addr: u64, page: &mut [u8]) {
        self.cpu.borrow_mut().copy_in(self.mm, addr, page).expect("the page can be read");
    }
}
