//! Modules on native hosts, by wasmtime.

use crate::host::{AccessForm, Host, Installed};
use crate::layout::{Features, Layout};
use crate::module::{ENTER_SLOT, IMPORTS};
use friscy_seam::State;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::OnceLock;
use wasmtime::{
    Caller, Config, Engine, Func, Instance, Linker, Memory, MemoryType, Module, Ref, RefType, Result, Store, TableType,
    TypedFunc,
};

/// Where things are, as in a browser.
const LAYOUT: Layout = Layout::BROWSER;
/// Where other things may be, up to the state.
const ROOM: u32 = 0x1_0000;
/// Size of the memory in pages of wasm: all that 32 bits can address.
const MEMORY_PAGES: u32 = 1 << 16;

/// An engine with one memory and one table, for one address space.
pub struct Wasmtime {
    form: AccessForm,
    engine: Engine,
    store: Store<()>,
    memory: Memory,
    table: wasmtime::Table,
    linker: Linker<()>,
    enter: Option<TypedFunc<(i32, i32, i64, i32), i64>>,
    next: u32,
}

impl Wasmtime {
    /// An engine with an empty memory, for loads of this form.
    ///
    /// # Errors
    /// If wasmtime is not for this host, or the host gives no memory.
    pub fn new(form: AccessForm) -> Result<Wasmtime> {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        let engine = match ENGINE.get() {
            Some(engine) => engine.clone(),
            None => {
                let mut config = Config::new();
                config.wasm_tail_call(true).wasm_relaxed_simd(true);
                ENGINE.get_or_init(|| Engine::new(&config).unwrap_or_default()).clone()
            }
        };
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, MemoryType::new(MEMORY_PAGES, Some(MEMORY_PAGES)))?;
        let table = wasmtime::Table::new(&mut store, TableType::new(RefType::FUNCREF, 0, None), Ref::Func(None))?;
        let mut linker = Linker::new(&engine);
        linker.define(&store, IMPORTS, "memory", memory)?;
        linker.define(&store, IMPORTS, "table", table)?;
        let base = memory.data_ptr(&store) as usize;
        let float = move |_: Caller<'_, ()>, what: i32, a: i64, b: i64, c: i64| {
            // SAFETY: the memory does not move; compiled code, the only other user of the state, waits.
            let state = unsafe { &mut *(base as *mut u8).add(LAYOUT.state as usize).cast::<State>() };
            crate::float(state, what as u32, [a as u64, b as u64, c as u64]) as i64
        };
        let float = Func::wrap(&mut store, float);
        linker.define(&store, IMPORTS, "float", float)?;
        Ok(Wasmtime { form, engine, store, memory, table, linker, enter: None, next: ROOM })
    }

    fn base(&self) -> *mut u8 {
        self.memory.data_ptr(&self.store)
    }

    /// Where the guest's address 0 is.
    pub fn window(&self) -> *mut u8 {
        self.base().wrapping_add(LAYOUT.window as usize)
    }

    /// Where the page bytes are, 2^20 of them.
    pub fn pages(&self) -> *mut u8 {
        self.base().wrapping_add(LAYOUT.pages as usize)
    }

    /// Where the state is to be.
    pub fn state(&self) -> *mut State {
        self.base().wrapping_add(LAYOUT.state as usize).cast()
    }

    /// Gives the table so many slots.
    fn reach(&mut self, slots: u32) -> Result<()> {
        let size = self.table.size(&self.store);
        if size < u64::from(slots) {
            self.table.grow(&mut self.store, (u64::from(slots) - size).next_multiple_of(256), Ref::Func(None))?;
        }
        Ok(())
    }

    fn instantiate(&mut self, module: &[u8], slots: u32) -> Result<Instance> {
        let module = Module::new(&self.engine, module)?;
        self.reach(slots)?;
        self.linker.instantiate(&mut self.store, &module)
    }
}

impl Host for Wasmtime {
    fn layout(&self) -> Layout {
        LAYOUT
    }

    fn features(&self) -> Features {
        // Cranelift fuses where the processor does, and calls a function that rounds once elsewhere.
        Features { fused: true }
    }

    fn access_form(&self) -> AccessForm {
        self.form
    }

    fn base_slot(&self) -> u32 {
        0
    }

    fn is_immediate(&self) -> bool {
        true
    }

    fn room(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        let end = self.next.checked_add(u32::try_from(bytes).ok()?.next_multiple_of(16))?;
        if end > LAYOUT.state {
            return None;
        }
        let at = std::mem::replace(&mut self.next, end);
        NonNull::new(self.base().wrapping_add(at as usize))
    }

    fn address(&self, room: NonNull<u8>) -> u32 {
        (room.as_ptr() as usize - self.base() as usize) as u32
    }

    fn install(&mut self, _: u32, module: Vec<u8>, slots: u32) -> Installed {
        match self.instantiate(&module, slots) {
            Ok(_) => Installed::Ready,
            Err(error) => {
                debug_assert!(false, "{error:?}");
                Installed::Refused
            }
        }
    }

    unsafe fn enter(&mut self, slot: u32, context: u32, state: *mut State) -> u64 {
        if self.enter.is_none() {
            let function = self.table.get(&mut self.store, ENTER_SLOT.into());
            let function = function.and_then(|function| function.as_func().flatten().copied());
            self.enter = function.and_then(|function| function.typed(&self.store).ok());
        }
        let fuel_at = LAYOUT.state + offset_of!(State, fuel) as u32;
        // SAFETY: the state is in the memory, and nobody else has a reference to it while compiled code runs.
        let fuel = unsafe { (*state).fuel };
        let result = match &self.enter {
            Some(enter) => enter.call(&mut self.store, (slot as i32, context as i32, fuel, fuel_at as i32)),
            None => return friscy_seam::Left::Below.word(),
        };
        // A trap is a fault of the emitter's: the memory may be in any state.
        result.unwrap_or_else(|error| panic!("compiled code trapped: {error:?}")) as u64
    }
}
