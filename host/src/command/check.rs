//! Says whether a configuration is one.

use std::path::PathBuf;
use std::process::ExitCode;

use amqtt::config::{self, Checked, Problem};
use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::{Failure, PluginDirs, print};

/// Say all that is wrong with a configuration, without starting the broker
///
/// The exit status is 0 if the broker would start with it, as far as can be told without opening an address, else 1.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The YAML file to check
    #[arg(short = 'c', value_name = "FILE")]
    config: PathBuf,

    #[command(flatten)]
    plugin_dirs: PluginDirs,

    /// How to say it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: FILE:LINE:COLUMN and what is wrong
    Text,
    /// For programs: one object
    Json,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let checked = config::check(&arguments.config, &arguments.plugin_dirs.absolute()?);
    let text = match arguments.format {
        Format::Text => text(&checked),
        Format::Json => format!("{:#}\n", json(&checked)),
    };
    print(&text)?;
    Ok(if checked.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Errors and warnings in the order of the file, then the result.
fn text(checked: &Checked) -> String {
    let errors = checked.errors.iter().map(|problem| (problem, "error"));
    let warnings = checked.warnings.iter().map(|problem| (problem, "warning"));
    let mut all: Vec<_> = errors.chain(warnings).collect();
    all.sort_by_key(|(problem, _)| (problem.place.is_none(), problem.place));
    let mut text: String = all.iter().map(|(problem, kind)| problem.as_kind(kind) + "\n").collect();
    let count = |problems: &[Problem], what: &str| match problems.len() {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let warnings = count(&checked.warnings, "warning");
    text += &match (checked.errors.len(), checked.warnings.len()) {
        (0, 0) => "OK\n".to_owned(),
        (0, _) => format!("OK, {warnings}\n"),
        (_, 0) => format!("{}\n", count(&checked.errors, "error")),
        _ => format!("{}, {warnings}\n", count(&checked.errors, "error")),
    };
    text
}

fn json(checked: &Checked) -> Json {
    json!({
        "ok": checked.errors.is_empty(),
        "errors": checked.errors.iter().map(problem).collect::<Vec<_>>(),
        "warnings": checked.warnings.iter().map(problem).collect::<Vec<_>>(),
    })
}

/// What is not known is null, so that every object has the same keys.
fn problem(problem: &Problem) -> Json {
    let Problem { file, place, message, hint, value } = problem;
    json!({
        "file": file,
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "key": value.as_ref().map(|value| &value.key),
        "found": value.as_ref().map(|value| value.found.trim_matches('`')),
        "allowed": value.as_ref().map(|value| &value.wanted),
        "message": message,
        "hint": hint,
    })
}
