//! Plugins of a few instructions, for what no plugin in its right mind does.

use std::path::{Path, PathBuf};

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, InstructionSink, MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::super::{Action, EventKind};

/// What a hook of a guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Answers with this decision: 0 allow, 1 deny, 2 abstain; events and ticks return.
    Answer(u8),
    /// Traps.
    Trap,
    /// Runs for ever.
    Spin,
    /// Asks for more memory than there is.
    Hog,
    /// Calls itself for ever.
    Recurse,
    /// Traps unless the broker started less than a second ago.
    TrapLater,
    /// Hands over two GiB that it does not have.
    Oversize,
    /// Publishes an empty message to `t`.
    Publish,
}

/// A plugin; the hooks that are `None` are not exported.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub(super) init: Does,
    /// The error text of `init`.
    pub(super) refuses: Option<&'static str>,
    pub(super) auth: Option<Does>,
    pub(super) topic_check: Option<Does>,
    pub(super) events: Option<Does>,
    pub(super) ticks: Option<Does>,
    pub(super) actions: Vec<Action>,
    pub(super) kinds: Vec<EventKind>,
    pub(super) tick_seconds: u32,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            init: Does::Answer(0),
            refuses: None,
            auth: None,
            topic_check: None,
            events: None,
            ticks: None,
            actions: Vec::new(),
            kinds: Vec::new(),
            tick_seconds: 0,
        }
    }
}

/// Where the answers lie in the guest's memory.
const INTERESTS: i32 = 16;
const TEXT: i32 = 64;
const VERDICT: i32 = 512;
const TOPIC: i32 = 768;
/// Where arguments are put.
const HEAP: i32 = 1024;

/// The functions that every guest imports, in order; the functions of the guest follow.
const DROP_CLIENT: u32 = 0;
const DROP_EVENT: u32 = 1;
const UPTIME: u32 = 2;
const PUBLISH: u32 = 3;
const IMPORTS: u32 = 4;

