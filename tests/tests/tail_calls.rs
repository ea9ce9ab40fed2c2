//! The interpreter's handlers in the browser's module go on to each other by tail calls, whatever the compiler and its
//! flags: a call instead would grow the browser's stack with every guest instruction until it ends.
//!
//! A handler is a function of the module's table with the handlers' type. What is asserted of each: it calls no function
//! of that type but by `return_call` or `return_call_indirect`. And that nearly all go on so, and nearly all leave the stack
//! in linear memory alone, so that the test sees what it means.

use friscy_tests::places::web_asset;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use wasmparser::{ElementItems, ExternalKind, KnownCustom, Name, Operator, Parser, Payload, TypeRef, ValType};

/// The type of a handler: the place in the code, the state, the window, and fuel; it answers an exit code.
const PARAMETERS: [ValType; 4] = [ValType::I32, ValType::I32, ValType::I32, ValType::I64];
const RESULTS: [ValType; 1] = [ValType::I64];

/// Handlers that end a passage: they do not go on by themselves.
const ENDS: usize = 16;

/// Handlers of the high half of a product: the function that multiplies 128 bits answers in memory.
const STACK_USERS: usize = 3;

#[derive(Default)]
struct Module {
    /// Numbers of types that are the handlers'.
    handler_types: BTreeSet<u32>,
    /// The type of every function, imported ones first.
    functions: Vec<u32>,
    in_table: BTreeSet<u32>,
    stack_pointer: Option<u32>,
    names: BTreeMap<u32, String>,
}

impl Module {
    fn name(&self, function: u32) -> String {
        self.names.get(&function).cloned().unwrap_or_else(|| format!("function {function}"))
    }

    fn is_handler_type(&self, function: u32) -> bool {
        self.functions.get(function as usize).is_some_and(|number| self.handler_types.contains(number))
    }
}

#[test]
fn handlers_go_on_by_tail_calls() {
    let bytes = fs::read(web_asset("cpu.wasm")).unwrap();
    let mut module = Module::default();
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::TypeSection(types) => {
                for (number, ty) in types.into_iter_err_on_gc_types().enumerate() {
                    let ty = ty.unwrap();
                    if ty.params() == PARAMETERS && ty.results() == RESULTS {
                        module.handler_types.insert(number as u32);
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if let TypeRef::Func(number) = import.unwrap().ty {
                        module.functions.push(number);
                    }
                }
            }
            Payload::FunctionSection(functions) => module.functions.extend(functions.into_iter().map(|f| f.unwrap())),
            Payload::ElementSection(segments) => {
                for segment in segments {
                    if let ElementItems::Functions(functions) = segment.unwrap().items {
                        module.in_table.extend(functions.into_iter().map(|function| function.unwrap()));
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export.unwrap();
                    if export.kind == ExternalKind::Global && export.name == "__stack_pointer" {
                        module.stack_pointer = Some(export.index);
                    }
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    for part in names {
                        if let Ok(Name::Function(functions)) = part {
                            for naming in functions {
                                let naming = naming.unwrap();
                                module.names.insert(naming.index, naming.name.to_owned());
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let stack_pointer = module.stack_pointer.expect("the module exports its stack pointer");
    let imported = module.functions.len() - bodies.len();

    let (mut handlers, mut ends, mut stack_users, mut wrong) = (0, Vec::new(), Vec::new(), Vec::new());
    for (at, body) in bodies.iter().enumerate() {
        let function = (imported + at) as u32;
        if !module.in_table.contains(&function) || !module.is_handler_type(function) {
            continue;
        }
        handlers += 1;
        let (mut goes_on, mut stack_moves) = (false, 0);
        for operator in body.get_operators_reader().unwrap() {
            let bad = match operator.unwrap() {
                Operator::Call { function_index } => module.is_handler_type(function_index),
                Operator::CallIndirect { type_index, .. } => module.handler_types.contains(&type_index),
                Operator::GlobalSet { global_index } => {
                    stack_moves += usize::from(global_index == stack_pointer);
                    false
                }
                Operator::ReturnCall { function_index } => {
                    goes_on |= module.is_handler_type(function_index);
                    false
                }
                Operator::ReturnCallIndirect { type_index, .. } => {
                    goes_on |= module.handler_types.contains(&type_index);
                    false
                }
                _ => false,
            };
            if bad {
                wrong.push(module.name(function));
            }
        }
        if stack_moves > 0 {
            assert_eq!(stack_moves, 2, "{} takes stack and gives it back", module.name(function));
            stack_users.push(module.name(function));
        }
        if !goes_on {
            ends.push(module.name(function));
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{} of {handlers} handlers call handlers: {wrong:#?}", wrong.len());
    assert!(stack_users.len() <= STACK_USERS, "{stack_users:#?}");
    assert!(handlers > 500, "{handlers} handlers");
    assert!(ends.len() <= ENDS, "{} of {handlers} handlers do not go on: {ends:#?}", ends.len());
}
