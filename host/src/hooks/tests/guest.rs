//! Plugins of a few instructions, for what no plugin in its right mind does.

use std::path::{Path, PathBuf};

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, InstructionSink, MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::super::limits::{HANDOVER_BYTES_MAX, MEMORY_BYTES_MAX};
use super::super::{Action, EventKind};

/// The misbehaviours, and all of them in a list, so that none goes untested.
macro_rules! does {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a hook of a guest does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Does {
            /// Answers with this decision: 0 allow, 1 deny, 2 abstain; events and ticks return.
            Answer(u8),
            $($(#[$doc])* $name,)*
        }

        impl Does {
            /// All but the answers.
            pub(super) const MISBEHAVIOURS: &[Self] = &[$(Self::$name,)*];
        }
    };
}

does! {
    /// Traps.
    Trap,
    /// Runs for ever.
    Spin,
    /// Fills all the memory that it may have, and asks for more.
    Hog,
    /// Calls itself for ever.
    Recurse,
    /// Traps unless the broker started less than a second ago.
    TrapLater,
    /// Answers what is no answer: `init` with two GiB that it does not have, others outside of their memory.
    WrongAnswer,
    /// Publishes an empty message to `t`, once.
    Publish,
    /// Publishes more messages than it may, and goes on.
    PublishStorm,
    /// Writes more lines to the log than it may, and goes on.
    LogFlood,
    /// Hands a message to the log that is larger than what may be handed over.
    HugeMessage,
    /// Answers more than may be handed over, and has it all: `init` an error text of 12 MiB, `enhanced-auth` a challenge of
    /// so much, `check-many` a million verdicts. Others answer as they should.
    HugeAnswer,
    /// Waits for an hour, by WASI.
    Wait,
    /// Ends the process, by WASI.
    Exit,
    /// Traps if WASI gives it any folder, variable or argument.
    LookAround,
    /// Writes a line and a half to standard output, by WASI.
    Print,
}

/// The authentication method that a guest with `enhanced-auth` serves.
pub(super) const METHOD: &str = "method";

/// A plugin; the hooks that are `None` are not exported.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub(super) init: Does,
    pub(super) stop: Does,
    /// The error text of `init`.
    pub(super) refuses: Option<&'static str>,
    pub(super) auth: Option<Does>,
    /// Of the method `METHOD`.
    pub(super) enhanced_auth: Option<Does>,
    pub(super) topic_check: Option<Does>,
    pub(super) events: Option<Does>,
    pub(super) ticks: Option<Does>,
    pub(super) actions: Vec<Action>,
    pub(super) kinds: Vec<EventKind>,
    pub(super) tick_seconds: u32,
    /// What `check` extends its answer to.
    pub(super) extends_to: Option<&'static str>,
    /// By how many its answer to `check-many` is too short.
    pub(super) verdicts_left_out: i32,
    /// Whether `init` returns with a handle that it was lent.
    pub(super) keeps_handle: bool,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            init: Does::Answer(0),
            stop: Does::Answer(0),
            refuses: None,
            auth: None,
            enhanced_auth: None,
            topic_check: None,
            events: None,
            ticks: None,
            actions: Vec::new(),
            kinds: Vec::new(),
            tick_seconds: 0,
            extends_to: None,
            verdicts_left_out: 0,
            keeps_handle: false,
        }
    }
}

/// A component whose `stop` takes a number, which that of the plugin interface does not.
pub(super) fn misfit() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = "package amqtt:plugin@1.0.0;\ninterface lifecycle { stop: func(number: u32); init: func(); }\n\
               world guest { export lifecycle; }";
    let package = resolve.push_source("misfit.wit", wit).expect("a package");
    let world = resolve.select_world(&[package], Some("guest")).expect("a world");
    let (mut types, mut functions) = <(TypeSection, FunctionSection)>::default();
    let (mut exports, mut code) = <(ExportSection, CodeSection)>::default();
    for (index, (name, params)) in (0..).zip([("stop", 1), ("init", 0)]) {
        types.ty().function(vec![ValType::I32; params], []);
        functions.function(index);
        exports.export(&format!("amqtt:plugin/lifecycle@1.0.0#{name}"), ExportKind::Func, index);
        let mut function = Function::new([]);
        function.instructions().end();
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&exports).section(&code);
    let mut module = module.finish();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
    ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode()).expect("a component")
}

