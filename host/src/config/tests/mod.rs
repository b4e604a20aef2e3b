//! What whole configurations mean and what is said of wrong ones.
#![allow(clippy::panic, reason = "a test fails by it")]

mod admission;
mod effective;
mod field;
mod json_schema;
mod limits;
mod listeners;
mod plugins;
mod root;
mod seeds;
mod topic_check;

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::*;
use crate::hooks::{PluginLimits, PluginSpec, TopicCheckSpec};
use crate::types::{QoS, ReasonCode, ShareStrategy};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/amqtt"), "amqtt.yaml")
}

/// A configuration with a listener and these lines.
fn with_listener(lines: &str) -> String {
    format!("listeners: {{default: {{bind: 1883}}}}\n{lines}")
}

fn config(lines: &str) -> Config {
    let text = with_listener(lines);
    parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// Checks the whole message about a configuration with a listener in line 1 and these lines after it.
fn check_error(lines: &str, expected: &str) {
    check_whole_error(&with_listener(lines), expected);
}

fn check_whole_error(text: &str, expected: &str) {
    let error = parse(text).expect_err(text).to_string();
    assert_eq!(error, expected, "{text}");
}

fn check_warnings(lines: &str, expected: &[&str]) {
    let text = with_listener(lines);
    let mut warnings = config(lines).warnings;
    // Which these are is for others to say.
    let known_keys = "hint: known keys are";
    for warning in &mut warnings {
        warning.truncate(warning.find(known_keys).map_or(warning.len(), |start| start + known_keys.len()));
    }
    assert_eq!(warnings, expected, "{text}");
}

/// What a text was read from, with an environment of the test's own.
fn source(text: &str, environment: fn(&str) -> Option<OsString>) -> Source {
    let base_dir = Some(PathBuf::from("/etc/amqtt"));
    Source { text: text.to_owned(), base_dir, name: "amqtt.yaml".to_owned(), environment }
}

fn plugin<'a>(config: &'a Config, name: &str) -> &'a PluginSpec {
    let found = config.hooks.plugins.iter().find(|plugin| plugin.name == name);
    found.unwrap_or_else(|| panic!("{name} is not in {:?}", config.hooks.plugins))
}

fn settings(config: &Config, name: &str) -> Json {
    Json::Object(plugin(config, name).settings.clone())
}

fn names(config: &Config) -> Vec<&str> {
    config.hooks.plugins.iter().map(|plugin| plugin.name.as_str()).collect()
}
