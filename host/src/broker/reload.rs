//! Another configuration for a broker that runs.

use std::sync::Arc;
use std::time::Duration;

use super::Broker;
use super::listeners::ListenerError;
use super::worker::Task;
use crate::config::Config;
use crate::hooks::{HookSpec, LoadError};
use crate::types::{Capabilities, Limits};

/// Why a broker did not take another configuration. Everything is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// A plugin cannot be loaded.
    #[error(transparent)]
    Plugin(#[from] LoadError),
    /// A listener does not work.
    #[error(transparent)]
    Listener(#[from] ListenerError),
}

/// What connections are held to by a configuration.
pub(super) fn policy(config: &Config) -> (Limits, Capabilities, Option<Duration>) {
    (config.limits.clone(), config.capabilities.clone(), config.timeout_disconnect_delay_secs.map(Duration::from_secs))
}

impl Broker {
    /// Takes another configuration, as far as that is possible without a restart: what is not is named in the log.
    /// Connections stay, and so does what their CONNECT began: timeouts, and how long the session lasts. Plugins are
    /// loaded anew, with the files that their settings name, and so are certificates, also where the configuration is the
    /// same. Listeners that are gone accept nobody any more; a new one may not want an address that another one still has.
    ///
    /// # Errors
    /// When anything of the new configuration does not work. Then nothing has changed.
    pub async fn reload(&mut self, config: Config) -> Result<(), ReloadError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let (limits, capabilities, delay) = policy(&config);
        let listeners = self.listeners.prepare(&config.listeners, &limits).await?;
        self.reload_plugins(config.hooks.clone()).await?;
        // From here on nothing fails.
        self.listeners.apply(listeners).await;
        self.core = Arc::new(self.core.held_to(limits, capabilities, delay));
        for worker in &self.workers {
            // It fails where a worker has ended, and that one has no connections.
            drop(worker.send(Task::HoldTo(Arc::clone(&self.core))).await);
        }
        if config.overlapping != self.config.overlapping {
            tracing::warn!("`overlapping-subscriptions` has changed: this takes effect at the next start");
        }
        self.config = config;
        Ok(())
    }

    /// Loads plugins in place of those that run; connections stay. From one moment on every thread asks the new ones,
    /// and no cached verdict of the old ones holds.
    ///
    /// # Errors
    /// When a plugin does not work. Then those that run go on as before.
    pub async fn reload_plugins(&self, spec: HookSpec) -> Result<(), LoadError> {
        let hooks = Arc::clone(&self.hooks);
        // It compiles, starts instances and waits for what old ones are asked.
        let reloaded = tokio::task::spawn_blocking(move || hooks.reload(&spec)).await;
        reloaded.unwrap_or_else(|error| Err(LoadError::Engine(std::io::Error::other(error))))?;
        for worker in &self.workers {
            // One that is busy follows with its next question.
            drop(worker.try_send(Task::FollowPlugins));
        }
        Ok(())
    }
}
