//! Guests of a few instructions, each with an interface of its own.
//!
//! They do next to nothing, so that all that is measured is the call: handing over what it is called with, and taking
//! the answer.

use std::hint::black_box;

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, InstructionSink, MemArg, MemorySection, MemoryType, Module, TypeSection,
    ValType,
};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, ComponentType, InstancePre, Lift, Linker, Lower, ResourceType,
    TypedFunc,
};
use wasmtime::{Config, Engine, Store};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;
use wit_parser::abi::{AbiVariant, WasmType};

use crate::engine_config::base_config;
use crate::{CLIENT_ID, TOPIC};

/// What the handles stand for.
pub(crate) struct Handle;

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "the interface has it")]
pub(crate) enum Action {
    #[component(name = "publish")]
    Publish,
    #[component(name = "subscribe")]
    Subscribe,
    #[component(name = "receive")]
    Receive,
}

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Verdict {
    decision: Action,
    #[component(name = "cache-seconds")]
    cache_seconds: u32,
}

/// A guest that exports one function.
#[derive(Default)]
pub(crate) struct Guest<'a> {
    /// What the function takes.
    pub(crate) params: &'a str,
    /// What it answers; nothing if this is empty.
    pub(crate) result: &'a str,
    pub(crate) answer: Answer,
    pub(crate) does: Does,
}

/// Where the answer is.
#[derive(Clone, Copy, Default)]
pub(crate) enum Answer {
    /// It is a number, which is 0.
    #[default]
    Flat,
    /// It lies in memory, and is all zeros.
    Zeros,
    /// It lies in memory, and is a list of eight zeros.
    EightZeros,
}

/// What the function does before it answers.
#[derive(Clone, Copy, Default)]
pub(crate) enum Does {
    #[default]
    Nothing,
    /// Gives back so many handles, which are its first parameters.
    Drops(u32),
    /// Goes round a loop as often as its first parameter says, and adds up a byte of its memory each time.
    Loops,
}

/// The guest of the least that a check needs, and what it is called with.
pub(crate) const CHECK: Guest<'static> = Guest {
    params: "client-id: string, action: action, topic: string",
    result: "bool",
    answer: Answer::Flat,
    does: Does::Nothing,
};
pub(crate) type Check = (&'static str, Action, &'static str);

pub(crate) fn check() -> Check {
    black_box((CLIENT_ID, Action::Publish, TOPIC))
}

/// Where answers lie and what lies there, and where arguments are put.
const ZEROS: i32 = 16;
const EIGHT_ZEROS: i32 = 32;
const HEAP: i32 = 1024;

/// A byte at the address that is given.
const BYTE: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };

/// A component that is compiled, and its function.
pub(crate) struct Compiled {
    pub(crate) instance: InstancePre<()>,
    pub(crate) call: ComponentExportIndex,
}

