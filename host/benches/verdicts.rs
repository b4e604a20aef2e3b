//! What a verdict that is remembered costs for each message: `cargo bench -p amqtt --bench verdicts`.
//!
//! It is the whole price of topic-check for repeated topics, as no plugin is asked.

#[path = "../src/broker/verdicts.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "a part of the broker that it does not show to others")]
mod verdicts;

mod types {
    pub(crate) use amqtt::types::TopicFilter;
}

/// What `verdicts.rs` takes from the broker.
mod hooks {
    pub(crate) use amqtt::hooks::{Action, CacheFor, Reason, Verdict};
}

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hooks::{CacheFor, Verdict};
use verdicts::VerdictCache;

fn remembered_verdicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("remembered verdict");
    for count in [1, 2, 8, 24] {
        let topics: Vec<_> =
            (0..count).map(|index| format!("buildings/7/floors/3/rooms/{index}/temperature")).collect();
        let mut cache = VerdictCache::default();
        for topic in &topics {
            cache.remember(topic, &Verdict { cache: CacheFor::UntilReload, ..Verdict::UNDECIDED }, 1);
        }
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("topics in turn", count), |bencher| {
            bencher.iter(|| {
                for topic in &topics {
                    black_box(cache.verdict(black_box(topic), black_box(1)));
                }
            });
        });
    }
}

criterion_group!(benches, remembered_verdicts);
criterion_main!(benches);
