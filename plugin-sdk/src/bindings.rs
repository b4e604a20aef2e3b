//! The code that `wit-bindgen` generates: one set per world, so that a plugin exports just its hooks.
//!
//! Nothing of it is seen outside of this crate but by the code that [`plugin!`](crate::plugin) expands to.

#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]

pub mod capabilities {
    wit_bindgen::generate!({
        path: "wit",
        world: "amqtt:plugin/capabilities",
        generate_unused_types: true,
    });
}

macro_rules! hook {
    ($module:ident, $world:literal, $export:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "wit",
                world: $world,
                pub_export_macro: true,
                export_macro_name: $export,
                with: {
                    "amqtt:plugin/types@1.0.0": crate::bindings::capabilities::amqtt::plugin::types,
                    "amqtt:plugin/log@1.0.0": crate::bindings::capabilities::amqtt::plugin::log,
                    "amqtt:plugin/files@1.0.0": crate::bindings::capabilities::amqtt::plugin::files,
                    "amqtt:plugin/publisher@1.0.0": crate::bindings::capabilities::amqtt::plugin::publisher,
                    "amqtt:plugin/broker-info@1.0.0": crate::bindings::capabilities::amqtt::plugin::broker_info,
                    "amqtt:plugin/clock@1.0.0": crate::bindings::capabilities::amqtt::plugin::clock,
                    "amqtt:plugin/random@1.0.0": crate::bindings::capabilities::amqtt::plugin::random,
                    "amqtt:plugin/sessions@1.0.0": crate::bindings::capabilities::amqtt::plugin::sessions,
                    "amqtt:plugin/invalidate@1.0.0": crate::bindings::capabilities::amqtt::plugin::invalidate,
                },
            });
        }
    };
}

hook!(lifecycle, "amqtt:plugin/lifecycle-hook", "__export_lifecycle");
hook!(auth, "amqtt:plugin/auth-hook", "__export_auth");
hook!(enhanced_auth, "amqtt:plugin/enhanced-auth-hook", "__export_enhanced_auth");
hook!(topic_check, "amqtt:plugin/topic-check-hook", "__export_topic_check");
hook!(events, "amqtt:plugin/events-hook", "__export_events");
hook!(ticks, "amqtt:plugin/ticks-hook", "__export_ticks");