impl Guest {
    /// Writes the plugin into a folder.
    pub(super) fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(format!("{name}.wasm"));
        std::fs::write(&path, self.component()).expect("a file");
        path
    }

    fn component(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        resolve.push_dir(wit).expect("the plugin interface");
        let exports: String =
            self.hooks().iter().map(|(hook, ..)| format!("export amqtt:plugin/{hook}@0.1.0;\n")).collect();
        let world = format!(
            "package test:guest;\nworld guest {{\nimport amqtt:plugin/types@0.1.0;\n\
             import amqtt:plugin/broker-info@0.1.0;\nimport amqtt:plugin/publisher@0.1.0;\nexport amqtt:plugin/lifecycle@0.1.0;\n{exports}}}"
        );
        let package = resolve.push_source("guest.wit", &world).expect("a package");
        let world = resolve.select_world(&[package], Some("guest")).expect("a world");
        let mut module = self.module();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
        let mut encoder = ComponentEncoder::default().module(&module).expect("a module").validate(true);
        encoder.encode().expect("a component")
    }

    /// Hook, function, number of parameters, whether it has a result, what it does.
    fn hooks(&self) -> Vec<(&'static str, &'static str, usize, bool, Does)> {
        [
            ("auth", "authenticate", 7, true, self.auth),
            ("topic-check", "check", 9, true, self.topic_check),
            ("events", "handle", 2, false, self.events),
            ("ticks", "tick", 0, false, self.ticks),
        ]
        .into_iter()
        .filter_map(|(hook, function, params, result, does)| Some((hook, function, params, result, does?)))
        .collect()
    }

    /// The core module. Its names and signatures are those of the canonical ABI.
    fn module(&self) -> Vec<u8> {
        let (mut types, mut imports, mut functions) = <(TypeSection, ImportSection, FunctionSection)>::default();
        let (mut exports, mut code) = <(ExportSection, CodeSection)>::default();

        types.ty().function([ValType::I32], []);
        types.ty().function([], [ValType::I64]);
        imports.import("amqtt:plugin/types@0.1.0", "[resource-drop]client", EntityType::Function(0));
        imports.import("amqtt:plugin/types@0.1.0", "[resource-drop]event", EntityType::Function(0));
        imports.import("amqtt:plugin/broker-info@0.1.0", "uptime-seconds", EntityType::Function(1));
        types.ty().function([ValType::I32; 7], []);
        imports.import("amqtt:plugin/publisher@0.1.0", "publish", EntityType::Function(2));

        let mut define = |name: &str, params: usize, result: bool, body: &dyn Fn(&mut InstructionSink<'_>, u32)| {
            let index = IMPORTS + functions.len();
            functions.function(types.len());
            types.ty().function(vec![ValType::I32; params], vec![ValType::I32; usize::from(result)]);
            exports.export(name, ExportKind::Func, index);
            let mut function = Function::new([]);
            body(&mut function.instructions(), index);
            function.instructions().end();
            code.function(&function);
        };

        define("cabi_realloc", 4, true, &|code, _| {
            // The old end of the heap is the answer; the new one is eight-aligned.
            code.global_get(0).global_get(0).local_get(3).i32_add().i32_const(7).i32_add().i32_const(-8).i32_and();
            code.global_set(0);
        });
        define("amqtt:plugin/lifecycle@0.1.0#init", 2, true, &|code, own| {
            write_body(code, own, self.init, 2);
            code.i32_const(INTERESTS);
        });
        define("amqtt:plugin/lifecycle@0.1.0#stop", 0, false, &|_, _| {});
        for (hook, function, params, result, does) in self.hooks() {
            define(&format!("amqtt:plugin/{hook}@0.1.0#{function}"), params, result, &|code, own| {
                write_body(code, own, does, params);
                let decision = if let Does::Answer(decision) = does { decision.into() } else { 0 };
                match hook {
                    "auth" => {
                        code.local_get(0).call(DROP_CLIENT).i32_const(decision);
                    }
                    "topic-check" => {
                        code.local_get(0).call(DROP_CLIENT);
                        code.i32_const(VERDICT).i32_const(decision).i32_store8(at(0));
                        code.i32_const(VERDICT).i32_const(-1).i32_store(at(4));
                        code.i32_const(VERDICT);
                    }
                    "events" => {
                        code.local_get(1).call(DROP_EVENT);
                    }
                    _ => {}
                }
                // Arguments of the next call may lie where those of this one lay.
                code.i32_const(HEAP).global_set(0);
            });
        }
        exports.export("memory", ExportKind::Memory, 0);

        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum: 2, maximum: None, memory64: false, shared: false, page_size_log2: None });
        let mut globals = GlobalSection::new();
        let heap = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(heap, &ConstExpr::i32_const(HEAP));
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&memories).section(&globals);
        module.section(&exports).section(&code).section(&self.data());
        module.finish()
    }

    /// The answer of `init`: `ok` with the interests, or `err` with a text.
    fn data(&self) -> DataSection {
        let kinds: Vec<u8> = self.kinds.iter().map(|kind| *kind as u8).collect();
        let actions = self.actions.iter().fold(0, |set, action| set | 1u32 << *action as u8);
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short");
        let oversize = if self.init == Does::Oversize { 1 << 31 } else { length(&kinds) };
        let (answer, text) = match self.refuses {
            None => ([0, actions, TEXT as u32, oversize, self.tick_seconds], kinds),
            Some(text) => ([1, TEXT as u32, length(text.as_bytes()), 0, 0], text.as_bytes().to_vec()),
        };
        let mut data = DataSection::new();
        data.active(
            0,
            &ConstExpr::i32_const(INTERESTS),
            answer.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>(),
        );
        data.active(0, &ConstExpr::i32_const(TEXT), text);
        data.active(0, &ConstExpr::i32_const(TOPIC), *b"t");
        data
    }
}

fn write_body(code: &mut InstructionSink<'_>, own: u32, does: Does, params: usize) {
    match does {
        Does::Answer(_) | Does::Oversize => {}
        Does::Trap => {
            code.unreachable();
        }
        Does::Spin => {
            code.loop_(wasm_encoder::BlockType::Empty).br(0).end();
        }
        Does::Hog => {
            code.i32_const(512).memory_grow(0).drop();
        }
        Does::Publish => {
            // The byte at TOPIC is `t`; the answer goes where no text is.
            code.i32_const(TOPIC).i32_const(1).i32_const(TOPIC).i32_const(0).i32_const(0).i32_const(0);
            code.i32_const(VERDICT).call(PUBLISH);
        }
        Does::Recurse => {
            (0..params).for_each(|param| {
                code.local_get(u32::try_from(param).expect("few"));
            });
            code.call(own).drop();
        }
        Does::TrapLater => {
            code.call(UPTIME).i64_const(0).i64_ne();
            code.if_(wasm_encoder::BlockType::Empty).unreachable().end();
        }
    }
}

fn at(offset: u64) -> wasm_encoder::MemArg {
    wasm_encoder::MemArg { offset, align: 0, memory_index: 0 }
}
