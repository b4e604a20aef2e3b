//! What a component's bytes say about it, without compiling them.

use wasmparser::{ComponentName, KnownCustom, Parser, Payload, Validator, WasmFeatures};

use super::engine::check_kind;
use super::pack::{NAME_SECTION, VERSION_SECTION};
use super::unusable::Unusable;
use crate::hooks::limits::COMPONENT_NAME_BYTES_MAX;

/// The outermost parts of a component.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Anatomy {
    /// From the custom section `component-name`, else what the SDK has written into the module within.
    pub(super) name: Option<String>,
    /// From the custom section `version`, which `wasm-tools metadata add --version` writes as well, else as the name.
    pub(super) version: Option<String>,
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

impl Anatomy {
    /// Reads all that can be read, and says what is wrong with the rest.
    pub(super) fn read(bytes: &[u8]) -> (Self, Result<(), Unusable>) {
        let mut anatomy = Self::default();
        let read = check_kind(bytes)
            .and_then(|()| anatomy.read_sections(bytes).map_err(|error| Unusable::Invalid(error.to_string())));
        (anatomy, read)
    }

    fn read_sections(&mut self, bytes: &[u8]) -> wasmparser::Result<()> {
        // Modules and components may lie within.
        let mut depth = 0_usize;
        let (mut name_within, mut version_within) = (None, None);
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if depth > 0 => {
                    let text = || std::str::from_utf8(section.data()).ok().map(cut);
                    match section.name() {
                        NAME_SECTION => name_within = text(),
                        VERSION_SECTION => version_within = text(),
                        _ => {}
                    }
                }
                _ if depth > 0 => {}
                Payload::ComponentImportSection(imports) => {
                    for import in imports {
                        self.imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(exports) => {
                    for export in exports {
                        self.exports.push(export?.name.name.to_owned());
                    }
                }
                Payload::CustomSection(section) if section.name() == "version" => {
                    self.version = std::str::from_utf8(section.data()).ok().map(cut);
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::ComponentName(names) = section.as_known() {
                        // What is wrong in a section for people matters to nobody else.
                        for name in names.into_iter().map_while(Result::ok) {
                            if let ComponentName::Component { name, .. } = name {
                                self.name = Some(cut(name));
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        self.name = self.name.take().or(name_within);
        self.version = self.version.take().or(version_within);
        Ok(())
    }
}

/// Whether all of it is WebAssembly as the standard has it, which compiling would find out later and slower.
pub(super) fn validate(bytes: &[u8]) -> Result<(), Unusable> {
    let validated = Validator::new_with_features(WasmFeatures::all()).validate_all(bytes);
    validated.map(|_| ()).map_err(|error| Unusable::Invalid(error.to_string()))
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(COMPONENT_NAME_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(cut("plugin"), "plugin");
        assert_eq!(cut(&"雪".repeat(100)).len(), COMPONENT_NAME_BYTES_MAX / 3 * 3);
    }
}
