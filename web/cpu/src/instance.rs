//! One address space: its pages, its hart, its translations, and what requests do to them.

use friscy_boundary::{Exit, Ran, Regs, Sampler, WINDOW_SIZE};
use friscy_cpu::soft::{Committed, SoftSpace};
use friscy_cpu::{Changed, MakeCompiler, Policy, RunMemory, Stop, Translations, Translator, load, run, store};
use friscy_seam::{Ahead, State, Tier};
use friscy_wasm::AccessForm;
use friscy_web_messages::{MAX_BYTES, Reply, Request, encode};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::ptr::NonNull;
use std::rc::Rc;

/// When code is compiled.
const POLICY: Policy = Policy { slice: 4096, hot: 500, hot_when_idle: 500, start: 0 };

/// An address space and everything that runs it.
pub struct Instance<M: Committed> {
    space: SoftSpace<M>,
    state: NonNull<State>,
    translations: Translations,
    translator: Translator,
    /// The form of loads that the compiler is to give hot code.
    form: Rc<Cell<AccessForm>>,
    /// Takes samples, if a profile is recorded.
    sampler: Option<Rc<RefCell<Sampler>>>,
    /// Guest memory on its way out.
    bytes: Vec<u8>,
}

impl<M: Committed> Instance<M> {
    /// An empty address space in `memory`, all bytes of which are zero; `tier` runs it, and what `compiler` makes runs what
    /// is hot, with loads of the form in `form`: plain ones, until faults are to be exact.
    ///
    /// # Safety
    /// There is room for a state at `state`, which outlives the instance, and which only what the tiers run uses beside it.
    pub unsafe fn new(
        memory: M,
        state: NonNull<State>,
        tier: Box<dyn Tier>,
        compiler: MakeCompiler,
        form: Rc<Cell<AccessForm>>,
    ) -> Instance<M> {
        form.set(AccessForm::Plain);
        let mut space = SoftSpace::new(memory);
        // SAFETY: the caller's promise.
        unsafe { state.write(State::initial(space.window(), space.pages())) };
        Instance {
            space,
            state,
            translations: Translations::new(tier).with_compiler(compiler, POLICY),
            translator: Translator::default(),
            form,
            sampler: None,
            bytes: Vec::new(),
        }
    }

    /// The byte of every page of the window, and how many there are.
    pub fn page_bytes(&mut self) -> (*mut u8, usize) {
        (self.space.pages(), (WINDOW_SIZE / friscy_boundary::PAGE_SIZE) as usize)
    }

    /// The most bytes of translated code there have been at once.
    pub fn code_written(&mut self) -> usize {
        self.translations.tier().most_code_bytes()
    }

    /// Forgets what was compiled: another instance has it.
    pub fn detach(&mut self) {
        self.translations.detach_compiled();
    }

    /// How many functions run that were compiled ahead of time.
    pub fn found_ahead(&self) -> u64 {
        self.translations.found_ahead()
    }

    /// How many regions were compiled.
    pub fn compiled(&mut self) -> u64 {
        self.translations.compiled().0
    }