/// Where the answers lie in the guest's memory.
const STARTED: i32 = 16;
const TEXT: i32 = 64;
const KINDS: i32 = 128;
const VERDICT: i32 = 512;
const TOPIC: i32 = 768;
const PRINTED: i32 = 800;
const EXTENSION: i32 = 896;
const METHOD_NAME: i32 = 960;
const PRINTED_TEXT: &[u8] = b"printed\nhalf";
/// Where arguments are put.
const HEAP: i32 = 1024;
/// Where the verdicts of `check-many` lie: the second page.
const VERDICTS: i32 = 65_536;
/// Where an answer lies that is too large: from the end of the first memory on.
const HUGE_ANSWER: i32 = (MEMORY_PAGES as i32) << 16;
const HUGE_ANSWER_BYTES: i32 = 12 << 20;
const MANY_VERDICTS: i32 = 1_000_000;

/// The functions that every guest imports, in order; the functions of the guest follow.
const DROP_CLIENT: u32 = 0;
const DROP_EVENT: u32 = 1;
const DROP_AUTH_REQUEST: u32 = 2;
const DROP_TOPIC_REQUEST: u32 = 3;
const DROP_REGISTRATION: u32 = 4;
const DECIDE: u32 = 5;
const OBSERVE: u32 = 6;
const TICK_EVERY: u32 = 7;
const UPTIME: u32 = 8;
const PUBLISH: u32 = 9;
const LOG: u32 = 10;
const EXTEND: u32 = 11;
const SERVE_METHOD: u32 = 12;
const IMPORTS: u32 = 13;

/// Those that a guest with WASI imports after these: interface, function, parameters, whether it has a result.
const WASI: [(&str, &str, &[ValType], bool); 9] = [
    ("wasi:cli/exit@0.2.3", "exit", &[ValType::I32], false),
    ("wasi:clocks/monotonic-clock@0.2.3", "subscribe-duration", &[ValType::I64], true),
    ("wasi:io/poll@0.2.3", "[method]pollable.block", &[ValType::I32], false),
    ("wasi:cli/stdout@0.2.3", "get-stdout", &[], true),
    ("wasi:io/streams@0.2.3", "[method]output-stream.blocking-write-and-flush", &[ValType::I32; 4], false),
    ("wasi:io/streams@0.2.3", "[resource-drop]output-stream", &[ValType::I32], false),
    ("wasi:filesystem/preopens@0.2.3", "get-directories", &[ValType::I32], false),
    ("wasi:cli/environment@0.2.3", "get-environment", &[ValType::I32], false),
    ("wasi:cli/environment@0.2.3", "get-arguments", &[ValType::I32], false),
];
const EXIT: u32 = IMPORTS;
const SUBSCRIBE: u32 = IMPORTS + 1;
const BLOCK: u32 = IMPORTS + 2;
const STDOUT: u32 = IMPORTS + 3;
const WRITE: u32 = IMPORTS + 4;
const DROP_STREAM: u32 = IMPORTS + 5;
const LOOKS: [u32; 3] = [IMPORTS + 6, IMPORTS + 7, IMPORTS + 8];

/// As much of WASI as that.
const WASI_WIT: &str = r#"
package wasi:io@0.2.3 {
    interface error { resource error; }
    interface poll { resource pollable { block: func(); } }
    interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource output-stream {
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
        }
    }
}
package wasi:clocks@0.2.3 {
    interface monotonic-clock {
        use wasi:io/poll@0.2.3.{pollable};
        type duration = u64;
        subscribe-duration: func(when: duration) -> pollable;
    }
}
package wasi:filesystem@0.2.3 {
    interface types { resource descriptor; }
    interface preopens {
        use types.{descriptor};
        get-directories: func() -> list<tuple<descriptor, string>>;
    }
}
package wasi:cli@0.2.3 {
    interface exit { exit: func(status: result); }
    interface environment {
        get-environment: func() -> list<tuple<string, string>>;
        get-arguments: func() -> list<string>;
    }
    interface stdout {
        use wasi:io/streams@0.2.3.{output-stream};
        get-stdout: func() -> output-stream;
    }
}
"#;

/// How often what is done in excess is done.
pub(super) const EXCESS: i32 = 5_000;

