//! Asks a plugin what a file says, and compares its answers.

use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::config::LogLevel;
use clap::Args;

use super::tried;
use crate::command::{Failure, print};
use crate::logging;

/// Load a plugin as a broker does, ask it what files of cases say, and compare its answers
///
/// The exit status is 0 if all are as expected, else 1. Each file is for a plugin of its own, freshly loaded.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The plugin's file, or the name of a plugin that is built in
    file: PathBuf,

    /// YAML: the plugin's settings and what to ask it
    #[arg(required = true, value_name = "CASES")]
    cases: Vec<PathBuf>,

    #[command(flatten)]
    grants: tried::Grants,

    /// Show what the plugin logs
    #[arg(short = 'd')]
    debug: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let _ = logging::start(if arguments.debug { LogLevel::Debug } else { LogLevel::Warn });
    let (mut passed, mut failed) = (0, 0);
    for file in &arguments.cases {
        let read = tried::read_cases(&arguments.file, &arguments.grants, file)?;
        let mut trial = arguments.grants.load(&read.spec)?;
        for case in &read.cases {
            let differs = case.run(&mut trial);
            let (word, count) = if differs.is_empty() { ("ok", &mut passed) } else { ("FAILED", &mut failed) };
            *count += 1;
            let mut text = format!("{}:{}: {} ... {word}\n", file.display(), case.line, case.question);
            differs.iter().for_each(|line| text += &format!("    {line}\n"));
            print(&text)?;
        }
    }
    if passed + failed == 0 {
        return Err("there are no cases: nothing was tested".into());
    }
    print(&format!("{passed} passed, {failed} failed\n"))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
