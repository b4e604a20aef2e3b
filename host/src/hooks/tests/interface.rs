//! All of the plugin interface is used by the compiled plugins of its version: what no plugin used could be renamed or
//! dropped, and nothing would fail.

use std::collections::BTreeSet;

use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId, WorldItem};

use super::compatibility::{all_grants, entries, record, spec_of};
use super::*;

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");

/// What a plugin imports and exports of the interface: `import amqtt:plugin/log@1.0.0 enabled`. A method is called
/// `[method]client.client-id`.
fn functions(resolve: &Resolve, world: WorldId) -> BTreeSet<String> {
    let world = &resolve.worlds[world];
    let items = [("import", &world.imports), ("export", &world.exports)];
    let items = items.into_iter().flat_map(|(direction, items)| items.values().map(move |item| (direction, item)));
    let of_item = |(direction, item): (_, &WorldItem)| {
        let WorldItem::Interface { id, .. } = item else { return Vec::new() };
        let name = resolve.id_of(*id).expect("every interface has a name");
        resolve.interfaces[*id].functions.keys().map(|function| format!("{direction} {name} {function}")).collect()
    };
    items.flat_map(of_item).filter(|function| function.contains(" amqtt:plugin/")).collect()
}

#[test]
fn compatibility_all_functions_are_used_by_compiled_plugins() {
    record();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(WIT).expect("the plugin interface");
    let package = &resolve.packages[package];
    assert_eq!(package.name.version, Some(wasm::INTERFACE_VERSION));
    let in_interface: BTreeSet<_> = package.worlds.values().flat_map(|world| functions(&resolve, *world)).collect();
    for interface in package.interfaces.keys() {
        let in_a_world = in_interface.iter().any(|function| function.contains(&format!("/{interface}@")));
        assert!(in_a_world, "no world has `{interface}`");
    }
    let mut used = BTreeSet::new();
    for entry in entries().into_iter().filter(|entry| entry.version == wasm::INTERFACE_VERSION) {
        let bytes = std::fs::read(entry.path()).expect("it is there");
        let decoded = wit_component::decode(&bytes).unwrap_or_else(|error| panic!("{}: {error}", entry.file));
        let DecodedWasm::Component(resolve, world) = decoded else { panic!("{} is no component", entry.file) };
        used.extend(functions(&resolve, world));
    }
    let unused: Vec<_> = in_interface.difference(&used).collect();
    assert!(unused.is_empty(), "no compiled plugin uses {unused:#?}: see tests/compatibility/README.md");
}

/// The kinds that `events.handle` lists: `| `client-connected` | a client was accepted | yes | |`.
fn documented_kinds() -> BTreeSet<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(WIT).expect("the plugin interface");
    let events = resolve.packages[package].interfaces["events"];
    let docs = resolve.interfaces[events].functions["handle"].docs.contents.as_deref().expect("it is documented");
    let rows = docs.lines().filter_map(|line| line.trim().strip_prefix("| `")?.split('`').next());
    rows.map(str::to_owned).collect()
}

#[test]
fn compatibility_all_kinds_of_events_are_asked_for_by_compiled_plugins() {
    record();
    let ours: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
    assert_eq!(documented_kinds(), ours, "wit/hooks.wit lists other kinds than the broker has");
    let mut asked = BTreeSet::new();
    for entry in entries().into_iter().filter(|entry| entry.version == wasm::INTERFACE_VERSION) {
        let mut spec = spec_of(&entry.path(), all_grants(), json!({}));
        spec.plugins[0].limits.deadline = Some(Duration::from_secs(20));
        let (hooks, _) = load(spec).unwrap_or_else(|error| panic!("{}: {error}", entry.file));
        asked.extend(EventKind::ALL.iter().filter(|kind| hooks.wants(**kind)).map(|kind| kind.name().to_owned()));
    }
    let never: Vec<_> = ours.difference(&asked).collect();
    assert!(never.is_empty(), "no compiled plugin asks for {never:?}: see tests/compatibility/README.md");
}
