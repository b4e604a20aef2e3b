//! Says whether a configuration is one.

use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::config::Config;
use clap::Args;

use super::{Failure, print};

/// Say what is wrong in a configuration, without starting the broker
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The YAML file to check
    #[arg(short = 'c', value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (text, status) = match Config::load(&arguments.config) {
        Ok(config) => {
            let mut text: String = config.warnings.iter().map(|warning| format!("{warning}\n")).collect();
            text.push_str("OK\n");
            (text, ExitCode::SUCCESS)
        }
        Err(error) => (format!("{error}\n"), ExitCode::FAILURE),
    };
    print(&text)?;
    Ok(status)
}
