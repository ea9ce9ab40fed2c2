//! Compiling a region: code is made, then every access is checked to find each guest register where it was expected; if
//! one is not found, the region is compiled again with that register stored before the access.

use crate::emit::{
    Access, BASE, COMPUTED_DEPTH, Counted, Emitted, Emitter, Made, Names, Source, Stores, is_computable, signature,
};
use crate::fault::{Base, Computed, Dirty, Faults, Form, Place, Row};
use crate::memory::CHUNK_BYTES;
use crate::plan::Plan;
use crate::saved::Accesses;
use crate::symbol::{Reloc, Symbol};
use cranelift_codegen::binemit;
use cranelift_codegen::ir::{ExternalName, Function, TrapCode, UserFuncName, Value, ValueLabel};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{
    CodegenResult, CompiledCode, Context, FinalizedMachReloc, FinalizedRelocTarget, LabelValueLoc, ValueLabelsRanges,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use friscy_lift_ir::{Region, Type};
use rustc_hash::FxHashMap;
use std::cell::RefCell;

/// How often a region is compiled again at most.
const ATTEMPTS: usize = 6;

/// A compiled region, to be installed.
pub(crate) struct Finished {
    pub(crate) code: Vec<u8>,
    /// Where the code refers to something outside of it.
    pub(crate) relocs: Vec<Reloc>,
    /// Guest addresses of the entries, by number.
    pub(crate) entries: Vec<u64>,
    pub(crate) accesses: Accesses,
    /// How often code was generated.
    pub(crate) attempts: usize,
    /// How many registers are stored before accesses.
    pub(crate) stores: usize,
}

/// The features of this host that code makes use of, as Cranelift names them.
fn host_features() -> impl Iterator<Item = &'static str> {
    let all = [
        ("has_cmpxchg16b", is_x86_feature_detected!("cmpxchg16b")),
        ("has_sse3", is_x86_feature_detected!("sse3")),
        ("has_ssse3", is_x86_feature_detected!("ssse3")),
        ("has_sse41", is_x86_feature_detected!("sse4.1")),
        ("has_sse42", is_x86_feature_detected!("sse4.2")),
        ("has_avx", is_x86_feature_detected!("avx")),
        ("has_avx2", is_x86_feature_detected!("avx2")),
        ("has_fma", is_x86_feature_detected!("fma")),
        ("has_popcnt", is_x86_feature_detected!("popcnt")),
        ("has_bmi1", is_x86_feature_detected!("bmi1")),
        ("has_bmi2", is_x86_feature_detected!("bmi2")),
        ("has_lzcnt", is_x86_feature_detected!("lzcnt")),
    ];
    all.into_iter().filter_map(|(name, has)| has.then_some(name))
}

/// Names the version of code that [`friscy_seam::Tier::save`] gives here: of what made it, and for which host.
pub fn version() -> String {
    let features: Vec<&str> = host_features().collect();
    format!("{} {}", env!("FRISCY_JIT_SOURCES"), features.join(" "))
}

pub(crate) struct Compiler {
    isa: OwnedTargetIsa,
    context: Context,
    builder: FunctionBuilderContext,
    has_fma: bool,
    /// Keeps the text of the code.
    shows: bool,
    /// Stores every register before an access that the state lacks, wherever it might be found.
    pub(crate) stores_all: bool,
}

impl Compiler {
    /// # Panics
    /// If Cranelift does not know this host.
    pub(crate) fn new() -> Compiler {
        let mut flags = settings::builder();
        let on = [("enable_pinned_reg", "true"), ("preserve_frame_pointers", "true"), ("opt_level", "none")];
        let off = [("enable_probestack", "false"), ("unwind_info", "false"), ("enable_alias_analysis", "false")];
        for (name, value) in on.into_iter().chain(off) {
            flags.set(name, value).expect("Cranelift knows the setting");
        }
        let verify = if cfg!(debug_assertions) { "true" } else { "false" };
        flags.set("enable_verifier", verify).expect("Cranelift knows the setting");
        let mut isa = cranelift_codegen::isa::lookup_by_name("x86_64").expect("Cranelift knows x86-64");
        for name in host_features() {
            isa.enable(name).expect("Cranelift knows the feature");
        }
        let isa = isa.finish(settings::Flags::new(flags)).expect("the settings are valid");
        Compiler {
            isa,
            context: Context::new(),
            builder: FunctionBuilderContext::new(),
            has_fma: is_x86_feature_detected!("fma"),
            shows: false,
            stores_all: false,
        }
    }

    /// What Cranelift does first in any case, and then forgets which value stands for which.
    fn simplify(&mut self) -> CodegenResult<()> {
        self.context.compute_cfg();
        self.context.compute_domtree();
        self.context.eliminate_unreachable_code(&*self.isa)?;
        self.context.remove_constant_phis(&*self.isa)
    }

