//! What one SUBSCRIBE, UNSUBSCRIBE and PUBLISH cost the routing, and a lookup of retained messages, beside so many others.
//!
//! `cargo bench -p amqtt --bench routing`. Without a release build of everything else:
//! `cargo bench -p amqtt --bench routing --profile dev --config 'profile.dev.package.amqtt.opt-level=3'`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use amqtt::routing::{RetainedTree, SubscriptionTree};
use amqtt::types::{TopicFilter, TopicName};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// How many others there are.
const SIZES: [usize; 3] = [100, 10_000, 1_000_000];

/// Operations between two looks at the clock.
const BATCH: u64 = 64;

/// The key of the subscriptions that are measured.
const OWN: usize = usize::MAX;

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).expect("valid filter")
}

/// A topic of the `number`th device.
fn device(number: usize) -> String {
    format!("site/{}/device-{number}", number % 1_000)
}

/// Subscriptions of so many devices, most of them with a wildcard.
fn subscriptions(others: usize) -> SubscriptionTree<usize, ()> {
    let mut tree = SubscriptionTree::new();
    for number in 0..others {
        let end = ["/+/set", "/#", "/state"][number % 3];
        tree.insert(&filter(&(device(number) + end)), number, ());
    }
    tree
}

/// Time of `iterations` operations, each on one of `BATCH` filters; `undo` is not measured.
fn timed<R, U>(iterations: u64, mut operate: impl FnMut(u64) -> R, mut undo: impl FnMut(u64) -> U) -> Duration {
    let batches = iterations.div_ceil(BATCH);
    let mut time = Duration::ZERO;
    for _ in 0..batches {
        let start = Instant::now();
        (0..BATCH).for_each(|index| drop(black_box(operate(index))));
        time += start.elapsed();
        (0..BATCH).for_each(|index| drop(undo(index)));
    }
    time.mul_f64(iterations as f64 / (batches * BATCH) as f64)
}

fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routing");
    for others in SIZES {
        let mut tree = subscriptions(others);
        let filters: Vec<TopicFilter> =
            (0..BATCH).map(|number| filter(&format!("site/7/measured-{number}/+/set"))).collect();
        group.bench_function(BenchmarkId::new("subscribe", others), |bencher| {
            bencher.iter_custom(|iterations| {
                let tree = std::cell::RefCell::new(&mut tree);
                let subscribe = |index: u64| tree.borrow_mut().insert(&filters[index as usize], OWN, ());
                timed(iterations, subscribe, |index| tree.borrow_mut().remove(&filters[index as usize], &OWN))
            });
        });
        filters.iter().for_each(|filter| assert!(tree.insert(filter, OWN, ()).is_none()));
        group.bench_function(BenchmarkId::new("unsubscribe", others), |bencher| {
            bencher.iter_custom(|iterations| {
                let tree = std::cell::RefCell::new(&mut tree);
                let unsubscribe = |index: u64| tree.borrow_mut().remove(&filters[index as usize], &OWN);
                timed(iterations, unsubscribe, |index| tree.borrow_mut().insert(&filters[index as usize], OWN, ()))
            });
        });
        group.bench_function(BenchmarkId::new("publish", others), |bencher| {
            let topics: Vec<String> = (0..BATCH).map(|number| format!("site/7/measured-{number}/lamp/set")).collect();
            let mut found = 0_u64;
            bencher.iter_custom(|iterations| {
                let publish =
                    |index: u64| tree.matches(black_box(&topics[index as usize]), |key, ()| found += *key as u64 & 1);
                timed(iterations, publish, |_| {})
            });
            assert!(found > 0, "each is for one subscriber");
        });
    }
    group.finish();
}

fn retained(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("retained");
    for others in SIZES {
        let mut tree = RetainedTree::new();
        for number in 0..others {
            tree.insert(&TopicName::new(&(device(number) + "/state")).expect("valid topic"), number);
        }
        (0..10).for_each(|number| {
            let topic = format!("measured/{number}/state");
            tree.insert(&TopicName::new(&topic).expect("valid topic"), number);
        });
        let wildcard = filter("measured/+/state");
        group.bench_function(BenchmarkId::new("ten by wildcard", others), |bencher| {
            bencher.iter(|| {
                let mut sum = 0;
                tree.matches(black_box(&wildcard), |number| sum += number);
                sum
            });
        });
    }
    group.finish();
}

criterion_group!(benches, routing, retained);
criterion_main!(benches);
