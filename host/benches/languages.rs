//! What plugins cost that are files, each started with an ACL:
//!
//!     cargo bench -p amqtt --bench languages -- FILE...
//!
//! The rows of the table in `plugins/examples/README.md`. Without files it is the plugin that comes with the broker.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a benchmark ends where something fails")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use amqtt::hooks::{
    Action, BrokerServices, Grants, HookSpec, Hooks, Overloaded, PluginLimits, PluginSpec, TopicCheckSpec, TopicFacts,
};
use amqtt::types::{ClientId, ClientInfo, ConnectFacts, Identity, Message, Peer, QoS};
use serde_json::json;

/// Instances whose memory is measured together.
const INSTANCES: usize = 8;

/// Calls of a run, and runs; the quickest counts.
const CALLS: u32 = 2_000;
const RUNS: usize = 20;

fn main() {
    let files = std::env::args_os().skip(1).map(PathBuf::from).filter(|file| file.extension().is_some());
    let mut files: Vec<Option<PathBuf>> = files.map(Some).collect();
    files.insert(0, None);
    println!("| plugin | file | to start | of that compiling | an instance | a check |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for file in files {
        println!("{}", row(file.as_deref()));
    }
}

fn row(file: Option<&Path>) -> String {
    let cache = tempfile::tempdir().unwrap();
    let compiling = took(|| drop(load(file, cache.path())));
    let mut hooks = None;
    let starting = took(|| hooks = Some(load(file, cache.path())));
    let hooks = hooks.unwrap();

    let client = client();
    let mut ask = |checker: &mut amqtt::hooks::TopicChecker| {
        let facts = TopicFacts::message(QoS::AtMostOnce, false, 10);
        let verdict = checker.check(&client, Action::Publish, black_box("plant/7/hall/temperature"), facts);
        assert!(verdict.allowed, "{file:?}");
    };
    let before = resident_bytes();
    let mut checkers: Vec<_> = (0..INSTANCES).map(|_| hooks.topic_checker()).collect();
    checkers.iter_mut().for_each(&mut ask);
    let instance = resident_bytes().saturating_sub(before) / INSTANCES;
    let checker = &mut checkers[0];
    let run = || took(|| (0..CALLS).for_each(|_| ask(checker))) / CALLS;
    let check = std::iter::repeat_with(run).take(RUNS).min().unwrap();
    let name = file.and_then(Path::file_stem).map_or("topic_acl".into(), |name| name.to_string_lossy());
    let size = file.map_or(0, |file| std::fs::metadata(file).unwrap().len());
    format!(
        "| {name} | {size} bytes | {starting:.1?} | {:.1?} | {} KiB | {check:.2?} |",
        compiling.saturating_sub(starting),
        instance >> 10
    )
}

fn took(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn load(file: Option<&Path>, cache: &Path) -> Arc<Hooks> {
    let acl = json!({"alice": ["plant/+/state", "plant/7/#", "log"], "anonymous": ["news/#"]});
    let serde_json::Value::Object(settings) = json!({"acl": acl}) else { unreachable!("is a map") };
    let plugin = PluginSpec {
        name: "topic_acl".into(),
        path: file.map(Path::to_owned),
        sha256: None,
        settings,
        grants: Grants::default(),
        limits: PluginLimits { deadline: Some(Duration::from_secs(1)), ..PluginLimits::default() },
    };
    let spec = HookSpec {
        plugins: vec![plugin],
        topic_check: TopicCheckSpec::All,
        plugin_cache: Some(cache.to_owned()),
        ..HookSpec::default()
    };
    Hooks::load(&spec, Arc::new(Nobody)).unwrap_or_else(|error| panic!("{error}"))
}

fn client() -> Arc<ClientInfo> {
    let peer = Peer::tcp(([127, 0, 0, 1], 1).into(), "default".into());
    let identity = Identity::User("alice".into());
    Arc::new(ClientInfo {
        client_id: ClientId::new("sensor-of-alice-001"),
        identity,
        peer,
        connect: ConnectFacts::default(),
    })
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// In place of a broker.
struct Nobody;

impl BrokerServices for Nobody {
    fn publish(&self, _: Message) -> Result<(), Overloaded> {
        Ok(())
    }

    fn version(&self) -> &str {
        "0.0.0"
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}
