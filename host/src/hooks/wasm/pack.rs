//! From the module that a compiler makes to the component that a broker loads.
//!
//! The build scripts include this file too: there is one way to make a plugin.

use std::borrow::Cow;

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// Custom sections of a module that the macro `plugin!` writes: the name and the version of the author's package.
pub(super) const NAME_SECTION: &str = "amqtt-plugin-name";
pub(super) const VERSION_SECTION: &str = "amqtt-plugin-version";

/// Why there is no component. The text is for people.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(test, derive(PartialEq))]
pub enum PackError {
    /// It is something else.
    #[error("it is not WebAssembly\nhint: a module is a file that starts with the bytes 00 61 73 6d")]
    NotWasm,
    /// There is nothing to do.
    #[error("it is a component already: nothing has to be packed")]
    AlreadyComponent,
    /// The module does not say which functions of the plugin interface it has.
    #[error(
        "it does not say what it has of the plugin interface: there is no section `component-type`\n\
         hint: call `plugin!` in a crate of type `cdylib`, and build it with `cargo build --target wasm32-unknown-unknown`; \
         for a module in another language, name its world: `--wit DIR --world NAME`"
    )]
    NoInterface,
    /// The module was built for the first version of WASI.
    #[error(
        "it imports `wasi_snapshot_preview1`: it was built for `wasm32-wasip1`\n\
         hint: build it for `wasm32-unknown-unknown`, or for `wasm32-wasip2`, which makes a component itself"
    )]
    Wasip1,
    /// The module is broken, or does not have what it says.
    #[error("{0}")]
    Invalid(String),
}

/// Makes a component of a module.
///
/// # Errors
///
/// When the bytes are not a module that was built against the plugin interface.
pub fn pack(module: &[u8]) -> Result<Vec<u8>, PackError> {
    match module {
        [0, b'a', b's', b'm', _, _, 0, _, ..] => {}
        [0, b'a', b's', b'm', _, _, 1, _, ..] => return Err(PackError::AlreadyComponent),
        _ => return Err(PackError::NotWasm),
    }
    let about = About::read(module).map_err(|error| PackError::Invalid(error.to_string()))?;
    if about.wasip1 {
        return Err(PackError::Wasip1);
    }
    if !about.typed {
        return Err(PackError::NoInterface);
    }
    let encoder = ComponentEncoder::default().validate(true).module(module);
    let mut component =
        encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| PackError::Invalid(format!("{error:#}")))?;
    if let Some(name) = &about.name {
        // The first subsection of names is that of the component itself.
        let name = [&[0][..], &prefixed(&prefixed(name.as_bytes()))].concat();
        custom_section(&mut component, "component-name", &name);
    }
    if let Some(version) = &about.version {
        custom_section(&mut component, "version", version.as_bytes());
    }
    Ok(component)
}

/// What a module says about itself.
#[derive(Default)]
struct About<'a> {
    name: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    /// Whether it says what it has of a component's interface.
    typed: bool,
    wasip1: bool,
}

impl<'a> About<'a> {
    fn read(module: &'a [u8]) -> wasmparser::Result<Self> {
        let mut about = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::CustomSection(section) => match section.name() {
                    NAME_SECTION => about.name = Some(String::from_utf8_lossy(section.data())),
                    VERSION_SECTION => about.version = Some(String::from_utf8_lossy(section.data())),
                    name if name.starts_with("component-type") => about.typed = true,
                    _ => {}
                },
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        about.wasip1 |= import?.module == "wasi_snapshot_preview1";
                    }
                }
                _ => {}
            }
        }
        Ok(about)
    }
}

/// Appends what the component says about itself.
fn custom_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    component.push(0);
    component.extend(prefixed(&[prefixed(name.as_bytes()), data.to_vec()].concat()));
}

/// Bytes with their number before them.
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let (mut prefixed, mut rest) = (Vec::new(), bytes.len());
    while rest >= 0x80 {
        prefixed.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    prefixed.push(rest as u8);
    prefixed.extend(bytes);
    prefixed
}
