//! What the way of a call costs, and what bounds it: the guest of `two strings, an enum` of the group `interface`, called in
//! other ways than that.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use parking_lot::Mutex;
use wasmtime::{Config, Store};

use crate::engine_config::base_config;
use crate::guest::{CHECK, Check, Does, Guest, check};

/// Rounds of a loop that is tight, and long beside its call.
const ROUNDS: u32 = 10_000;

/// What wasmtime sets aside for a memory, and behind it, unless it is told otherwise.
const DEFAULT_RESERVATION_BYTES: u64 = 4 << 30;
const DEFAULT_GUARD_BYTES: u64 = 32 << 20;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("two strings, an enum");
    in_place(&mut group);
    across_threads(&mut group);
    group.finish();
    bounds(criterion);
}

fn in_place(group: &mut BenchmarkGroup<'_, WallTime>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut store, call) = CHECK.start::<Check, (bool,)>();
    group.bench_function("by call_async", |bencher| {
        bencher.iter_custom(|iterations| {
            runtime.block_on(async {
                let start = Instant::now();
                for _ in 0..iterations {
                    black_box(call.call_async(&mut store, check()).await.unwrap());
                }
                start.elapsed()
            })
        });
    });

    let guest = Mutex::new(CHECK.start::<Check, (bool,)>());
    group.bench_function("under a mutex that nobody else wants, deadline set", |bencher| {
        bencher.iter(|| {
            let (store, call) = &mut *guest.lock();
            store.set_epoch_deadline(1);
            call.call(store, check()).unwrap()
        });
    });

    let mut config = base_config();
    config.memory_reservation(DEFAULT_RESERVATION_BYTES).memory_guard_size(DEFAULT_GUARD_BYTES);
    let compiled = CHECK.compile(&config);
    let mut store = compiled.store();
    store.set_epoch_deadline(1);
    let call = compiled.start::<Check, (bool,)>(&mut store);
    group.bench_function("4 GiB of addresses set aside", |bencher| {
        bencher.iter(|| call.call(&mut store, check()).unwrap());
    });

    let compiled = CHECK.compile(&base_config());
    group.bench_function("in a new store and instance", |bencher| {
        bencher.iter(|| {
            let mut store = compiled.store();
            store.set_epoch_deadline(1);
            let call = compiled.start::<Check, (bool,)>(&mut store);
            call.call(&mut store, check()).unwrap()
        });
    });
}

fn across_threads(group: &mut BenchmarkGroup<'_, WallTime>) {
    let ((ask, asked), (answer, answers)) = (sync_channel::<Check>(1), sync_channel(1));
    let asking = thread::spawn(move || {
        let (mut store, call) = CHECK.start::<Check, (bool,)>();
        for params in asked {
            answer.send(call.call(&mut store, params).unwrap()).unwrap();
        }
    });
    group.bench_function("on another thread and back", |bencher| {
        bencher.iter(|| {
            ask.send(check()).unwrap();
            answers.recv().unwrap()
        });
    });
    drop(ask);
    asking.join().unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let guest = Arc::new(Mutex::new(CHECK.start::<Check, (bool,)>()));
    group.bench_function("by spawn_blocking", |bencher| {
        bencher.iter(|| {
            let guest = Arc::clone(&guest);
            let asked = runtime.spawn_blocking(move || {
                let (store, call) = &mut *guest.lock();
                call.call(store, check()).unwrap()
            });
            runtime.block_on(asked).unwrap()
        });
    });
}

/// What keeps a guest from going on for ever.
#[derive(Clone, Copy)]
enum Bound {
    Nothing,
    Epochs,
    Fuel,
}

impl Bound {
    fn config(self) -> Config {
        let mut config = base_config();
        config.epoch_interruption(matches!(self, Self::Epochs)).consume_fuel(matches!(self, Self::Fuel));
        config
    }

    /// Gives the next call as much as any takes.
    fn renew(self, store: &mut Store<()>) {
        match self {
            Self::Nothing => {}
            Self::Epochs => store.set_epoch_deadline(1),
            Self::Fuel => store.set_fuel(u64::MAX).unwrap(),
        }
    }
}

fn bounds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bounded by");
    let bounds = [("nothing", Bound::Nothing), ("epochs", Bound::Epochs), ("fuel", Bound::Fuel)];
    for (name, bound) in bounds {
        let compiled = CHECK.compile(&bound.config());
        let mut store = compiled.store();
        bound.renew(&mut store);
        let call = compiled.start::<Check, (bool,)>(&mut store);
        group.bench_function(format!("{name}: two strings, an enum"), |bencher| {
            bencher.iter(|| {
                bound.renew(&mut store);
                call.call(&mut store, check()).unwrap()
            });
        });
    }
    let looping = Guest { params: "rounds: u32", result: "u32", does: Does::Loops, ..Guest::default() };
    for (name, bound) in bounds {
        let compiled = looping.compile(&bound.config());
        let mut store = compiled.store();
        bound.renew(&mut store);
        let call = compiled.start::<(u32,), (u32,)>(&mut store);
        group.bench_function(format!("{name}: a loop over {ROUNDS} bytes"), |bencher| {
            bencher.iter(|| {
                bound.renew(&mut store);
                call.call(&mut store, (black_box(ROUNDS),)).unwrap()
            });
        });
    }
}
