use std::path::Path;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::pack::PackError;

/// Writes into a module what it has of the plugin interface, for [`pack`](super::pack): a compiler that knows nothing of
/// components does not.
///
/// `wit` is the package of the world: a folder with WIT files, and with those of other packages in its folder `deps`, or a
/// file.
///
/// # Errors
///
/// When the package cannot be read, or there is no such world in it.
pub fn declare_world(module: &mut Vec<u8>, wit: &Path, world: &str) -> Result<(), PackError> {
    let mut embedded = || {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(wit)?;
        let world = resolve.select_world(&[package], Some(world))?;
        embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
    };
    embedded().map_err(|error| PackError::Invalid(format!("{error:#}")))
}
