//! All about plugins.

use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::hooks::{inspect_built_in, inspect_file};
use clap::{Args, Subcommand, ValueEnum};

use super::{Failure, print};

/// Look at plugins
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what a plugin has, wants and is, without running it
    Inspect {
        /// A file, or the name of a plugin that is built in
        file: PathBuf,

        /// How to say it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
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
        Command::Inspect { file, format } => inspect(file, *format),
    }
}

/// Ends with status 1 where this broker cannot run the plugin.
fn inspect(file: &PathBuf, format: Format) -> Result<ExitCode, Failure> {
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
