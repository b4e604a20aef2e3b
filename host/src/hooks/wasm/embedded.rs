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
        assert_eq!(names, ["auth_anonymous", "auth_file", "broker_sys", "topic_acl"]);
    }

    #[test]
    #[expect(unsafe_code, reason = "there is no safe way to load compiled code")]
    fn the_broker_accepts_what_the_build_compiled() {
        let engine = Engine::new(&base_config()).expect("an engine");
        for plugin in embedded() {
            let compiled = plugin.precompiled.expect(plugin.name);
            assert_eq!(
                Engine::detect_precompiled(compiled),
                Some(Precompiled::Component),
                "{}",
                plugin.name
            );
            // SAFETY: the build script of this very crate made these bytes.
            if let Err(err) = unsafe { Component::deserialize(&engine, compiled) } {
                panic!("{}: {err:?}", plugin.name);
            }
        }
    }

    #[test]
    fn the_components_compile_too() {
        let engine = Engine::new(&base_config()).expect("an engine");
        for plugin in embedded() {
            if let Err(err) = Component::new(&engine, plugin.component) {
                panic!("{}: {err:?}", plugin.name);
            }
        }
    }
}
