use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, InstancePre, Linker};

use super::anatomy::Anatomy;
use super::bindings::{self, HookIndices};
use super::code_cache::CodeCache;
use super::embedded::EmbeddedPlugin;
use super::engine::{Runtime, compile, load_embedded};
use super::inspect::hex;
use super::instance::{Fault, Instance};
use super::manifest::Manifest;
use super::state::State;
use super::unusable::Unusable;
use super::wasi;
use crate::hooks::capabilities::{Capabilities, Files};
use crate::hooks::interests::{Interests, Registration};
use crate::hooks::limits::COMPONENT_BYTES_MAX;
use crate::hooks::{Grants, PluginLimits};
use crate::regular_file;

/// Compiled code of a plugin, and what its type says.
pub(crate) struct Code {
    component: Component,
    /// The SHA-256 of its file; none for what is part of the binary.
    digest: Option<[u8; 32]>,
    manifest: Manifest,
    /// The version of the plugin, if it tells one.
    version: Option<String>,
    /// How long it took to make this of the bytes.
    compiled_in: Duration,
}

impl Code {
    /// Reads a file and compiles it, unless its compiled code is in the folder `cache`.
    pub(crate) fn from_file(
        runtime: &Runtime,
        path: &Path,
        sha256: Option<[u8; 32]>,
        grants: &Grants,
        cache: Option<&Path>,
    ) -> Result<Self, Unusable> {
        let bytes = read_bounded(path)?;
        let digest = check_digest(&bytes, sha256, false)?;
        let began = Instant::now();
        let component = runtime.compiled.component(digest, || match cache {
            Some(folder) => CodeCache { folder, engine: &runtime.engine }.component(&digest, &bytes),
            None => compile(&runtime.engine, &bytes).map(|(component, _)| component),
        })?;
        Self::new(runtime, component, Some(digest), began.elapsed(), &bytes, grants)
    }

    /// Takes a plugin that is part of the binary.
    pub(crate) fn from_embedded(
        runtime: &Runtime,
        plugin: &EmbeddedPlugin,
        sha256: Option<[u8; 32]>,
        grants: &Grants,
    ) -> Result<Self, Unusable> {
        if sha256.is_some() {
            check_digest(plugin.component, sha256, true)?;
        }
        let began = Instant::now();
        let component = load_embedded(&runtime.engine, plugin)?;
        Self::new(runtime, component, None, began.elapsed(), plugin.component, grants)
    }

    fn new(
        runtime: &Runtime,
        component: Component,
        digest: Option<[u8; 32]>,
        compiled_in: Duration,
        bytes: &[u8],
        grants: &Grants,
    ) -> Result<Self, Unusable> {
        let manifest = Manifest::read(&runtime.engine, &component, grants)?;
        let (Anatomy { version, .. }, read) = Anatomy::read(bytes);
        read.map(|()| Self { component, digest, manifest, version, compiled_in })
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Unusable> {
    regular_file::read(path, COMPONENT_BYTES_MAX).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => Unusable::TooLarge,
        _ => Unusable::Unreadable(error),
    })
}

/// The digest of a file, if it is the one that is wanted.
fn check_digest(bytes: &[u8], wanted: Option<[u8; 32]>, built_in: bool) -> Result<[u8; 32], Unusable> {
    let found: [u8; 32] = Sha256::digest(bytes).into();
    match wanted {
        Some(wanted) if wanted != found => {
            Err(Unusable::OtherFile { wanted: hex(&wanted), found: hex(&found), built_in })
        }
        _ => Ok(found),
    }
}

/// A plugin that is ready to be instantiated any number of times.
pub(crate) struct Plugin {
    digest: Option<[u8; 32]>,
    manifest: Manifest,
    version: Option<String>,
    compiled_in: Duration,
    registration: Registration,
    pre: InstancePre<State>,
    indices: HookIndices,
    capabilities: Arc<Capabilities>,
    settings: String,
    limits: PluginLimits,
    /// Instances that nobody has needed yet: the one that was started to see whether the plugin works, and others that
    /// were made before they are needed.
    ready: Mutex<Vec<Instance>>,
}

impl Plugin {
    /// Binds a plugin's imports and starts a first instance.
    pub(crate) fn start(
        code: Code,
        capabilities: Arc<Capabilities>,
        settings: String,
        limits: PluginLimits,
    ) -> Result<Self, StartError> {
        let Code { component, digest, manifest, version, compiled_in } = code;
        let later = manifest.later.clone();
        let mismatch = |error: wasmtime::Error| {
            StartError::Unusable(Unusable::Mismatch { reason: format!("{error:#}"), later: later.clone() })
        };
        let mut linker = Linker::new(component.engine());
        bindings::link(&mut linker, &manifest.capabilities).map_err(mismatch)?;
        if manifest.wasi {
            wasi::link(&mut linker).map_err(mismatch)?;
        }
        let pre = linker.instantiate_pre(&component).map_err(mismatch)?;
        let indices = HookIndices::new(&pre, manifest.exports).map_err(mismatch)?;
        let (first, registration) = Instance::start(
            &pre,
            &indices,
            State::new(Arc::clone(&capabilities), false, limits, manifest.wasi),
            &settings,
        )
        .map_err(StartError::Fault)?;
        let ready = Mutex::new(vec![first]);
        Ok(Self {
            digest,
            manifest,
            version,
            compiled_in,
            registration,
            pre,
            indices,
            capabilities,
            settings,
            limits,
            ready,
        })
    }

    /// Whether it is the same code with the same settings as another of its name: then what was learned of that holds.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest && self.settings == other.settings
    }

    /// Makes instances until so many are ready.
    pub(crate) fn prepare(&self, count: usize) -> Result<(), Fault> {
        while self.ready.lock().len() < count {
            let instance = self.make()?;
            self.ready.lock().push(instance);
        }
        Ok(())
    }

    /// A fresh instance.
    pub(crate) fn instantiate(&self) -> Result<Instance, Fault> {
        let ready = std::iter::from_fn(|| self.ready.lock().pop()).find(|instance| !instance.is_stale());
        ready.map_or_else(|| self.make(), Ok)
    }

    fn make(&self) -> Result<Instance, Fault> {
        let state = State::new(Arc::clone(&self.capabilities), true, self.limits, self.manifest.wasi);
        Instance::start(&self.pre, &self.indices, state, &self.settings).map(|(instance, _)| instance)
    }

    /// The instances that nobody has needed.
    pub(crate) fn take_ready(&self) -> Vec<Instance> {
        std::mem::take(&mut self.ready.lock())
    }

    /// The files that it may read.
    pub(crate) fn files(&self) -> &Files {
        &self.capabilities.files
    }

    /// How many instances answer auth at once, if that is set.
    pub(crate) fn instances(&self) -> Option<usize> {
        self.limits.instances
    }

    /// How long one call may run, if that is set.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.limits.deadline
    }

    /// The version that it tells of itself.
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How long it took to compile it.
    pub(crate) fn compiled_in(&self) -> Duration {
        self.compiled_in
    }

    /// What its type says.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What the first instance asked for.
    pub(crate) fn interests(&self) -> Interests {
        self.registration.interests
    }

    /// The authentication methods that the first instance asked to serve.
    pub(crate) fn methods(&self) -> &[Box<str>] {
        &self.registration.methods
    }
}

/// Why a plugin did not start.
pub(crate) enum StartError {
    /// The file is not a plugin for this broker.
    Unusable(Unusable),
    /// Its first instance failed.
    Fault(Fault),
}
