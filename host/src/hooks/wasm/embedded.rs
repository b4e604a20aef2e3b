//! The plugins that are part of the binary, built by the build script from the folder `plugins`.

/// A plugin that is part of the binary.
pub(crate) struct EmbeddedPlugin {
    /// Its name as the configuration spells it, with underscores.
    pub(crate) name: &'static str,
    /// The component.
    pub(crate) component: &'static [u8],
    /// The same compiled for a CPU without extensions; none where the build could not compile for this target.
    ///
    /// Fit for `Component::deserialize` with an engine of [`base_config`](super::engine_config::base_config): the build
    /// script made it and nobody else can have written it.
    pub(crate) precompiled: Option<&'static [u8]>,
}

/// All plugins that are part of the binary, sorted by name.
pub(crate) fn embedded() -> &'static [EmbeddedPlugin] {
    EMBEDDED
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;
    use wasmtime::{Engine, Precompiled};

    use super::super::engine_config::base_config;
    use super::embedded;

    #[test]
    fn the_plugins_of_the_folder_are_embedded() {
        let names: Vec<_> = embedded().iter().map(|plugin| plugin.name).collect();
        assert_eq!(
            names,
            [
                "auth_anonymous",
                "auth_file",
                "auth_scram",
                "broker_sys",
                "event_logger",
                "packet_logger",
                "topic_acl",
                "topic_taboo"
            ]
        );
    }

    #[test]
    #[expect(unsafe_code, reason = "there is no safe way to load compiled code")]
    fn the_broker_accepts_what_the_build_compiled() {
        let engine = Engine::new(&base_config()).expect("an engine");
        for plugin in embedded() {
            let compiled = plugin.precompiled.expect(plugin.name);
            assert_eq!(Engine::detect_precompiled(compiled), Some(Precompiled::Component), "{}", plugin.name);
            // SAFETY: the build script of this very crate made these bytes.
            if let Err(err) = unsafe { Component::deserialize(&engine, compiled) } {
                panic!("{}: {err:?}", plugin.name);
            }
        }
    }

    /// Compiles a component and checks the interfaces of package `amqtt:plugin` that it imports and exports.
    fn check_interfaces(name: &str, imports: &[&str], exports: &[&str]) {
        let engine = Engine::new(&base_config()).expect("an engine");
        let plugin = embedded().iter().find(|plugin| plugin.name == name).expect(name);
        let component = match Component::new(&engine, plugin.component) {
            Ok(component) => component,
            Err(err) => panic!("{name}: {err:?}"),
        };
        let component_type = component.component_type();
        let short = |name: &str| name.trim_start_matches("amqtt:plugin/").trim_end_matches("@1.0.0").to_owned();
        let mut imported: Vec<_> = component_type.imports(&engine).map(|(name, _)| short(name)).collect();
        imported.sort();
        assert_eq!(imported, imports, "{name}");
        let mut exported: Vec<_> = component_type.exports(&engine).map(|(name, _)| short(name)).collect();
        exported.sort();
        assert_eq!(exported, exports, "{name}");
    }

    #[test]
    fn a_component_has_just_its_hooks_and_capabilities() {
        check_interfaces("auth_anonymous", &["log", "types"], &["auth", "lifecycle"]);
        check_interfaces("auth_file", &["files", "log", "types"], &["auth", "lifecycle", "ticks"]);
        check_interfaces("auth_scram", &["files", "log", "random", "types"], &["enhanced-auth", "lifecycle", "ticks"]);
        check_interfaces("broker_sys", &["broker-info", "clock", "log", "publisher", "types"], &["lifecycle", "ticks"]);
        check_interfaces("topic_acl", &["files", "invalidate", "log", "types"], &["lifecycle", "ticks", "topic-check"]);
        check_interfaces("event_logger", &["log", "types"], &["events", "lifecycle"]);
        check_interfaces("packet_logger", &["log", "types"], &["events", "lifecycle"]);
        check_interfaces("topic_taboo", &["log", "types"], &["lifecycle", "topic-check"]);
    }
}
