//! All about plugins, for who writes them and for who runs them.

mod bench;
mod check;
mod new;
mod pack;
mod test;
mod tried;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use amqtt::hooks::{inspect_built_in, inspect_file};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use rustix::process::{Pid, Signal, kill_process};

use super::{Failure, pid_file, print};

/// Make, test and look at plugins
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Arguments),
    Pack(pack::Arguments),
    Check(check::Arguments),
    Test(test::Arguments),
    Bench(bench::Arguments),

    /// Say what a plugin has, wants and is, without running it
    Inspect {
        /// A file, or the name of a plugin that is built in
        file: PathBuf,

        /// How to say it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },

    /// Let a running broker load its plugins again, with its configuration
    ///
    /// The broker is sent SIGHUP. Whether it took them, or why everything stays as it was, is in its log.
    #[command(group = ArgGroup::new("process").required(true))]
    Reload {
        /// The file that the broker was started with as `--pid-file`
        #[arg(long, value_name = "FILE", group = "process")]
        pid_file: Option<PathBuf>,

        /// The number of the broker's process
        #[arg(long, value_name = "PID", group = "process")]
        pid: Option<i32>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::New(arguments) => new::run(arguments),
        Command::Pack(arguments) => pack::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Inspect { file, format } => inspect(file, *format),
        Command::Reload { pid_file: Some(file), .. } => reload(pid_file::read(file)?),
        Command::Reload { pid, .. } => reload(pid.unwrap_or_default()),
    }
}

fn reload(pid: i32) -> Result<ExitCode, Failure> {
    // 0 and below would reach whole groups of processes.
    let process = Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw);
    let process = process.ok_or_else(|| format!("`{pid}` is not the number of a process"))?;
    kill_process(process, Signal::HUP).map_err(|error| format!("cannot signal the process {pid}: {error}"))?;
    print("the broker was told; what came of it is in its log\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Ends with status 1 where this broker cannot run the plugin.
fn inspect(file: &Path, format: Format) -> Result<ExitCode, Failure> {
    let inspection = match file.to_str().filter(|_| !file.exists()).and_then(inspect_built_in) {
        Some(built_in) => built_in,
        None => inspect_file(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?,
    };
    print(&match format {
        Format::Text => inspection.to_string(),
        Format::Json => serde_json::to_string_pretty(&inspection)? + "\n",
    })?;
    Ok(if inspection.problem.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
