//! The plugins that are part of the binary.

/// A plugin that is part of the binary.
pub(crate) struct EmbeddedPlugin {
    /// Its name as the configuration spells it, with underscores.
    pub(crate) name: &'static str,
    /// The component.
    pub(crate) component: &'static [u8],
    /// The same compiled for a CPU without extensions; none where the build could not compile for this target.
    pub(crate) precompiled: Option<&'static [u8]>,
}

/// All plugins that are part of the binary, sorted by name.
pub(crate) fn embedded() -> &'static [EmbeddedPlugin] {
    &[]
}
