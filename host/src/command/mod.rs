//! What the command can do, one file each. Without a subcommand it is the broker.

mod check;
mod config;
mod passwd;
mod pid_file;
mod plugin;
mod serve;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::hooks::escape;
use clap::{Args, Parser, Subcommand};

/// An MQTT broker whose every decision is a sandboxed WebAssembly component
#[derive(Debug, Parser)]
#[command(name = "amqtt", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    serve: serve::Arguments,

    /// Print the version
    #[arg(long)]
    version: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    Config(config::Arguments),
    Passwd(passwd::Arguments),
    Plugin(plugin::Arguments),
}

/// Where to look for plugins first.
#[derive(Debug, Args)]
struct PluginDirs {
    /// A folder to search for plugins before those of the configuration; may be repeated
    #[arg(long = "plugin-dir", value_name = "DIR")]
    folders: Vec<PathBuf>,
}

impl PluginDirs {
    /// The folders as absolute paths. One that is not there is an error.
    fn absolute(&self) -> Result<Vec<PathBuf>, Failure> {
        let absolute = |folder: &PathBuf| {
            if !folder.is_dir() {
                return Err(format!("`--plugin-dir`: there is no folder `{}`", folder.display()).into());
            }
            Ok(std::path::absolute(folder)?)
        };
        self.folders.iter().map(absolute).collect()
    }
}

/// Why a command failed, for people. It may have several lines.
type Failure = Box<dyn Error>;

/// Does what the arguments ask for. Wrong arguments end the process with status 2.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let done = if arguments.version {
        print(&format!("{}\n", env!("CARGO_PKG_VERSION"))).map(|()| ExitCode::SUCCESS)
    } else {
        match arguments.command {
            None => serve::run(arguments.serve),
            Some(Command::Check(arguments)) => check::run(&arguments),
            Some(Command::Config(arguments)) => config::run(&arguments),
            Some(Command::Passwd(arguments)) => passwd::run(&arguments),
            Some(Command::Plugin(arguments)) => plugin::run(&arguments),
        }
    };
    done.unwrap_or_else(|error| {
        // Nothing can be done about a standard error that is closed.
        let _ = std::io::stderr().write_all(failed(&error).as_bytes());
        ExitCode::FAILURE
    })
}

/// What is written of a failure: it may have several lines, and cannot command a terminal.
fn failed(error: &Failure) -> String {
    let lines: Vec<_> = indent_hints(&error.to_string()).split('\n').map(escape).collect();
    format!("amqtt: {}\n", lines.join("\n"))
}

/// A text whose hints stand out as what belongs to the line above.
fn indent_hints(text: &str) -> String {
    text.replace("\nhint:", "\n  hint:")
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}
