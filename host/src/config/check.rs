//! Everything that a start would find wrong, as far as looking changes nothing.

use std::path::{Path, PathBuf};

use super::error::{ConfigError, Problem};
use super::hooks::pin_of;
use super::{Reading, Source};
use crate::hooks::{self, LoadError, Mishap, Unusable};

/// What is wrong with a configuration, and what people should know of.
#[derive(Debug, Default)]
pub struct Checked {
    /// Because of these the broker does not start, in the order of the text.
    pub errors: Vec<Problem>,
    /// The others.
    pub warnings: Vec<Problem>,
}

/// Reads a file as a start would, and starts one instance of each plugin to see whether it can be used. No address is
/// opened and nothing is asked of the network. `plugin_dirs` are searched before those of the configuration.
pub fn check(path: &Path, plugin_dirs: &[PathBuf]) -> Checked {
    let file = path.display().to_string();
    match Source::open(path).and_then(|source| source.read()) {
        Ok(reading) => check_reading(reading, plugin_dirs, &file),
        Err(ConfigError::NotYaml(problem)) => Checked { errors: vec![*problem], warnings: Vec::new() },
        Err(error) => Checked { errors: vec![Problem::about_file(&file, error.to_string())], warnings: Vec::new() },
    }
}

fn check_reading(reading: Reading, plugin_dirs: &[PathBuf], file: &str) -> Checked {
    let Reading { config, findings, .. } = reading;
    let (places, plugins_are_whole) = (findings.places, findings.plugins_are_whole);
    let mut checked = Checked { errors: findings.errors, warnings: findings.warnings };
    let Some(config) = config else {
        return checked;
    };
    let (mut hooks, has_errors) = (config.hooks, !checked.errors.is_empty());
    hooks.plugin_dirs.splice(..0, plugin_dirs.iter().cloned());
    for mishap in hooks::check(&hooks) {
        let (about, text, is_error) = match mishap {
            // That the list is empty is in the text, and has been said.
            Mishap::Error(_, LoadError::NoTopicCheck { plugins }) if plugins.is_empty() && has_errors => continue,
            // A plugin whose settings are not all there would complain of what is not its own.
            Mishap::Error(_, LoadError::NotStarted { .. }) | Mishap::Warning(..) | Mishap::Idle(..)
                if !plugins_are_whole =>
            {
                continue;
            }
            Mishap::Error(plugin, error) => {
                let plugin = match &error {
                    LoadError::Unusable { plugin, reason, .. } if matches!(**reason, Unusable::OtherFile { .. }) => {
                        Some(pin_of(plugin).into())
                    }
                    _ => plugin,
                };
                (plugin, error.to_string(), true)
            }
            Mishap::Warning(plugin, text) => (plugin, text, false),
            Mishap::Idle(plugin, text) => (Some(plugin), text, false),
        };
        // On a line of its own in errors, in the same line of the log in warnings.
        let (message, hint) = match text.split_once("\nhint: ").or_else(|| text.rsplit_once("; hint: ")) {
            Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
            None => (text, None),
        };
        let place = about.and_then(|about| places.get(&*about).copied());
        let problem = Problem { place, hint, ..Problem::about_file(file, message) };
        if is_error { checked.errors.push(problem) } else { checked.warnings.push(problem) }
    }
    for problems in [&mut checked.errors, &mut checked.warnings] {
        problems.sort_by_key(|problem| (problem.place.is_none(), problem.place));
    }
    checked
}
