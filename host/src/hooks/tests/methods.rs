//! How many authentication methods a plugin serves, and how long their names are.

use super::*;
use crate::hooks::limits::{METHOD_BYTES_MAX, METHODS_MAX};

#[test]
fn authentication_methods_are_bounded() {
    // The guest has four of its own.
    let load_with_more = |methods: &[usize]| {
        let path = Some(amqtt_tests::guests::EXCHANGE.into());
        let plugin = PluginSpec { path, ..embedded("guest_exchange", json!({ "methods": methods })) };
        load(HookSpec { plugins: vec![plugin], ..HookSpec::default() }).map(|(hooks, _)| hooks)
    };
    let longest = "M".repeat(METHOD_BYTES_MAX);
    let most = vec![METHOD_BYTES_MAX; METHODS_MAX - 4];
    assert!(load_with_more(&most).expect("it loads").begin_exchange(&longest).is_some());
    for too_much in [[&most[..], &[1]].concat(), vec![METHOD_BYTES_MAX + 1], vec![0]] {
        let error = load_with_more(&too_much).err().expect("too much");
        assert!(
            error.contains("it serves more than 16 authentication methods, or one that has not 1 to 256 bytes"),
            "{error}"
        );
    }
}