/// Bytes of a message that is too large to be handed over, and of the memory that has room for it.
const HUGE_BYTES: i32 = (HANDOVER_BYTES_MAX + 1) as i32;
const MEMORY_PAGES: u64 = 32;

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
        let mut hooks: Vec<_> = self.hooks().iter().map(|(hook, ..)| *hook).collect();
        hooks.dedup();
        let exports: String = hooks.iter().map(|hook| format!("export amqtt:plugin/{hook}@1.0.0;\n")).collect();
        let (wasi_wit, wasi) = if self.uses_wasi() {
            let mut interfaces: Vec<_> = WASI.iter().map(|(interface, ..)| *interface).collect();
            interfaces.dedup();
            (WASI_WIT, interfaces.iter().map(|interface| format!("import {interface};\n")).collect())
        } else {
            ("", String::new())
        };
        let world = format!(
            "package test:guest;\n{wasi_wit}\nworld guest {{\n{wasi}import amqtt:plugin/log@1.0.0;\nimport amqtt:plugin/types@1.0.0;\n\
             import amqtt:plugin/broker-info@1.0.0;\nimport amqtt:plugin/publisher@1.0.0;\nexport amqtt:plugin/lifecycle@1.0.0;\n{exports}}}"
        );
        let package = resolve.push_source("guest.wit", &world).expect("a package");
        let world = resolve.select_world(&[package], Some("guest")).expect("a world");
        let mut module = self.module();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
        let mut encoder = ComponentEncoder::default().module(&module).expect("a module").validate(true);
        encoder.encode().expect("a component")
    }

    fn uses_wasi(&self) -> bool {
        let hooks = [self.auth, self.enhanced_auth, self.topic_check, self.events, self.ticks];
        let hooks = hooks.into_iter().chain([Some(self.init), Some(self.stop)]);
        let wasi = |does: &Does| matches!(does, Does::Wait | Does::Exit | Does::LookAround | Does::Print);
        hooks.flatten().any(|does| wasi(&does))
    }

    /// Hook, function, number of parameters, whether it has a result, what it does.
    fn hooks(&self) -> Vec<(&'static str, &'static str, usize, bool, Does)> {
        [
            ("auth", "authenticate", 8, true, self.auth),
            ("enhanced-auth", "start", 7, true, self.enhanced_auth),
            ("enhanced-auth", "proceed", 9, true, self.enhanced_auth),
            ("topic-check", "check", 10, true, self.topic_check),
            ("topic-check", "check-many", 10, true, self.topic_check),
            ("events", "handle", 5, false, self.events),
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
        types.ty().function([ValType::I32; 7], []);
        types.ty().function([ValType::I32; 2], []);
        types.ty().function([ValType::I32; 3], []);
        types.ty().function([ValType::I32; 4], []);
        for (function, of_type) in [
            ("[resource-drop]client", 0),
            ("[resource-drop]event", 0),
            ("[resource-drop]auth-request", 0),
            ("[resource-drop]topic-request", 0),
            ("[resource-drop]registration", 0),
            ("[method]registration.decide", 3),
            ("[method]registration.observe", 4),
            ("[method]registration.tick-every", 3),
        ] {
            imports.import("amqtt:plugin/types@1.0.0", function, EntityType::Function(of_type));
        }
        imports.import("amqtt:plugin/broker-info@1.0.0", "uptime-seconds", EntityType::Function(1));
        imports.import("amqtt:plugin/publisher@1.0.0", "publish", EntityType::Function(2));
        imports.import("amqtt:plugin/log@1.0.0", "write", EntityType::Function(4));
        imports.import("amqtt:plugin/types@1.0.0", "[method]topic-request.extend-to", EntityType::Function(5));
        imports.import("amqtt:plugin/types@1.0.0", "[method]registration.serve-method", EntityType::Function(4));
        for (interface, function, params, result) in WASI.into_iter().filter(|_| self.uses_wasi()) {
            imports.import(interface, function, EntityType::Function(types.len()));
            types.ty().function(params.iter().copied(), result.then_some(ValType::I32));
        }
        let imported = imports.len();

        let mut define = |name: &str, params: usize, result: bool, body: &dyn Fn(&mut InstructionSink<'_>, u32)| {
            let index = imported + functions.len();
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
        define("amqtt:plugin/lifecycle@1.0.0#init", 3, true, &|code, own| {
            write_body(code, own, self.init, 3, true);
            self.write_registration(code);
            if !self.keeps_handle {
                code.local_get(2).call(DROP_REGISTRATION);
            }
            code.i32_const(STARTED);
        });
        define("amqtt:plugin/lifecycle@1.0.0#stop", 0, false, &|code, own| write_body(code, own, self.stop, 0, false));
        for (hook, function, params, result, does) in self.hooks() {
            define(&format!("amqtt:plugin/{hook}@1.0.0#{function}"), params, result, &|code, own| {
                write_body(code, own, does, params, result);
                let decision = match does {
                    Does::Answer(decision) => decision.into(),
                    Does::WrongAnswer => 99,
                    _ => 0,
                };
                match function {
                    "authenticate" => {
                        code.local_get(0).call(DROP_CLIENT).local_get(1).call(DROP_AUTH_REQUEST).i32_const(decision);
                    }
                    "start" | "proceed" => {
                        code.local_get(0).call(DROP_CLIENT).local_get(1).call(DROP_AUTH_REQUEST);
                        // An outcome: 0 a challenge, 1 an anonymous client, 2 a deny.
                        let outcome = match does {
                            Does::HugeAnswer => 0,
                            Does::WrongAnswer => 99,
                            _ if decision == 0 => 1,
                            _ => 2,
                        };
                        code.i32_const(VERDICT).i32_const(0).i32_const(28).memory_fill(0);
                        code.i32_const(VERDICT).i32_const(outcome).i32_store8(at(0));
                        if does == Does::HugeAnswer {
                            code.i32_const(VERDICT).i32_const(HUGE_ANSWER).i32_store(at(4));
                            code.i32_const(VERDICT).i32_const(HUGE_ANSWER_BYTES).i32_store(at(8));
                        }
                        code.i32_const(VERDICT);
                    }
                    "check" => {
                        if let Some(filter) = self.extends_to {
                            code.local_get(1)
                                .i32_const(0)
                                .i32_const(EXTENSION)
                                .i32_const(filter.len() as i32)
                                .call(EXTEND);
                        }
                        code.local_get(0).call(DROP_CLIENT).local_get(1).call(DROP_TOPIC_REQUEST);
                        code.i32_const(VERDICT).i32_const(decision).i32_store8(at(0));
                        code.i32_const(VERDICT).i32_const(-1).i32_store(at(4));
                        code.i32_const(if does == Does::WrongAnswer { i32::MAX - 7 } else { VERDICT });
                    }
                    "check-many" => {
                        code.local_get(0).call(DROP_CLIENT).local_get(1).call(DROP_TOPIC_REQUEST);
                        // Eight bytes for each topic, all the same: the decision, and some time that it may be kept.
                        code.i32_const(VERDICTS).i32_const(decision).local_get(9).i32_const(8).i32_mul().memory_fill(0);
                        if does == Does::HugeAnswer {
                            code.i32_const(VERDICT).i32_const(HUGE_ANSWER).i32_store(at(0));
                            code.i32_const(VERDICT).i32_const(MANY_VERDICTS).i32_store(at(4));
                        } else {
                            code.i32_const(VERDICT).i32_const(VERDICTS).i32_store(at(0));
                            code.i32_const(VERDICT)
                                .local_get(9)
                                .i32_const(self.verdicts_left_out)
                                .i32_sub()
                                .i32_store(at(4));
                        }
                        code.i32_const(VERDICT);
                    }
                    "handle" => {
                        code.local_get(2).if_(wasm_encoder::BlockType::Empty).local_get(3).call(DROP_CLIENT).end();
                        code.local_get(4).call(DROP_EVENT);
                    }
                    _ => {}
                }
                // Arguments of the next call may lie where those of this one lay.
                code.i32_const(HEAP).global_set(0);
            });
        }
        exports.export("memory", ExportKind::Memory, 0);

        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: MEMORY_PAGES,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut globals = GlobalSection::new();
        let heap = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(heap, &ConstExpr::i32_const(HEAP));
        globals.global(heap, &ConstExpr::i32_const(EXCESS));
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&memories).section(&globals);
        module.section(&exports).section(&code).section(&self.data());
        module.finish()
    }

    /// Asks for what the guest wants to be called for.
    fn write_registration(&self, code: &mut InstructionSink<'_>) {
        for action in &self.actions {
            code.local_get(2).i32_const(*action as i32).call(DECIDE);
        }
        let mut place = KINDS;
        for kind in &self.kinds {
            let len = i32::try_from(kind.name().len()).expect("short");
            code.local_get(2).i32_const(place).i32_const(len).call(OBSERVE);
            place += len;
        }
        code.local_get(2).i32_const(self.tick_seconds.cast_signed()).call(TICK_EVERY);
        if self.enhanced_auth.is_some() {
            code.local_get(2).i32_const(METHOD_NAME).i32_const(METHOD.len() as i32).call(SERVE_METHOD);
        }
    }

    /// The answer of `init`, `ok` or `err` with a text, and what else the guest needs.
    fn data(&self) -> DataSection {
        let text = self.refuses.unwrap_or_default();
        let (refuses, at, len) = match self.init {
            Does::WrongAnswer => (true, TEXT, 1 << 31),
            Does::HugeAnswer => (true, HUGE_ANSWER, HUGE_ANSWER_BYTES as u32),
            _ => (self.refuses.is_some(), TEXT, u32::try_from(text.len()).expect("short")),
        };
        let answer = [u32::from(refuses), at as u32, len];
        let mut data = DataSection::new();
        data.active(
            0,
            &ConstExpr::i32_const(STARTED),
            answer.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>(),
        );
        data.active(0, &ConstExpr::i32_const(TEXT), text.bytes());
        data.active(
            0,
            &ConstExpr::i32_const(KINDS),
            self.kinds.iter().map(|kind| kind.name()).collect::<String>().into_bytes(),
        );
        data.active(0, &ConstExpr::i32_const(TOPIC), *b"t");
        data.active(0, &ConstExpr::i32_const(EXTENSION), self.extends_to.unwrap_or_default().bytes());
        data.active(0, &ConstExpr::i32_const(METHOD_NAME), METHOD.bytes());
        data.active(0, &ConstExpr::i32_const(PRINTED), PRINTED_TEXT.iter().copied());
        data
    }
}

