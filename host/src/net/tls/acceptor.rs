use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio_rustls::rustls::ServerConfig;

use super::error::{TlsErrors, TlsWarning};
use super::files;
use super::settings::TlsSettings;

/// TLS of one listener: what its settings name, and what that was when it was last in order.
pub struct TlsAcceptor {
    settings: TlsSettings,
    /// The name of what is spoken within TLS, for ALPN.
    protocol: &'static [u8],
    in_force: Mutex<Arc<ServerConfig>>,
    /// The files as they were before they were last read.
    seen: Mutex<Vec<Stamp>>,
}

impl TlsAcceptor {
    /// Loads what the settings name.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn load(settings: TlsSettings, protocol: &'static [u8]) -> Result<(Self, Vec<TlsWarning>), TlsErrors> {
        // Before they are read: what changes meanwhile is read again.
        let seen = Mutex::new(stamps(&settings));
        let (config, warnings) = settings.load(protocol)?;
        Ok((Self { settings, protocol, in_force: Mutex::new(config), seen }, warnings))
    }

    /// What a handshake that begins now goes by.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.in_force.lock())
    }

    /// Loads everything again if a file has changed. Handshakes from then on go by it, connections keep what they have.
    ///
    /// # Errors
    /// When a file cannot be used: what was in force stays so.
    pub fn reload_if_changed(&self) -> Result<Reload, TlsErrors> {
        let found = stamps(&self.settings);
        // After an error too: it is told once for each change.
        if std::mem::replace(&mut *self.seen.lock(), found.clone()) == found {
            return Ok(Reload::Unchanged);
        }
        let (config, warnings) = self.settings.load(self.protocol)?;
        *self.in_force.lock() = config;
        Ok(Reload::Reloaded(warnings))
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What came of looking at the files.
#[derive(Debug, PartialEq, Eq)]
pub enum Reload {
    /// No file has changed.
    Unchanged,
    /// What the files hold now is in force.
    Reloaded(Vec<TlsWarning>),
}

/// By what a file that was changed, replaced or removed is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    /// When it was changed last, and its length; none if the system does not tell.
    state: Option<(SystemTime, u64, u64)>,
}

impl Stamp {
    fn of(path: &Path) -> Self {
        let state = || -> io::Result<_> {
            let metadata = fs::metadata(path)?;
            Ok((metadata.modified()?, metadata.len(), inode(&metadata)))
        };
        Self { path: path.to_owned(), state: state().ok() }
    }
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

/// Of every file that the settings name, those in the folder of authorities included.
fn stamps(settings: &TlsSettings) -> Vec<Stamp> {
    let TlsSettings { certfile, keyfile, cafile, capath, cadata: _, require_certificate: _ } = settings;
    let mut found: Vec<Stamp> = [Some(certfile), keyfile.as_ref(), cafile.as_ref(), capath.as_ref()]
        .into_iter()
        .flatten()
        .map(|path| Stamp::of(path))
        .collect();
    if let Some(path) = capath {
        // One that cannot be read is an error when it is loaded.
        found.extend(files::folder(path).unwrap_or_default().iter().map(|path| Stamp::of(path)));
    }
    found
}
