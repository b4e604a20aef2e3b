//! What plugins cost that are files, each started with an ACL:
//!
//!     cargo bench -p amqtt --bench languages -- FILE...
//!
//! The rows of the table in `plugins/examples/README.md`. Without files it is the plugin that comes with the broker, which
//! is what the others are measured by. Times are CPU time: on a busy machine take the ratios.
//!
//! Without a release build of everything else:
//!
//!     cargo bench -p amqtt --bench languages --profile dev --config 'profile.dev.package.amqtt.opt-level=3' -- FILE...

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a benchmark ends where something fails")]

mod stand_in;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use amqtt::hooks::{Action, HookSpec, Hooks, PluginLimits, PluginSpec, TopicCheckSpec, TopicChecker, TopicFacts};
use amqtt::types::{ClientInfo, ConnectFacts, QoS};
use cpu_time::{ProcessTime, ThreadTime};
use serde_json::json;
use stand_in::{Broker, client, plugin, resident_bytes};

/// Instances whose memory at the start is measured together.
const INSTANCES: u64 = 8;

/// Checks of one instance.
const CHECKS: u32 = 100_000;

/// Topics that they are about, in turn.
const TOPICS: usize = 1_000;

/// More than any plugin takes here, so that what it takes is seen.
const MEMORY_BYTES_MAX: usize = 1 << 30;

fn main() {
    let files = std::env::args_os().skip(1).map(PathBuf::from).filter(|file| file.extension().is_some());
    let files: Vec<Option<PathBuf>> = std::iter::once(None).chain(files.map(Some)).collect();
    println!(
        "| | file | to compile | to start | an instance | after {CHECKS} checks | after as many again | a check | longest |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut compared = None;
    for file in files {
        let measured = measure(file.as_deref());
        measured.print(*compared.get_or_insert(measured.check));
    }
}

struct Measured {
    name: String,
    file_bytes: u64,
    compiling: Duration,
    starting: Duration,
    instance_bytes: u64,
    checked_bytes: [u64; 2],
    check: Duration,
    longest: Duration,
}

impl Measured {
    fn print(&self, compared: Duration) {
        let mib = |bytes: u64| format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20));
        println!(
            "| {} | {} bytes | {:.1?} | {:.1?} | {} | {} | {} | {:.2?}, {:.1} × | {:.1?} |",
            self.name,
            self.file_bytes,
            self.compiling,
            self.starting,
            mib(self.instance_bytes),
            mib(self.checked_bytes[0]),
            mib(self.checked_bytes[1]),
            self.check,
            self.check.as_secs_f64() / compared.as_secs_f64(),
            self.longest,
        );
    }
}

fn measure(file: Option<&Path>) -> Measured {
    let cache = tempfile::tempdir().unwrap();
    let begun = ProcessTime::now();
    drop(load(file, cache.path()));
    let first = begun.elapsed();
    let begun = ProcessTime::now();
    let hooks = load(file, cache.path());
    let starting = begun.elapsed();

    let mut asked = Asked::new();
    // The first one brings the compiled code into memory.
    let mut checker = hooks.topic_checker();
    let begun = ThreadTime::now();
    (0..CHECKS).for_each(|_| asked.ask(&mut checker));
    let check = begun.elapsed() / CHECKS;
    drop(checker);

    let before = resident_bytes();
    let mut idle: Vec<_> = (0..INSTANCES).map(|_| hooks.topic_checker()).collect();
    idle.iter_mut().for_each(|checker| asked.ask(checker));
    let instance_bytes = resident_bytes().saturating_sub(before) / INSTANCES;

    let mut checker = idle.pop().unwrap();
    let before = resident_bytes().saturating_sub(instance_bytes);
    let mut longest = Duration::ZERO;
    let checked_bytes = [(); 2].map(|()| {
        for _ in 0..CHECKS {
            let begun = ThreadTime::now();
            asked.ask(&mut checker);
            longest = longest.max(begun.elapsed());
        }
        resident_bytes().saturating_sub(before)
    });
    let name = file.and_then(Path::file_stem).map_or("topic_acl".into(), |name| name.to_string_lossy().into_owned());
    let file_bytes = file.map_or(0, |file| std::fs::metadata(file).unwrap().len());
    let compiling = first.saturating_sub(starting);
    Measured { name, file_bytes, compiling, starting, instance_bytes, checked_bytes, check, longest }
}

/// What is asked.
struct Asked {
    client: Arc<ClientInfo>,
    topics: Vec<String>,
    next: usize,
}

impl Asked {
    fn new() -> Self {
        let client = client("sensor-of-alice-001", "alice", ConnectFacts::default());
        let topics = (0..TOPICS).map(|number| format!("plant/7/hall/{number}/temperature")).collect();
        Self { client, topics, next: 0 }
    }

    fn ask(&mut self, checker: &mut TopicChecker) {
        let facts = TopicFacts::message(QoS::AtMostOnce, false, 10);
        let topic = &self.topics[self.next];
        self.next = (self.next + 1) % TOPICS;
        let verdict = checker.check(&self.client, Action::Publish, black_box(topic), facts);
        assert!(verdict.allowed, "{topic}");
    }
}

fn load(file: Option<&Path>, cache: &Path) -> Arc<Hooks> {
    let acl = json!({"alice": ["plant/+/state", "plant/7/#", "log"], "anonymous": ["news/#"]});
    let limits = PluginLimits {
        memory_bytes: Some(MEMORY_BYTES_MAX),
        deadline: Some(Duration::from_secs(5)),
        ..PluginLimits::default()
    };
    let plugin = PluginSpec { path: file.map(Path::to_owned), limits, ..plugin("topic_acl", json!({ "acl": acl })) };
    let spec = HookSpec {
        plugins: vec![plugin],
        topic_check: TopicCheckSpec::All,
        plugin_cache: Some(cache.to_owned()),
        ..HookSpec::default()
    };
    Hooks::load(&spec, Arc::<Broker>::default()).unwrap_or_else(|error| panic!("{error}"))
}
