//! Small files that take the compiler minutes or gigabytes: no broker is the worse for them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use amqtt_tests::guests;
use rumqttc::QoS::{AtLeastOnce, AtMostOnce};
use wasm_encoder::{
    Alias, BlockType, CodeSection, Component, ComponentAliasSection, ComponentInstanceSection, ComponentOuterAliasKind,
    Function, FunctionSection, Instruction, Module, ModuleSection, NestedComponentSection, TypeSection, ValType,
};

use crate::broker::{Broker, Setup, amqtt};
use crate::client::Client;

/// Each component instantiates the one before it twice: so many of them are two to that power.
fn doubling(count: u32) -> Vec<u8> {
    let mut outermost = Component::new();
    outermost.section(&NestedComponentSection(&Component::new()));
    for before in 0..count {
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::Outer { kind: ComponentOuterAliasKind::Component, count: 1, index: before });
        let mut component = Component::new();
        component.section(&aliases).section(&twice(0));
        outermost.section(&NestedComponentSection(&component));
    }
    outermost.section(&twice(count));
    outermost.finish()
}

fn twice(component: u32) -> ComponentInstanceSection {
    let mut instances = ComponentInstanceSection::new();
    for _ in 0..2 {
        instances.instantiate::<[(&str, _, _); 0], _>(component, []);
    }
    instances
}

/// A function that calls itself, each time with a thousand arguments for which it gets a thousand results.
fn wide(calls: usize) -> Vec<u8> {
    const WIDTH: usize = 1_000;
    let mut function = Function::new([]);
    (0..WIDTH).for_each(|index| {
        function.instruction(&Instruction::LocalGet(index as u32));
    });
    (0..calls).for_each(|_| {
        function.instruction(&Instruction::Call(0));
    });
    with_function(&[ValType::I32; WIDTH], function)
}

/// A function with many variables, and loops within loops.
fn loops(deep: usize, side_by_side: usize, variables: u32) -> Vec<u8> {
    let mut function = Function::new([(variables, ValType::I32)]);
    for _ in 0..side_by_side {
        for instruction in [Instruction::Loop(BlockType::Empty), Instruction::End] {
            (0..deep).for_each(|_| {
                function.instruction(&instruction);
            });
        }
    }
    with_function(&[], function)
}

/// Empty components within each other.
fn nested(deep: usize) -> Vec<u8> {
    let mut component = Component::new();
    for _ in 0..deep {
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&component));
        component = outer;
    }
    component.finish()
}

/// A component with a module with one function, whose results are as its parameters.
fn with_function(params: &[ValType], mut function: Function) -> Vec<u8> {
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function(params.iter().copied(), params.iter().copied());
    functions.function(0);
    function.instruction(&Instruction::End);
    code.function(&function);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.finish()
}

const CONFIG: &str = "plugins:\n  - auth_anonymous\n  - bomb\nplugin-dirs: [extra]\n";

/// A broker does not start with this plugin, and says why.
fn check(file: &[u8], why: &str) {
    let (status, stderr) = Setup::new(CONFIG).file("extra/bomb.wasm", file).fail();
    assert_eq!(status.code(), Some(1), "{stderr}");
    let expected = format!("bomb.wasm`) cannot be used: {why}");
    assert!(stderr.contains(&expected), "{expected:?} is not in: {stderr}");
}

#[test]
fn what_takes_too_much_memory_to_compile_is_refused() {
    for file in [doubling(60), wide(50_000)] {
        assert!(file.len() < 150_000);
        check(&file, "compiling it takes more than 1");
    }
}

#[test]
fn what_takes_too_long_to_compile_is_refused() {
    check(&loops(10, 10_000, 2_000), "compiling it takes more than 10 s of CPU time\n  hint: ");
}

#[test]
fn what_lies_too_deep_is_refused() {
    check(&nested(100_000), "compiling it takes more than ");
}

/// Whoever writes plugins is told the same.
#[test]
fn the_command_for_authors_says_so_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bomb.wasm");
    std::fs::write(&file, doubling(60)).expect("can write");
    let output = amqtt().args(["plugin", "check"]).arg(&file).output().expect("can start");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(!output.status.success() && text.contains("compiling it takes more than"), "{text}");
}

#[test]
fn a_broker_that_runs_goes_on_as_before() {
    let whole = std::fs::read(guests::REFUSE_MALLORY).expect("is there");
    let mut broker = Setup::new(CONFIG).file("extra/bomb.wasm", whole).start();
    let mut client = Client::connect(&broker, "client");
    client.subscribe("a", AtMostOnce);
    broker.rewrite("extra/bomb.wasm", doubling(60));
    broker.signal("HUP");
    broker.wait_for_log("cannot be used: compiling it takes more than");
    client.publish("a", AtLeastOnce, false, "b");
    assert_eq!(client.receive_words(), "a b");
    assert!(broker.is_running());
}

/// Nobody waits for its answer any more.
#[test]
#[cfg(target_os = "linux")]
fn the_compiler_ends_with_its_broker() {
    let mut broker = Setup::new(CONFIG).file("extra/bomb.wasm", loops(10, 10_000, 2_000)).begin();
    let compiler = loop {
        if let Some(process) = compiler_of(&broker) {
            break process;
        }
        assert!(broker.is_running(), "{}", broker.rest_of_log());
    };
    broker.signal("KILL");
    broker.wait();
    // By itself it would be ended by its own limit, but as long as it runs it is there.
    let at_its_end = Instant::now() + Duration::from_secs(5);
    while compiler.exists() {
        assert!(Instant::now() < at_its_end, "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The folder of the process below `/proc`.
#[cfg(target_os = "linux")]
fn compiler_of(broker: &Broker) -> Option<PathBuf> {
    let parent = format!("PPid:\t{}\n", broker.pid());
    let is_child = |process: &Path| {
        let read = |file: &str| std::fs::read_to_string(process.join(file)).unwrap_or_default();
        read("status").contains(&parent) && read("cmdline").contains("compile-plugin")
    };
    let processes = std::fs::read_dir("/proc").expect("is there").map_while(Result::ok);
    processes.map(|process| process.path()).find(|process| is_child(process))
}