    /// Compiles `region`.
    pub(crate) fn compile(&mut self, region: &Region) -> Emitted<Finished> {
        let plan = Plan::new(region);
        let mut stores = Stores::new();
        for attempts in 1..=ATTEMPTS {
            self.context.clear();
            self.context.set_disasm(self.shows);
            self.context.func = Function::with_name_signature(UserFuncName::default(), signature());
            self.context.func.dfg.collect_debug_info();
            let builder = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
            let mut emitter = Emitter::new(region, &plan, builder, &stores, self.has_fma);
            emitter.stores_all = self.stores_all;
            let entries = emitter.emit()?;
            let made = emitter.finish(self.isa.frontend_config());
            let Made { mut accesses, counted, names, symbols } = made;
            self.simplify().map_err(|_| "Cranelift refused it")?;
            resolve(&self.context.func, &mut accesses, &counted);
            match self.context.compile(&*self.isa, &mut Default::default()) {
                Ok(_) => {}
                Err(error) => {
                    debug_assert!(false, "{:?}\n{}", error.inner, error.func.display());
                    return Err("Cranelift refused it");
                }
            }
            let code = self.context.compiled_code().ok_or("no code")?;
            let function = &self.context.func;
            let relocs = code.buffer.relocs().iter().map(|reloc| relocation(function, &symbols, reloc));
            let relocs = relocs.collect::<Option<Vec<_>>>().ok_or("code with relocations of another kind")?;
            let before = stores.len();
            let finder =
                Finder { region, code, function: &self.context.func, names: &names, computed: RefCell::default() };
            let (rows, dirty) = finder.rows(&accesses, &mut stores)?;
            let faults = Faults { rows, dirty, computed: finder.computed.into_inner() };
            if stores.len() != before {
                continue;
            }
            let code = code.code_buffer().to_vec();
            if code.len() > CHUNK_BYTES {
                return Err("more code than fits in one piece");
            }
            return Ok(Finished { code, relocs, entries, accesses: faults.into(), attempts, stores: stores.len() });
        }
        Err("registers are not found at an access")
    }
}

/// What a place in the code refers to; nothing if it is not the address of a symbol.
fn relocation(function: &Function, symbols: &[Symbol], reloc: &FinalizedMachReloc) -> Option<Reloc> {
    let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = reloc.target else { return None };
    let name = function.params.user_named_funcs().get(name)?;
    let symbol = *symbols.get(name.index as usize)?;
    (reloc.kind == binemit::Reloc::Abs8 && reloc.addend == 0).then_some(Reloc { at: reloc.offset, symbol })
}

/// Makes labels those of the values that stand for theirs: Cranelift drops parameters that are always the same.
fn resolve(function: &Function, accesses: &mut [Access], counted: &Counted) {
    let mut later: FxHashMap<Value, Vec<(Value, i64)>> = FxHashMap::default();
    for (&value, from) in counted {
        later.entry(function.dfg.resolve_aliases(from.root)).or_default().push((value, from.spent));
    }
    let real = |source: &mut Source| {
        if let Source::Label(label) = source {
            *label = function.dfg.resolve_aliases(Value::from_u32(*label)).as_u32();
        }
    };
    for access in accesses {
        if let Some((Source::Label(label), mut spent)) = access.fuel.pop() {
            let mut root = Value::from_u32(label);
            loop {
                root = function.dfg.resolve_aliases(root);
                access.fuel.push((Source::Label(root.as_u32()), spent));
                // A load may be done where its value is needed, when fuel has been counted already.
                let later = later.get(&root).into_iter().flatten();
                access.fuel.extend(later.map(|(v, more)| (Source::Label(v.as_u32()), spent - more)));
                let Some(from) = counted.get(&root) else { break };
                (root, spent) = (from.root, spent + from.spent);
            }
        }
        if let Err((_, _, source)) = &mut access.base {
            real(source);
        }
        access.dirty.iter_mut().for_each(|(.., source)| real(source));
    }
}

/// Compiles `region` to be looked at: Cranelift's IR, and the host's instructions.
///
/// # Errors
/// Why the region cannot be compiled.
pub fn inspect(region: &Region) -> Result<(String, String), &'static str> {
    let mut compiler = Compiler::new();
    compiler.shows = true;
    compiler.compile(region)?;
    let clif = compiler.context.func.display().to_string();
    let code = compiler.context.compiled_code().and_then(|code| code.vcode.clone());
    Ok((clif, code.unwrap_or_default()))
}