    /// Does what a request asks; returns the encoded reply.
    pub fn handle(&mut self, request: Request<'_>) -> Vec<u8> {
        let reply = match request {
            Request::Run { regs, fuel, sampler } => {
                let mut regs = regs.into_owned();
                let is_sampled = sampler.is_some();
                if let Some(sampler) = sampler {
                    self.sample_by(sampler);
                }
                let ran = self.run(&mut regs, fuel);
                let sampler = if is_sampled { self.sampled() } else { None };
                Reply::Ran { ran, regs: Cow::Owned(regs), sampler }
            }
            Request::Map { addr, len, prot, object_end } => {
                let changed = self.space.map(addr..addr + len, prot, object_end);
                Reply::Memory(changed.map(|changed| self.after(changed, addr..addr + len)))
            }
            Request::Unmap { addr, len } => {
                let changed = self.space.unmap(addr..addr + len);
                self.done(changed, addr..addr + len)
            }
            Request::Protect { addr, len, prot } => {
                let changed = self.space.protect(addr..addr + len, prot);
                self.done(changed, addr..addr + len)
            }
            Request::Discard { addr, len } => {
                let changed = self.space.discard(addr..addr + len);
                self.done(changed, addr..addr + len)
            }
            Request::MovePages { from, to, len } => {
                let changed = self.space.move_pages(from..from + len, to);
                Reply::Memory(changed.map(|changed| {
                    self.after(changed, from..from + len);
                    self.after(changed, to..to + len);
                }))
            }
            Request::SetObjectEnd { addr, len, end } => {
                self.space.set_object_end(addr..addr + len, end);
                self.done(Changed::Code, addr..addr + len)
            }
            Request::CopyIn { addr, len } => return self.read(len, |space, buf| space.copy_in(addr, buf)),
            Request::Peek { addr, len } => return self.read(len, |space, buf| space.peek(addr, buf)),
            Request::CopyOut { addr, bytes } => Reply::Copied(self.space.copy_out(addr, bytes)),
            Request::Poke { addr, bytes } => {
                let changed = self.space.poke(addr, bytes);
                Reply::Copied(changed.map(|changed| self.after(changed, addr..addr + bytes.len() as u64)))
            }
            Request::Load { addr, bytes } => {
                let changed = self.space.load(addr, bytes);
                Reply::Copied(changed.map(|changed| self.after(changed, addr..addr + bytes.len() as u64)))
            }
            Request::TakeDirty { addr, len } => {
                let dirty = self.space.take_dirty(addr..addr + len);
                Reply::Ranges(dirty.into_iter().map(|range| (range.start, range.end - range.start)).collect())
            }
            Request::Attach { addr, len, module, base, functions, places } => {
                // Loads of such code have the plain form.
                if self.form.get() == AccessForm::Plain {
                    let ahead = Ahead { module, base, functions, places };
                    self.translations.attach(ahead, addr..addr.saturating_add(len));
                }
                Reply::Memory(Ok(()))
            }
            Request::ExactFaults => {
                self.translations.drop_attached();
                if self.form.replace(AccessForm::Checked) == AccessForm::Plain {
                    self.translations.clear_compiled();
                }
                Reply::Memory(Ok(()))
            }
            Request::FlushIcache { addr, len } => {
                let end = addr.saturating_add(len).min(WINDOW_SIZE);
                self.done(Changed::Code, addr.min(end)..end)
            }
        };
        encode(&reply)
    }

    /// Forgets translations of code that may have changed.
    fn after(&mut self, changed: Changed, range: Range<u64>) {
        if changed == Changed::Code {
            self.translations.forget(range);
        }
    }

    fn done(&mut self, changed: Changed, range: Range<u64>) -> Reply<'static> {
        self.after(changed, range);
        Reply::Memory(Ok(()))
    }

    /// Reads up to `len` bytes of guest memory; returns the encoded reply with those before the first that cannot be.
    fn read(
        &mut self,
        len: u64,
        copy: impl FnOnce(&SoftSpace<M>, &mut [u8]) -> Result<(), friscy_boundary::CopyFault>,
    ) -> Vec<u8> {
        self.bytes.clear();
        self.bytes.resize(usize::try_from(len).unwrap_or(0).min(MAX_BYTES), 0);
        let copied = match copy(&self.space, &mut self.bytes) {
            Ok(()) => self.bytes.len(),
            Err(fault) => fault.copied as usize,
        };
        encode(&Reply::Bytes(self.bytes.get(..copied).unwrap_or_default()))
    }

    /// Has a sampler take samples of the next run.
    fn sample_by(&mut self, sampler: Sampler) {
        match &self.sampler {
            Some(place) => drop(place.replace(sampler)),
            None => {
                let place = Rc::new(RefCell::new(sampler));
                self.translations.set_sampler(Rc::clone(&place));
                self.sampler = Some(place);
            }
        }
    }

    /// The sampler, with the samples of the last run.
    fn sampled(&mut self) -> Option<Sampler> {
        let mut sampler = self.sampler.as_ref()?.take();
        sampler.forget_places(|pc| self.space.is_written(pc));
        Some(sampler)
    }

    fn run(&mut self, regs: &mut Regs, fuel: u64) -> Ran {
        // SAFETY: the promise made at construction.
        let state = unsafe { &mut *self.state.as_ptr() };
        load(state, regs, fuel);
        loop {
            // SAFETY: the state was made with this space's window and page bytes; every change of executable pages
            // forgets their translations; wasm accesses are checked or trap, so there is no handler to install.
            let stop = unsafe { run(state, &mut self.translations, &self.space, &mut self.translator) };
            match stop {
                Stop::Exit(Exit::Poisoned) => return Ran { exit: Exit::Poisoned, retired: 0 },
                Stop::Exit(exit) => {
                    let retired = store(state, regs, fuel);
                    return Ran { exit, retired };
                }
                Stop::FenceI => {
                    for range in self.space.changeable_code() {
                        self.translations.forget(range);
                    }
                }
            }
        }
    }
}
