//! The broker: serves until it is told to end.

use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::broker::{Broker, StartError};
use amqtt::config::{Config, ConfigError, LogLevel};
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

    /// A file to write the number of the process to, for `amqtt plugin reload`; removed at the end
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let source =
        Source { plugin_dirs: arguments.plugin_dirs.absolute()?, config: arguments.config, debug: arguments.debug };
    let config = source.read()?;
    let set_log_level = logging::start(config.log_level);
    let _pid_file = arguments.pid_file.map(PidFile::write).transpose()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(serve(config, &source, set_log_level));
    // A reload may still be waiting for a plugin.
    runtime.shutdown_background();
    served.map(|()| ExitCode::SUCCESS)
}

/// The file that tells the number of this process; removed when dropped.
struct PidFile(PathBuf);

impl PidFile {
    fn write(file: PathBuf) -> Result<Self, Failure> {
        let written = std::fs::write(&file, format!("{}\n", std::process::id()));
        written.map_err(|error| format!("`--pid-file`: cannot write `{}`: {error}", file.display()))?;
        Ok(Self(file))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        drop(std::fs::remove_file(&self.0));
    }
}

/// Where the configuration comes from, at the start and at each reload.
struct Source {
    config: Option<PathBuf>,
    debug: bool,
    plugin_dirs: Vec<PathBuf>,
}

impl Source {
    fn read(&self) -> Result<Config, ConfigError> {
        let mut config = match &self.config {
            Some(file) => Config::load(file)?,
            None => Config::default_config(),
        };
        config.hooks.plugin_dirs.splice(..0, self.plugin_dirs.iter().cloned());
        if self.debug {
            config.log_level = LogLevel::Debug;
        }
        Ok(config)
    }
}

/// Serves until SIGINT or SIGTERM, and takes the configuration anew at SIGHUP.
async fn serve(config: Config, source: &Source, set_log_level: impl Fn(LogLevel)) -> Result<(), Failure> {
    // Before anything is open: a signal during the start ends that.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let started = tokio::select! {
        started = Broker::start(config) => started,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let mut broker = started.map_err(|error| match (&error, &source.config) {
        // Only a check of the whole file knows the place.
        (StartError::Plugin(_), Some(file)) => {
            format!("{error}\nhint: `amqtt check -c {}` says in which line", file.display()).into()
        }
        _ => Failure::from(error),
    })?;
    let reloads = async {
        let mut watch = broker.watch_plugins();
        loop {
            tokio::select! {
                Some(()) = hangup.recv() => reload(&mut broker, source, &set_log_level).await,
                () = watch.changed() => match broker.reload_same_plugins().await {
                    Ok(()) => tracing::info!("the file of a plugin has changed: plugins were loaded again"),
                    Err(error) => {
                        tracing::error!(
                            "the file of a plugin has changed and is not taken, everything stays as it was: {}",
                            on_one_line(&error)
                        );
                        continue;
                    }
                },
                else => return,
            }
            watch = broker.watch_plugins();
        }
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = reloads => {}
    }
    broker.shutdown().await;
    Ok(())
}

/// Takes the configuration anew, or says why everything stays as it was.
async fn reload(broker: &mut Broker, source: &Source, set_log_level: &impl Fn(LogLevel)) {
    tracing::debug!("SIGHUP: reading the configuration again");
    let unchanged = "the configuration is not taken, everything stays as it was";
    let config = match source.read() {
        Ok(config) => config,
        Err(ConfigError::Invalid(problems)) => {
            problems.iter().for_each(|problem| tracing::error!("{}", problem.on_one_line()));
            return tracing::error!("{unchanged}: {} errors", problems.len());
        }
        Err(ConfigError::NotYaml(problem)) => return tracing::error!("{unchanged}: {}", problem.on_one_line()),
        Err(error) => return tracing::error!("{unchanged}: {error}"),
    };
    let log_level = config.log_level;
    match broker.reload(config).await {
        Ok(()) => {
            set_log_level(log_level);
            tracing::info!("the configuration was taken anew");
        }
        Err(error) => tracing::error!("{unchanged}: {}", on_one_line(&error)),
    }
}

/// An error and its hint as a line of the log.
fn on_one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().replace("\nhint: ", "; hint: ")
}
