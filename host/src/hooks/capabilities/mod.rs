//! What the broker does for plugins, one file each.

mod broker_info;
mod files;
mod log;
mod publisher;

pub(crate) use broker_info::BrokerInfo;
pub(crate) use files::{FileError, Files};
pub(crate) use log::{LogLevel, PluginLog, escape};
pub(crate) use publisher::{PublishError, Publisher};

/// What one plugin may use. Shared by all its instances, and with it the bounds on rates.
pub(crate) struct Capabilities {
    pub(crate) log: PluginLog,
    pub(crate) files: Files,
    pub(crate) publisher: Publisher,
    pub(crate) broker_info: BrokerInfo,
}
