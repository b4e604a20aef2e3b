use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_rustls::rustls::ServerConfig;

use super::error::{TlsErrors, TlsWarning};
use super::files;
use super::settings::TlsSettings;
use crate::file_stamp::FileStamp;

/// TLS of one listener: what its settings name, and what that was when it was last in order.
pub struct TlsAcceptor {
    settings: TlsSettings,
    /// The name of what is spoken within TLS, for ALPN.
    protocol: &'static [u8],
    in_force: Mutex<Arc<ServerConfig>>,
    /// The files as they were before they were last read.
    seen: Mutex<Vec<(PathBuf, FileStamp)>>,
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

/// Of every file that the settings name, those in the folder of authorities included.
fn stamps(settings: &TlsSettings) -> Vec<(PathBuf, FileStamp)> {
    let TlsSettings { certfile, keyfile, cafile, capath, cadata: _, require_certificate: _ } = settings;
    let mut paths: Vec<PathBuf> = vec![certfile.clone()];
    paths.extend([keyfile, cafile, capath].into_iter().flatten().cloned());
    if let Some(path) = capath {
        // One that cannot be read is an error when it is loaded.
        paths.extend(files::folder(path).unwrap_or_default());
    }
    paths.into_iter().map(|path| (path.clone(), FileStamp::of(&path))).collect()
}
