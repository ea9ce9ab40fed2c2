//! Modules: the functions of some regions, which put themselves into the table when they are instantiated.

use crate::emit::{Body, globals, types};
use crate::layout::context;
use friscy_seam::{Left, Site};
use wasm_encoder::{
    BranchHint, BranchHints, CodeSection, ConstExpr, CustomSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalType, Ieee32, Ieee64, ImportSection, InstructionSink, MemArg,
    MemoryType, Module, RefType, TableType, TypeSection, ValType,
};

/// What modules import from.
pub const IMPORTS: &str = "friscy";

/// A function with its slot in the table.
pub(crate) struct Compiled {
    pub(crate) slot: u32,
    pub(crate) body: Body,
    /// The number of its type.
    pub(crate) ty: u32,
}

/// The slot of the function by which others are entered: slot, context, fuel, and the address at which fuel is stored in
/// the end; where to go on.
pub const ENTER_SLOT: u32 = 0;
/// The slot of the function that leaves with the site in its context.
pub(crate) const LEAVE_SLOT: u32 = 1;
/// The first slot for regions.
pub(crate) const FIRST_SLOT: u32 = 2;

/// The number of a module's first function, behind those that it imports.
pub(crate) const FIRST_FUNCTION: u32 = 1;

/// The functions that each table begins with.
pub(crate) fn first_functions() -> Vec<Compiled> {
    let mut enter = Vec::new();
    let fuel = MemArg { offset: 0, align: 3, memory_index: 0 };
    InstructionSink::new(&mut enter)
        .local_get(1)
        .local_get(2)
        .local_get(0)
        .call_indirect(0, types::CODE)
        .local_set(2)
        .local_get(3)
        .local_get(2)
        .i64_store(fuel)
        .end();
    let mut leave = Vec::new();
    InstructionSink::new(&mut leave)
        .local_get(0)
        .i32_const(context::NUMBER)
        .i32_and()
        .i64_extend_i32_u()
        .i64_const(Left::NUMBER_BITS.into())
        .i64_shl()
        .i64_const(Left::By(Site(0)).word() as i64)
        .i64_or()
        .local_get(1)
        .end();
    vec![
        Compiled { slot: ENTER_SLOT, body: Body { code: enter, ..Body::default() }, ty: types::ENTER },
        Compiled { slot: LEAVE_SLOT, body: Body { code: leave, ..Body::default() }, ty: types::CODE },
    ]
}

/// The names of [`globals`](crate::emit::globals), in their order.
pub(crate) const GLOBALS: [(&str, ValType); 5] = [
    ("base", ValType::I64),
    ("base.low", ValType::I32),
    ("slots", ValType::I32),
    ("cells", ValType::I32),
    ("cache", ValType::I32),
];

/// A module of these functions. Slots count from `base` on in the table.
pub(crate) fn module(functions: &[Compiled], base: u32) -> Vec<u8> {
    let mut module = Module::new();
    put_types_and_imports(&mut module, &[]);
    put_functions(&mut module, functions);
    let mut section = ElementSection::new();
    for (n, function) in functions.iter().enumerate() {
        let slot = ConstExpr::i32_const((base + function.slot) as i32);
        section.active(None, &slot, Elements::Functions([n as u32 + FIRST_FUNCTION][..].into()));
    }
    module.section(&section);
    put_code(&mut module, functions);
    module.finish()
}

/// A module of functions in the order of their slots, which count from a global on, with these custom sections.
pub(crate) fn ahead_module(functions: &[Compiled], custom: &[(&str, &[u8])]) -> Vec<u8> {
    let mut module = Module::new();
    for &(name, data) in custom {
        module.section(&CustomSection { name: name.into(), data: data.into() });
    }
    put_types_and_imports(&mut module, &GLOBALS);
    put_functions(&mut module, functions);
    let mut section = ElementSection::new();
    let numbers: Vec<u32> = (FIRST_FUNCTION..).take(functions.len()).collect();
    section.active(None, &ConstExpr::global_get(globals::SLOTS), Elements::Functions(numbers.into()));
    module.section(&section);
    put_code(&mut module, functions);
    module.finish()
}

