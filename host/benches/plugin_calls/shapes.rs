//! What the shape of an interface costs: guests of a few instructions, each with an interface of its own.
//!
//! They do nothing, so that all that is measured is the call: handing over what it is called with, and taking the
//! answer. `check` has the parameters of the plugin interface as it is; the others leave out or put in parts of it.

use std::hint::black_box;

use criterion::Criterion;
use wasm_encoder::{
    CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, ImportSection, MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wasmtime::component::{
    Component, ComponentNamedList, ComponentType, Lift, Linker, Lower, Resource, ResourceType, TypedFunc,
};
use wasmtime::{Engine, Store};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;
use wit_parser::abi::{AbiVariant, WasmType};

use crate::engine_config::base_config;
use crate::{CLIENT_ID, TOPIC, USERNAME};

/// What the handles stand for.
struct Handle;

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "the interface has it")]
enum Action {
    #[component(name = "publish")]
    Publish,
    #[component(name = "subscribe")]
    Subscribe,
    #[component(name = "receive")]
    Receive,
}

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
struct Verdict {
    decision: Action,
    #[component(name = "cache-seconds")]
    cache_seconds: u32,
}

/// What the request handle tells, by value.
#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
struct Facts {
    qos: u8,
    retain: bool,
    #[component(name = "payload-length")]
    payload_length: Option<u64>,
}

