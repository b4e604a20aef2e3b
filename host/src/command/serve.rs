//! The broker: serves until it is told to end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use amqtt::broker::{Broker, ReloadError, StartError};
use amqtt::config::{Config, ConfigError, LogLevel};
use amqtt::hooks::{LoadError, Unusable};
use clap::Args;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

use super::pid_file::{Claim, PidFileError};
use super::{Failure, PluginDirs, failed};
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
    let plugin_dirs = arguments.plugin_dirs.absolute()?;
    let source = Arc::new(Source { plugin_dirs, config: arguments.config, debug: arguments.debug });
    let config = source.read(Config::load)?;
    let (log, set_log_level) = logging::start_aside(config.log_level)?;
    Ok(match run_with(config, &source, arguments.pid_file, set_log_level) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // After what the log says, and no more than that waited for.
            log.write(&failed(&error));
            ExitCode::FAILURE
        }
    })
}

fn run_with(
    config: Config,
    source: &Arc<Source>,
    pid_file: Option<PathBuf>,
    set_log_level: impl Fn(LogLevel),
) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        format!("the system does not let the broker start: {error}\nhint: `ulimit -n` says how many files it may open")
    })?;
    let served = runtime.block_on(serve(config, source, pid_file, set_log_level));
    // A reload may still be waiting for a plugin.
    runtime.shutdown_background();
    served
}

/// Where the configuration comes from, at the start and at each reload.
struct Source {
    config: Option<PathBuf>,
    debug: bool,
    plugin_dirs: Vec<PathBuf>,
}

impl Source {
    /// `load` is how to read a file.
    fn read(&self, load: fn(&Path) -> Result<Config, ConfigError>) -> Result<Config, ConfigError> {
        let mut config = match &self.config {
            Some(file) => load(file)?,
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
async fn serve(
    config: Config,
    source: &Arc<Source>,
    pid_file: Option<PathBuf>,
    set_log_level: impl Fn(LogLevel),
) -> Result<(), Failure> {
    // Before anything is open: a signal during the start ends that.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let of_pid_file = |error: PidFileError| format!("`--pid-file`: {error}");
    let claim = pid_file.map(Claim::new).transpose().map_err(of_pid_file)?;
    let mut log_level = config.log_level;
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
        (StartError::Listener(_), Some(file)) => format!("{}: {error}", file.display()).into(),
        _ => Failure::from(error),
    })?;
    // Who sees it may signal: that is heeded from now on.
    let _pid_file = match claim.map(Claim::write).transpose() {
        Ok(written) => written,
        Err(error) => {
            broker.shutdown().await;
            return Err(of_pid_file(error).into());
        }
    };
    let reloads = async {
        let mut watch = broker.watch_plugins();
        loop {
            tokio::select! {
                Some(()) = hangup.recv() => {
                    reload(&mut broker, source, &mut log_level, &set_log_level).await;
                }
                () = watch.changed() => match broker.reload_same_plugins().await {
                    Ok(()) => tracing::info!("the file of a plugin has changed: plugins were loaded again"),
                    Err(error) => {
                        tracing::error!(
                            "the file of a plugin has changed and is not taken, everything stays as it was: {}",
                            not_loaded(&error)
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
async fn reload(
    broker: &mut Broker,
    source: &Arc<Source>,
    log_level: &mut LogLevel,
    set_log_level: &impl Fn(LogLevel),
) {
    tracing::debug!("SIGHUP: reading the configuration again");
    let unchanged = "the configuration is not taken, everything stays as it was";
    // Whoever ends the broker need not wait for the file system.
    let of_task = Arc::clone(source);
    let Ok(read) = spawn_blocking(move || of_task.read(Config::load_again)).await else {
        return tracing::error!("{unchanged}: reading it has failed");
    };
    let config = match read {
        Ok(config) => config,
        Err(ConfigError::Invalid(problems)) => {
            problems.iter().for_each(|problem| tracing::error!("{}", problem.on_one_line()));
            let count = problems.len();
            return tracing::error!("{unchanged}: {count} error{}", if count == 1 { "" } else { "s" });
        }
        Err(ConfigError::NotYaml(problem)) => return tracing::error!("{unchanged}: {}", problem.on_one_line()),
        Err(error) => return tracing::error!("{unchanged}: {error}"),
    };
    // Before plugins are loaded: some ask for what they log, and for no more.
    let before = std::mem::replace(log_level, config.log_level);
    set_log_level(*log_level);
    match broker.reload(config).await {
        Ok(()) => tracing::info!("the configuration was taken anew"),
        Err(error) => {
            *log_level = before;
            set_log_level(before);
            let text = match &error {
                ReloadError::Plugin(error) => not_loaded(error),
                ReloadError::Listener(error) => on_one_line(error),
            };
            tracing::error!("{unchanged}: {text}");
        }
    }
}

/// Why a plugin of a broker that runs is not taken, as a line of the log: what is changed for that counts once it is read.
fn not_loaded(error: &LoadError) -> String {
    let text = on_one_line(error);
    match error {
        LoadError::Unusable { reason, .. } if matches!(**reason, Unusable::OtherFile { .. }) => text + ", then reload",
        _ => text,
    }
}

/// An error and its hint as a line of the log.
fn on_one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().replace("\nhint: ", "; hint: ")
}
