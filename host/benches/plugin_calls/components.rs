//! What it takes to have a component's code: compiling it, and loading what was compiled before. The broker's part (a process
//! for the compiler, the start of the plugin) is in the group `load and start`.

use std::fs;

use amqtt_tests::guests::{MISBEHAVES, REFUSE_MALLORY};
use criterion::Criterion;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine_config::base_config;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("component");
    group.sample_size(20);
    let engine = Engine::new(&base_config()).unwrap();
    for file in [REFUSE_MALLORY, MISBEHAVES] {
        let bytes = fs::read(file).unwrap();
        let size = format!("{} KB in Rust", bytes.len() / 1000);
        group.bench_function(format!("compile {size}"), |bencher| {
            bencher.iter_with_large_drop(|| Component::new(&engine, &bytes).unwrap());
        });
        let compiled = engine.precompile_component(&bytes).unwrap();
        group.bench_function(format!("load the code of {size}"), |bencher| {
            bencher.iter_with_large_drop(|| load(&engine, &compiled));
        });
    }
}

#[expect(unsafe_code, reason = "there is no safe way to load compiled code")]
fn load(engine: &Engine, code: &[u8]) -> Component {
    // SAFETY: this engine has just made these bytes.
    unsafe { Component::deserialize(engine, code) }.unwrap()
}