fn put_types_and_imports(module: &mut Module, globals: &[(&str, ValType)]) {
    let mut section = TypeSection::new();
    section.ty().function([ValType::I32, ValType::I64], [ValType::I64, ValType::I64]);
    section.ty().function([ValType::I32, ValType::I64, ValType::I64, ValType::I64], [ValType::I64]);
    section.ty().function([ValType::I32, ValType::I32, ValType::I64, ValType::I32], [ValType::I64]);
    module.section(&section);
    let mut section = ImportSection::new();
    let memory = MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None };
    section.import(IMPORTS, "memory", memory);
    let element_type = RefType::FUNCREF;
    let table = TableType { element_type, table64: false, minimum: 0, maximum: None, shared: false };
    section.import(IMPORTS, "table", table);
    section.import(IMPORTS, "float", EntityType::Function(types::FLOAT));
    for &(name, val_type) in globals {
        section.import(IMPORTS, name, GlobalType { val_type, mutable: false, shared: false });
    }
    module.section(&section);
}

fn put_functions(module: &mut Module, functions: &[Compiled]) {
    let mut section = FunctionSection::new();
    functions.iter().for_each(|function| {
        section.function(function.ty);
    });
    module.section(&section);
}

/// Puts the code, and which branches are seldom taken.
fn put_code(module: &mut Module, functions: &[Compiled]) {
    let mut section = CodeSection::new();
    let mut hints = BranchHints::new();
    for (n, function) in functions.iter().enumerate() {
        let mut body = Function::new_with_locals_types(function.body.locals.iter().copied());
        let before = body.byte_len() as u32;
        body.raw(function.body.code.iter().copied());
        section.function(&body);
        if !function.body.hints.is_empty() {
            let moved = function.body.hints.iter().map(|hint| BranchHint {
                branch_func_offset: before + hint.branch_func_offset,
                branch_hint_value: hint.branch_hint_value,
            });
            hints.function_hints(n as u32 + FIRST_FUNCTION, moved);
        }
    }
    module.section(&hints);
    module.section(&section);
}

/// A module whose exported function `fused` says (1) that relaxed multiply-adds round once.
pub fn probe() -> Vec<u8> {
    let mut module = Module::new();
    let mut section = TypeSection::new();
    section.ty().function([], [ValType::I32]);
    module.section(&section);
    let mut section = FunctionSection::new();
    section.function(0);
    module.section(&section);
    let mut section = ExportSection::new();
    section.export("fused", ExportKind::Func, 0);
    module.section(&section);
    // (1 + e) * (1 - e) - 1 is -e^2, and 0 if the product is rounded.
    let (e64, e32) = (2f64.powi(-30), 2f32.powi(-14));
    let mut body = Function::new([]);
    let mut code = body.instructions();
    let doubles = |code: &mut InstructionSink<'_>, sign: f64| {
        for v in [1.0 + e64, sign * (1.0 - e64), -1.0] {
            code.f64_const(Ieee64::from(v)).f64x2_splat();
        }
    };
    let singles = |code: &mut InstructionSink<'_>, sign: f32| {
        for v in [1.0 + e32, sign * (1.0 - e32), -1.0] {
            code.f32_const(Ieee32::from(v)).f32x4_splat();
        }
    };
    doubles(&mut code, 1.0);
    code.f64x2_relaxed_madd().f64x2_extract_lane(0).f64_const(Ieee64::from(-e64 * e64)).f64_eq();
    doubles(&mut code, -1.0);
    code.f64x2_relaxed_nmadd().f64x2_extract_lane(0).f64_const(Ieee64::from(-e64 * e64)).f64_eq().i32_and();
    singles(&mut code, 1.0);
    code.f32x4_relaxed_madd().f32x4_extract_lane(0).f32_const(Ieee32::from(-e32 * e32)).f32_eq().i32_and();
    singles(&mut code, -1.0);
    code.f32x4_relaxed_nmadd().f32x4_extract_lane(0).f32_const(Ieee32::from(-e32 * e32)).f32_eq().i32_and();
    code.end();
    let mut section = CodeSection::new();
    section.function(&body);
    module.section(&section);
    module.finish()
}
