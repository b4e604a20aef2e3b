use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_rustls::rustls::ServerConfig;

use super::error::{TlsErrors, TlsWarning};
use super::files;
use super::settings::TlsSettings;
use crate::file_stamp::{FileStamp, Look, Looks};

/// TLS of one listener: what its settings name, and what that was when it was last in order.
pub struct TlsAcceptor {
    settings: TlsSettings,
    /// The name of what is spoken within TLS, for ALPN.
    protocol: &'static [u8],
    in_force: Mutex<Arc<ServerConfig>>,
    seen: Mutex<Seen>,
}

/// What is known of the files.
struct Seen {
    /// As they were before they were last read, and since.
    looks: Looks<Vec<(PathBuf, FileStamp)>>,
    /// Why a change could not be read, as it was told.
    unread: Option<String>,
}

impl TlsAcceptor {
    /// Loads what the settings name.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn load(settings: TlsSettings, protocol: &'static [u8]) -> Result<(Self, Vec<TlsWarning>), TlsErrors> {
        // Before they are read: what changes meanwhile is read again.
        let seen = Mutex::new(Seen { looks: Looks::new(stamps(&settings)), unread: None });
        let (config, warnings) = settings.load(protocol)?;
        Ok((Self { settings, protocol, in_force: Mutex::new(config), seen }, warnings))
    }

    /// What a handshake that begins now goes by.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.in_force.lock())
    }

    /// Loads everything again if a file has changed, and has stayed so since the last look. Handshakes from then on go by
    /// it, connections keep what they have.
    ///
    /// # Errors
    /// When a file cannot be used: what was in force stays so. Told once for each change; what cannot be read is tried
    /// again with each look.
    pub fn reload_if_changed(&self) -> Result<Reload, TlsErrors> {
        let mut seen = self.seen.lock();
        match seen.looks.look(stamps(&self.settings)) {
            Look::Same => seen.unread = None,
            Look::Changing => {}
            Look::Changed => match self.settings.load(self.protocol) {
                Err(errors) if errors.are_of_reading() => {
                    let text = errors.to_string();
                    if seen.unread.as_ref() != Some(&text) {
                        seen.unread = Some(text);
                        return Err(errors);
                    }
                }
                loaded => {
                    seen.looks.take();
                    seen.unread = None;
                    let (config, warnings) = loaded?;
                    *self.in_force.lock() = config;
                    return Ok(Reload::Reloaded(warnings));
                }
            },
        }
        Ok(Reload::Unchanged)
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