/// Where the answer lies, and where arguments are put.
const VERDICT: i32 = 16;
const HEAP: i32 = 1024;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("interface");
    let strings = "client-id: string, username: option<string>, action: action, topic: string";

    let (mut store, call) = guest::<(), ()>("", "", 0, false);
    group.bench_function("empty", |bencher| bencher.iter(|| call.call(&mut store, ()).unwrap()));

    let (mut store, call) = guest::<(u32, u32, Action), (Action,)>("a: u32, b: u32, c: action", "action", 0, false);
    group.bench_function("two integers, an enum", |bencher| {
        bencher.iter(|| call.call(&mut store, black_box((1, 2, Action::Publish))).unwrap());
    });

    let (mut store, call) =
        guest::<(&str, Action, &str), (bool,)>("client-id: string, action: action, topic: string", "bool", 0, false);
    group.bench_function("two strings, an enum", |bencher| {
        bencher.iter(|| call.call(&mut store, black_box((CLIENT_ID, Action::Publish, TOPIC))).unwrap());
    });

    type Strings = (&'static str, Option<&'static str>, Action, &'static str);
    let given = || black_box((CLIENT_ID, Some(USERNAME), Action::Publish, TOPIC));
    let (mut store, call) = guest::<Strings, (Verdict,)>(strings, "verdict", 0, true);
    group.bench_function("check without handles", |bencher| bencher.iter(|| call.call(&mut store, given()).unwrap()));

    type WithFacts = (Facts, &'static str, Option<&'static str>, Action, &'static str);
    let (mut store, call) = guest::<WithFacts, (Verdict,)>(&format!("facts: facts, {strings}"), "verdict", 0, true);
    group.bench_function("check with a record in place of handles", |bencher| {
        bencher.iter(|| {
            let (client_id, username, action, topic) = given();
            let facts = Facts { qos: 0, retain: false, payload_length: Some(64) };
            call.call(&mut store, (facts, client_id, username, action, topic)).unwrap()
        });
    });

    type OneHandle = (Resource<Handle>, &'static str, Option<&'static str>, Action, &'static str);
    let params = format!("client: borrow<handle>, {strings}");
    let (mut store, call) = guest::<OneHandle, (Verdict,)>(&params, "verdict", 1, true);
    group.bench_function("check with one handle", |bencher| {
        bencher.iter(|| {
            let (client_id, username, action, topic) = given();
            call.call(&mut store, (Resource::new_borrow(0), client_id, username, action, topic)).unwrap()
        });
    });

    type TwoHandles = (Resource<Handle>, Resource<Handle>, &'static str, Option<&'static str>, Action, &'static str);
    let params = format!("client: borrow<handle>, request: borrow<handle>, {strings}");
    let (mut store, call) = guest::<TwoHandles, (Verdict,)>(&params, "verdict", 2, true);
    group.bench_function("check with two handles", |bencher| {
        bencher.iter(|| {
            let (client_id, username, action, topic) = given();
            let handles = (Resource::new_borrow(0), Resource::new_borrow(0));
            call.call(&mut store, (handles.0, handles.1, client_id, username, action, topic)).unwrap()
        });
    });

    type HandlesOnly = (Resource<Handle>, Resource<Handle>);
    let params = "client: borrow<handle>, request: borrow<handle>";
    let (mut store, call) = guest::<HandlesOnly, (bool,)>(params, "bool", 2, false);
    group.bench_function("two handles and nothing else", |bencher| {
        bencher.iter(|| call.call(&mut store, (Resource::new_borrow(0), Resource::new_borrow(0))).unwrap());
    });
}

/// A guest that exports one function, which gives back `handles` handles and answers at once.
fn guest<Params, Return>(
    params: &str,
    result: &str,
    handles: u32,
    in_memory: bool,
) -> (Store<()>, TypedFunc<Params, Return>)
where
    Params: ComponentNamedList + Lower,
    Return: ComponentNamedList + Lift,
{
    let answer = if result.is_empty() { String::new() } else { format!(" -> {result}") };
    let wit = format!(
        "package test:shape;
        interface types {{ resource handle; }}
        interface hook {{
            use types.{{handle}};
            enum action {{ publish, subscribe, receive }}
            record verdict {{ decision: action, cache-seconds: u32 }}
            record facts {{ qos: u8, retain: bool, payload-length: option<u64> }}
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

    let mut module = module(&params, &results, handles, if in_memory { VERDICT } else { 0 });
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let component = ComponentEncoder::default().module(&module).unwrap().encode().unwrap();

    let engine = Engine::new(&base_config()).unwrap();
    let component = Component::new(&engine, component).unwrap();
    let mut linker = Linker::new(&engine);
    let mut types = linker.instance("test:shape/types").unwrap();
    types.resource("handle", ResourceType::host::<Handle>(), |_, _| Ok(())).unwrap();
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(1);
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let hook = instance.get_export_index(&mut store, None, "test:shape/hook").unwrap();
    let call = instance.get_export_index(&mut store, Some(&hook), "call").unwrap();
    let call = instance.get_typed_func(&mut store, call).unwrap();
    (store, call)
}

/// A module whose one function gives back the handles, which are its first parameters, and answers a constant.
fn module(params: &[ValType], results: &[ValType], handles: u32, answer: i32) -> Vec<u8> {
    let (mut types, mut imports, mut functions) = <(TypeSection, ImportSection, FunctionSection)>::default();
    let (mut exports, mut code, mut module) = <(ExportSection, CodeSection, Module)>::default();
    types.ty().function([ValType::I32], []);
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    types.ty().function(params.iter().copied(), results.iter().copied());
    if handles > 0 {
        imports.import("test:shape/types", "[resource-drop]handle", EntityType::Function(0));
    }
    let imported = imports.len();
    functions.function(1).function(2);
    exports.export("cabi_realloc", ExportKind::Func, imported);
    exports.export("test:shape/hook#call", ExportKind::Func, imported + 1);
    exports.export("memory", ExportKind::Memory, 0);

    let mut realloc = Function::new([]);
    realloc.instructions().global_get(0).global_get(0).local_get(3).i32_add().global_set(0).end();
    code.function(&realloc);
    let mut call = Function::new([]);
    (0..handles).for_each(|handle| {
        call.instructions().local_get(handle).call(0);
    });
    call.instructions().i32_const(HEAP).global_set(0);
    if !results.is_empty() {
        call.instructions().i32_const(answer);
    }
    call.instructions().end();
    code.function(&call);

    let mut memories = MemorySection::new();
    let memory = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    memories.memory(memory);
    let mut globals = GlobalSection::new();
    let heap = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
    globals.global(heap, &ConstExpr::i32_const(HEAP));
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&globals);
    module.section(&exports).section(&code);
    module.finish()
}

fn value_type(of: &WasmType) -> ValType {
    match of {
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        _ => ValType::I32,
    }
}
