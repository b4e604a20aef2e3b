//! All about plugins, for who writes them and for who runs them.

mod bench;
mod check;
mod new;
mod pack;
mod test;
mod tried;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use amqtt::hooks::{inspect_built_in, inspect_file};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

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
    /// The broker is sent SIGHUP, which ends most other processes: with `--pid`, Linux is asked whether it is a broker,
    /// other systems are not. Whether it took them, or why everything stays as it was, is in its log.
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
        Command::Reload { pid, .. } => reload_process(pid.unwrap_or_default()),
    }
}

/// Of a number that somebody typed, it is not known yet whose it is.
fn reload_process(pid: i32) -> Result<ExitCode, Failure> {
    let process = process(pid)?;
    test_kill_process(process).map_err(|error| unsignalled(pid, error))?;
    if cfg!(target_os = "linux") && !is_broker(process) {
        return Err(format!(
            "the process {pid} is no broker that has started, as far as the system tells: it was not signalled\n\
             hint: start the broker with `--pid-file FILE`, and name that file in place of the number"
        )
        .into());
    }
    reload(pid)
}

/// Whether a process has the name of this command and heeds SIGHUP, which would end it otherwise.
fn is_broker(process: Pid) -> bool {
    let of = |process: &str, file: &str| fs::read_to_string(format!("/proc/{process}/{file}"));
    let pid = process.as_raw_nonzero().to_string();
    let (Ok(name), Ok(own), Ok(status)) = (of(&pid, "comm"), of("self", "comm"), of(&pid, "status")) else {
        return false;
    };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    name == own && caught & (1 << (Signal::HUP.as_raw() - 1)) != 0
}

fn process(pid: i32) -> Result<Pid, String> {
    // 0 and below would reach whole groups of processes.
    let process = Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw);
    process.ok_or_else(|| format!("`{pid}` is not the number of a process"))
}

fn unsignalled(pid: i32, error: Errno) -> String {
    format!("cannot signal the process {pid}: {error}")
}

fn reload(pid: i32) -> Result<ExitCode, Failure> {
    kill_process(process(pid)?, Signal::HUP).map_err(|error| unsignalled(pid, error))?;
    print("the broker was told; what came of it is in its log\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Ends with status 1 where this broker cannot run the plugin.
fn inspect(file: &Path, format: Format) -> Result<ExitCode, Failure> {
    if let Some(text) = tried::leads_nowhere(file) {
        return Err(text.into());
    }
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
