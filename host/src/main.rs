//! The `amqtt` command.

mod logging;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::broker::Broker;
use amqtt::config::Config;
use clap::Parser;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// An MQTT broker whose every decision is a sandboxed WebAssembly component
#[derive(Debug, Parser)]
#[command(name = "amqtt")]
struct Arguments {
    /// The YAML file to read; without it, everyone is let in at port 1883
    #[arg(short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,

    /// Write debug messages to the log too
    #[arg(short)]
    debug: bool,

    /// A folder to search for plugins before those of the configuration; may be repeated
    #[arg(long, value_name = "DIR")]
    plugin_dir: Vec<PathBuf>,

    /// Print the version
    #[arg(long)]
    version: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = if arguments.version {
        writeln!(std::io::stdout(), "{}", env!("CARGO_PKG_VERSION")).map_err(Into::into)
    } else {
        serve(arguments)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a standard error that is closed.
            let _ = writeln!(std::io::stderr(), "amqtt: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
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
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(config))
}

/// Serves until SIGINT or SIGTERM.
async fn run(config: Config) -> Result<(), Box<dyn Error>> {
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
