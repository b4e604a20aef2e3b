//! What can be said of a file without running it.

use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::anatomy::{self, Anatomy};
use super::embedded::embedded;
use super::manifest::Manifest;
use super::unusable::Unusable;
use crate::hooks::Inspection;
use crate::hooks::limits::COMPONENT_BYTES_MAX;
use crate::regular_file;

/// Reads a file, whatever is in it.
pub(crate) fn inspect_file(path: &Path) -> io::Result<Inspection> {
    let mut file = regular_file::open(path)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.by_ref().take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 <= COMPONENT_BYTES_MAX {
        return Ok(inspect(&bytes));
    }
    // Too much to keep, and not too much to sum up.
    let mut digest = Sha256::new_with_prefix(&bytes);
    loop {
        bytes.clear();
        if file.by_ref().take(COMPONENT_BYTES_MAX).read_to_end(&mut bytes)? == 0 {
            break;
        }
        digest.update(&bytes);
    }
    let problem = Some(Unusable::TooLarge.to_string());
    Ok(Inspection { sha256: hex(&digest.finalize()), size, problem, ..Inspection::default() })
}

/// Looks at a plugin of the binary; none where there is none of that name.
pub(crate) fn inspect_embedded(name: &str) -> Option<Inspection> {
    let name = name.replace('-', "_");
    embedded().iter().find(|plugin| plugin.name == name).map(|plugin| inspect(plugin.component))
}

/// Looks at a component's bytes.
pub(crate) fn inspect(bytes: &[u8]) -> Inspection {
    let (Anatomy { name, version, imports, exports }, read) = Anatomy::read(bytes);
    let checked = read.and_then(|()| anatomy::validate(bytes));
    let manifest = Manifest::from_names(&imports, &exports, None);
    let interface = Manifest::interface_version(&imports, &exports);
    let (hooks, grants, problem) = match manifest {
        Ok(manifest) => (manifest.hooks(), manifest.grants(), checked.err()),
        Err(error) => (Vec::new(), Vec::new(), Some(checked.err().unwrap_or(error))),
    };
    Inspection {
        sha256: hex(&Sha256::digest(bytes)),
        size: bytes.len() as u64,
        name,
        version,
        interface,
        hooks,
        imports,
        exports,
        grants,
        problem: problem.map(|problem| problem.to_string()),
    }
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
