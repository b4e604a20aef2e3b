//! Prints the configuration in force, or what a configuration may be.

use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::config;
use clap::Args;

use super::{Failure, print};

/// Print the configuration in force: every value, and where it comes from
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The YAML file to read; without it, the default configuration is printed
    #[arg(short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print the JSON Schema of configurations instead, for editors
    #[arg(long, conflicts_with = "config")]
    schema: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let text = if arguments.schema { config::json_schema() } else { config::effective(arguments.config.as_deref())? };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