impl Guest<'_> {
    /// An instance in a store of its own, and its function; the engine has the broker's settings.
    pub(crate) fn start<Params, Return>(&self) -> (Store<()>, TypedFunc<Params, Return>)
    where
        Params: ComponentNamedList + Lower,
        Return: ComponentNamedList + Lift,
    {
        let compiled = self.compile(&base_config());
        let mut store = compiled.store();
        store.set_epoch_deadline(1);
        let call = compiled.start(&mut store);
        (store, call)
    }

    /// The guest, compiled with these settings.
    pub(crate) fn compile(&self, config: &Config) -> Compiled {
        let engine = Engine::new(config).unwrap();
        let component = Component::new(&engine, self.component()).unwrap();
        let mut linker = Linker::new(&engine);
        let mut types = linker.instance("test:shape/types").unwrap();
        types.resource("handle", ResourceType::host::<Handle>(), |_, _| Ok(())).unwrap();
        let hook = component.get_export_index(None, "test:shape/hook").unwrap();
        let call = component.get_export_index(Some(&hook), "call").unwrap();
        Compiled { instance: linker.instantiate_pre(&component).unwrap(), call }
    }

    /// The bytes of the component.
    fn component(&self) -> Vec<u8> {
        let Self { params, result, .. } = self;
        let answer = if result.is_empty() { String::new() } else { format!(" -> {result}") };
        let wit = format!(
            "package test:shape;
            interface types {{ resource handle; }}
            interface hook {{
                use types.{{handle}};
                enum action {{ publish, subscribe, receive }}
                record verdict {{ decision: action, cache-seconds: u32 }}
                record facts {{ qos: u8, retain: bool, payload-length: option<u64> }}
                record request {{
                    client-id: string, username: option<string>, action: action, topic: string,
                    qos: u8, retain: bool, payload-length: u64, keep-alive-seconds: u16,
                }}
                record request-with-properties {{
                    client-id: string, username: option<string>, action: action, topic: string,
                    qos: u8, retain: bool, payload-length: u64,
                    user-properties: list<tuple<string, string>>,
                }}
                call: func({params}){answer};
            }}
            world guest {{ import types; export hook; }}"
        );
        let mut resolve = Resolve::default();
        let package = resolve.push_source("shape.wit", &wit).unwrap();
        let world = resolve.select_world(&[package], Some("guest")).unwrap();
        let hook = resolve.packages[package].interfaces["hook"];
        let signature = resolve.wasm_signature(AbiVariant::GuestExport, &resolve.interfaces[hook].functions["call"]);
        let params: Vec<ValType> = signature.params.iter().map(value_type).collect();
        let results: Vec<ValType> = signature.results.iter().map(value_type).collect();
        let mut module = self.module(&params, &results);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
    }

    fn module(&self, params: &[ValType], results: &[ValType]) -> Vec<u8> {
        let (mut types, mut imports, mut functions) = <(TypeSection, ImportSection, FunctionSection)>::default();
        let (mut exports, mut code, mut module) = <(ExportSection, CodeSection, Module)>::default();
        types.ty().function([ValType::I32], []);
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        types.ty().function(params.iter().copied(), results.iter().copied());
        if matches!(self.does, Does::Drops(_)) {
            imports.import("test:shape/types", "[resource-drop]handle", EntityType::Function(0));
        }
        let imported = imports.len();
        functions.function(1).function(2);
        exports.export("cabi_realloc", ExportKind::Func, imported);
        exports.export("test:shape/hook#call", ExportKind::Func, imported + 1);
        exports.export("memory", ExportKind::Memory, 0);

        let mut realloc = Function::new([]);
        take_from_heap(&mut realloc.instructions());
        code.function(&realloc);
        let mut call = Function::new([(1, ValType::I32)]);
        self.answer(&mut call.instructions(), params.len() as u32, !results.is_empty());
        code.function(&call);

        let mut memories = MemorySection::new();
        let memory = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
        memories.memory(memory);
        let mut globals = GlobalSection::new();
        let heap = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(heap, &ConstExpr::i32_const(HEAP));
        let mut data = DataSection::new();
        let list = [ZEROS, 8].map(i32::to_le_bytes).concat();
        data.active(0, &ConstExpr::i32_const(EIGHT_ZEROS), list);
        module.section(&types).section(&imports).section(&functions).section(&memories).section(&globals);
        module.section(&exports).section(&code).section(&data);
        module.finish()
    }

    /// The function itself, whose one variable comes behind its parameters.
    fn answer(&self, call: &mut InstructionSink<'_>, variable: u32, has_result: bool) {
        match self.does {
            Does::Nothing => {}
            Does::Drops(handles) => (0..handles).for_each(|handle| {
                call.local_get(handle).call(0);
            }),
            Does::Loops => {
                call.loop_(wasm_encoder::BlockType::Empty);
                // Below the heap.
                call.local_get(0).i32_const(HEAP - 1).i32_and().i32_load8_u(BYTE);
                call.local_get(variable).i32_add().local_set(variable);
                call.local_get(0).i32_const(1).i32_sub().local_tee(0).br_if(0).end();
            }
        }
        // What a call has put there is not needed any more.
        call.i32_const(HEAP).global_set(0);
        if has_result {
            match self.answer {
                Answer::Flat if matches!(self.does, Does::Loops) => call.local_get(variable),
                Answer::Flat => call.i32_const(0),
                Answer::Zeros => call.i32_const(ZEROS),
                Answer::EightZeros => call.i32_const(EIGHT_ZEROS),
            };
        }
        call.end();
    }
}

impl Compiled {
    /// A store for an instance.
    pub(crate) fn store(&self) -> Store<()> {
        Store::new(self.instance.engine(), ())
    }

    /// A new instance in `store`: its function.
    pub(crate) fn start<Params, Return>(&self, store: &mut Store<()>) -> TypedFunc<Params, Return>
    where
        Params: ComponentNamedList + Lower,
        Return: ComponentNamedList + Lift,
    {
        let instance = self.instance.instantiate(&mut *store).unwrap();
        instance.get_typed_func(store, self.call).unwrap()
    }
}

/// `cabi_realloc`: room behind what was given before, aligned as asked, never given back.
fn take_from_heap(realloc: &mut InstructionSink<'_>) {
    let (align, size, place) = (2, 3, 0);
    // The next place that is a multiple of the alignment, a power of two.
    realloc.global_get(0).local_get(align).i32_add().i32_const(1).i32_sub();
    realloc.i32_const(0).local_get(align).i32_sub().i32_and().local_tee(place);
    realloc.local_get(size).i32_add().global_set(0).local_get(place).end();
}

fn value_type(of: &WasmType) -> ValType {
    match of {
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        _ => ValType::I32,
    }
}
