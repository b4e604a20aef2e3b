//! A compiled plugin links with a broker whose interface has a later patch version.
//!
//! Such a broker does not exist yet. What is in its place here has all that the plugin imports under the names of that
//! version, and looks for its hooks under those as well, just as the generated bindings do.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Instance, Linker, Resource, ResourceType};
use wasmtime::{Engine, Store};

use super::engine_config::base_config;
use super::manifest::INTERFACE_VERSION;

const COMPILED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/compatibility/1.0.0/everything.wasm");

/// What all handles of that broker stand for.
struct Handle;

/// Links the plugin with a broker of another version; the error is wasmtime's.
fn link(version: &str) -> wasmtime::Result<(Store<()>, Instance)> {
    let engine = Engine::new(&base_config())?;
    let component = Component::from_file(&engine, COMPILED)?;
    let mut linker = Linker::new(&engine);
    for (name, item) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        let (name, _) = name.split_once('@').expect("with a version");
        let mut offered = linker.instance(&format!("{name}@{version}"))?;
        for (function, item) in interface.exports(&engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    offered.resource(function, ResourceType::host::<Handle>(), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => offered.func_new(function, |_, _, _, _| Ok(()))?,
                _ => {}
            }
        }
    }
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(1);
    let instance = linker.instantiate(&mut store, &component)?;
    Ok((store, instance))
}

/// The version after ours that changes nothing that exists.
fn next_patch() -> String {
    format!("{}.{}.{}", INTERFACE_VERSION.major, INTERFACE_VERSION.minor, INTERFACE_VERSION.patch + 1)
}

#[test]
fn a_compiled_plugin_links_with_a_later_patch_version_and_no_other() {
    let version = next_patch();
    let (mut store, instance) = link(&version).expect("it links");
    for hook in ["lifecycle", "auth", "enhanced-auth", "topic-check", "events", "ticks"] {
        let found = instance.get_export_index(&mut store, None, &format!("amqtt:plugin/{hook}@{version}"));
        assert!(found.is_some(), "{hook}");
    }
    assert!(link("0.2.0").is_err() && link("2.0.0").is_err());
}

/// A broker that knows more kinds of events than a plugin's SDK tells it none that it did not ask for. If it did, the
/// plugin would leave it alone.
#[test]
fn an_event_of_an_unknown_kind_is_left_alone() {
    let handle = |kind: &str| {
        let version = next_patch();
        let (mut store, instance) = link(&version).expect("it links");
        let events = instance.get_export_index(&mut store, None, &format!("amqtt:plugin/events@{version}"));
        let handle = instance.get_export_index(&mut store, events.as_ref(), "handle").expect("a function");
        let handle = instance
            .get_typed_func::<(&str, Option<Resource<Handle>>, Resource<Handle>), ()>(&mut store, handle)
            .expect("of this type");
        handle.call(&mut store, (kind, None, Resource::new_borrow(0)))
    };
    assert!(handle("client-levitated").is_ok());
    // It is not initialised: a kind that it knows gets as far as the plugin.
    assert!(handle("client-connected").is_err());
}