/// Finds values in finished code.
struct Finder<'a> {
    region: &'a Region,
    code: &'a CompiledCode,
    function: &'a Function,
    names: &'a Names,
    computed: RefCell<Vec<Computed>>,
}

impl Finder<'_> {
    /// Where everything is at each access. What is not found is added to `stores`.
    fn rows(&self, accesses: &[Access], stores: &mut Stores) -> Emitted<(Vec<Row>, Vec<Dirty>)> {
        let code = self.code;
        let (mut rows, mut dirty) = (Vec::new(), Vec::new());
        let srclocs = code.buffer.get_srclocs_sorted();
        let traps = code.buffer.traps().iter().filter(|trap| trap.code == TrapCode::HEAP_OUT_OF_BOUNDS);
        for trap in traps {
            let at = trap.offset;
            let place = srclocs.partition_point(|range| range.end <= at);
            let number = srclocs.get(place).filter(|range| range.start <= at).map(|range| range.loc.bits());
            let (number, access) = number
                .and_then(|number| Some((number, accesses.get(number as usize)?)))
                .ok_or("an access without its number")?;
            let find = |source| find(&code.value_labels_ranges, source, at);
            let first = dirty.len() as u32;
            for &(register, v, form, source) in &access.dirty {
                let there = find(source).map(|place| (form, place)).or_else(|| self.find(v, at, COMPUTED_DEPTH));
                match there {
                    Some((form, place)) => dirty.push(Dirty { register, form, place }),
                    None => {
                        stores.insert((number, register));
                    }
                }
            }
            let base = match access.base {
                Ok(register) => Base::Register(register),
                Err((_, _, Source::Stored)) => Base::Stored,
                Err((v, form, source)) => {
                    match find(source).map(|place| (form, place)).or_else(|| self.find(v, at, COMPUTED_DEPTH)) {
                        Some((form, place)) => Base::Place(form, place),
                        None => {
                            stores.insert((number, BASE));
                            Base::Stored
                        }
                    }
                }
            };
            // Fuel is used on every way on.
            let fuel = access.fuel.iter().find_map(|&(source, spent)| Some((find(source)?, spent)));
            let (fuel, spent) = fuel.ok_or("fuel is not found at an access")?;
            rows.push(Row {
                at,
                pc: access.pc,
                spent,
                write: access.write,
                base,
                disp: access.disp,
                fuel,
                dirty: (first, dirty.len() as u32),
                restart: access.restart,
            });
        }
        rows.sort_by_key(|row| row.at);
        Ok((rows, dirty))
    }

    /// Where an integer is at an offset: in a place, as its low half, or computed from others.
    fn find(&self, v: friscy_lift_ir::Value, at: u32, depth: u32) -> Option<(Form, Place)> {
        if let Some(imm) = self.region.as_const(v) {
            return Some((Form::Whole, Place::Const(imm as u64)));
        }
        if self.region.values[v.index()].ty != Type::I64 {
            return None;
        }
        for (names, form) in [(&self.names.whole, Form::Whole), (&self.names.narrow, Form::Narrow)] {
            let Some(name) = names[v.index()] else { continue };
            if !self.function.dfg.value_type(name).is_int() {
                return None;
            }
            let label = Source::Label(self.function.dfg.resolve_aliases(name).as_u32());
            if let Some(place) = find(&self.code.value_labels_ranges, label, at) {
                return Some((form, place));
            }
        }
        let inst = self.region.def(v).filter(|inst| depth > 0 && is_computable(inst.op))?;
        let mut args = [(Form::Whole, Place::Const(0)); 3];
        for (arg, &v) in args.iter_mut().zip(&inst.args).filter(|(_, v)| **v != friscy_lift_ir::Value::NONE) {
            *arg = self.find(v, at, depth - 1)?;
        }
        let mut computed = self.computed.borrow_mut();
        computed.push(Computed { op: inst.op, args });
        Some((Form::Whole, Place::Computed(computed.len() as u32 - 1)))
    }
}

fn find(ranges: &ValueLabelsRanges, source: Source, at: u32) -> Option<Place> {
    let label = match source {
        Source::Const(value) => return Some(Place::Const(value)),
        Source::Stored | Source::Nowhere => return None,
        Source::Label(label) => ValueLabel::from_u32(label),
    };
    let range = ranges.get(&label)?.iter().find(|range| range.start <= at && at < range.end)?;
    Some(match range.loc {
        LabelValueLoc::Reg(reg) => {
            let reg = reg.to_real_reg()?;
            let number = reg.hw_enc();
            match reg.class() {
                cranelift_codegen::RegClass::Int => Place::Gpr(number),
                _ => Place::Xmm(number),
            }
        }
        LabelValueLoc::CFAOffset(offset) => Place::Frame(i32::try_from(offset).ok()?),
    })
}
