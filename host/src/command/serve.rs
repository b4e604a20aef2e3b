//! The broker: serves until it is told to end.

use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::broker::Broker;
use amqtt::config::Config;
use clap::Args;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
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

    /// A folder to search for plugins before those of the configuration; may be repeated
    #[arg(long, value_name = "DIR")]
    plugin_dir: Vec<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let mut config = match &arguments.config {
        Some(file) => Config::load(file)?,
        None => Config::default_config(),
    };
    let mut plugin_dirs = arguments.plugin_dir;
    for folder in &mut plugin_dirs {
        if !folder.is_dir() {
            return Err(format!("`--plugin-dir`: there is no folder `{}`", folder.display()).into());
        }
        *folder = std::path::absolute(&folder)?;
    }
    config.hooks.plugin_dirs.splice(..0, plugin_dirs);
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