fn write_body(code: &mut InstructionSink<'_>, own: u32, does: Does, params: usize, result: bool) {
    match does {
        Does::Answer(_) | Does::WrongAnswer => {}
        Does::Trap => {
            code.unreachable();
        }
        Does::Spin => {
            code.loop_(wasm_encoder::BlockType::Empty).br(0).end();
        }
        Does::Hog => {
            let more = MEMORY_BYTES_MAX as i32 - HUGE_ANSWER;
            code.i32_const(more >> 16).memory_grow(0).drop();
            code.i32_const(HUGE_ANSWER).i32_const(1).i32_const(more).memory_fill(0);
            code.i32_const(1).memory_grow(0).drop();
        }
        Does::Publish => publish(code),
        Does::PublishStorm => in_excess(code, publish),
        Does::LogFlood => in_excess(code, |code| {
            code.i32_const(2).i32_const(TOPIC).i32_const(1).call(LOG);
        }),
        Does::HugeMessage => {
            code.i32_const(2).i32_const(0).i32_const(HUGE_BYTES).call(LOG);
        }
        Does::HugeAnswer => {
            code.i32_const(HUGE_ANSWER_BYTES >> 16).memory_grow(0).drop();
            // Verdicts are filled with `allow`.
            code.i32_const(HUGE_ANSWER).i32_const(0).i32_const(HUGE_ANSWER_BYTES).memory_fill(0);
        }
        Does::Wait => {
            code.i64_const(3_600_000_000_000).call(SUBSCRIBE).call(BLOCK);
        }
        Does::Exit => {
            code.i32_const(1).call(EXIT);
        }
        Does::LookAround => {
            for look in LOOKS {
                // The length of a list is after its address.
                code.i32_const(VERDICT).call(look).i32_const(VERDICT).i32_load(at(4));
                code.if_(wasm_encoder::BlockType::Empty).unreachable().end();
            }
        }
        Does::Print => {
            code.call(STDOUT).global_set(1);
            code.global_get(1).i32_const(PRINTED).i32_const(PRINTED_TEXT.len() as i32).i32_const(VERDICT).call(WRITE);
            code.global_get(1).call(DROP_STREAM);
        }
        Does::Recurse => {
            (0..params).for_each(|param| {
                code.local_get(u32::try_from(param).expect("few"));
            });
            code.call(own);
            if result {
                code.drop();
            }
        }
        Does::TrapLater => {
            code.call(UPTIME).i64_const(0).i64_ne();
            code.if_(wasm_encoder::BlockType::Empty).unreachable().end();
        }
    }
}

/// The byte at TOPIC is `t`; the answer goes where no text is.
fn publish(code: &mut InstructionSink<'_>) {
    code.i32_const(TOPIC).i32_const(1).i32_const(TOPIC).i32_const(0).i32_const(0).i32_const(0);
    code.i32_const(VERDICT).call(PUBLISH);
}

fn in_excess(code: &mut InstructionSink<'_>, act: impl Fn(&mut InstructionSink<'_>)) {
    code.i32_const(EXCESS).global_set(1).loop_(wasm_encoder::BlockType::Empty);
    act(code);
    code.global_get(1).i32_const(1).i32_sub().global_set(1).global_get(1).br_if(0).end();
}

fn at(offset: u64) -> wasm_encoder::MemArg {
    wasm_encoder::MemArg { offset, align: 0, memory_index: 0 }
}
