//! The broker: serves until it is told to end.

use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::broker::Broker;
use amqtt::config::Config;
use clap::Args;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, PluginDirs};
use crate::logging;

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// The YAML file to read; without it, everyone is let in at port 1883
    #[arg(short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,

    /// Write debug messages to the log too
    #[arg(short)]
    debug: bool,

    #[command(flatten)]
    plugin_dirs: PluginDirs,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let mut config = match &arguments.config {
        Some(file) => Config::load(file)?,
        None => Config::default_config(),
    };
    config.hooks.plugin_dirs.splice(..0, arguments.plugin_dirs.absolute()?);
    logging::start(arguments.debug);
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(config))?;
    Ok(ExitCode::SUCCESS)
}

/// Serves until SIGINT or SIGTERM.
async fn serve(config: Config) -> Result<(), Failure> {
    // Before anything is open: a signal during the start ends it as gracefully.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let broker = Broker::start(config).await?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    broker.shutdown().await;
    Ok(())
}
