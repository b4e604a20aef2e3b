//! What the broker does for plugins, one file each.

mod broker_info;
pub(crate) mod clock;
mod files;
mod log;
mod publisher;
mod sessions;
mod stamp;

use std::sync::Arc;

use super::verdict_number::VerdictNumber;

pub(crate) use broker_info::BrokerInfo;
pub(crate) use files::{FileError, Files};
pub use log::escape;
pub(crate) use log::{LogLevel, PluginLog, cut, escape_within, is_command};
pub(crate) use publisher::{PublishError, Publisher};
pub(crate) use sessions::Sessions;

/// What one plugin may use. Shared by all its instances, and with it the bounds on rates.
pub(crate) struct Capabilities {
    pub(crate) log: PluginLog,
    pub(crate) files: Files,
    pub(crate) publisher: Publisher,
    pub(crate) broker_info: BrokerInfo,
    pub(crate) sessions: Sessions,
    /// To be advanced when the plugin's rules have changed.
    pub(crate) verdict_number: Arc<VerdictNumber>,
}
