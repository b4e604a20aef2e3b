//! How a plugin is tried: what `check`, `test` and `bench` have in common.

use std::path::{Path, PathBuf};

use amqtt::config::{ConfigError, PluginTrial, Tried, add_grant};
use amqtt::hooks::{LoadError, PluginSpec, Unusable, built_in_names, inspect_built_in};
use amqtt::testing::Trial;
use clap::Args;

use crate::command::{Failure, indent_hints};

/// The plugin and what a configuration would have for it.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// The plugin's file, or the name of a plugin that is built in
    file: PathBuf,

    /// What stands under the plugin's name in a configuration: a JSON object, or a file in YAML or JSON
    #[arg(long, value_name = "JSON|FILE")]
    settings: Option<String>,

    #[command(flatten)]
    pub(super) grants: Grants,
}

/// What a plugin may use.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Grants {
    /// What it may use: files=KEY, publish=FILTER, broker-info, sessions or invalidate; may be repeated. Without it, and
    /// without `grants` in the settings, it has all that can be granted
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
}

impl Grants {
    /// What the words say; none if there are none.
    fn read(&self) -> Result<Option<amqtt::hooks::Grants>, Failure> {
        let mut grants = amqtt::hooks::Grants::default();
        for word in &self.grants {
            add_grant(&mut grants, word).map_err(|error| format!("`--grant {word}`: {error}"))?;
        }
        Ok(Some(grants).filter(|_| !self.grants.is_empty()))
    }
}

impl Grants {
    /// Loads a plugin.
    pub(super) fn load(&self, spec: &PluginSpec) -> Result<Trial, Failure> {
        Trial::load(spec).map_err(|error| self.told(&error).into())
    }

    /// What is said of a plugin that does not load: where it is these words that one is missing of, which.
    fn told(&self, error: &LoadError) -> String {
        let text = indent_hints(&error.to_string());
        let LoadError::Unusable { reason, .. } = error else { return text };
        match (&**reason, text.split_once(", add to its entry: ")) {
            (Unusable::NotGranted { grants, .. }, Some((text, _))) if !self.grants.is_empty() => {
                let words: Vec<_> = grants.iter().map(|grant| format!("--grant {}", word(grant))).collect();
                format!("{text}, add `{}`", words.join(" "))
            }
            _ => text,
        }
    }
}

/// What is written below `grants` as the word for it.
fn word(grant: &str) -> String {
    match grant.split_once(": ") {
        Some((key, "true")) => key.to_owned(),
        Some((key, value)) => format!("{key}={}", value.trim_matches(['[', ']'])),
        None => grant.to_owned(),
    }
}

impl Arguments {
    /// Loads the plugin with what `--settings` says.
    pub(super) fn load(&self, spec: &PluginSpec) -> Result<Trial, Failure> {
        Trial::load(spec).map_err(|error| self.told(&error).into())
    }

    /// What is said of a plugin that does not load: where it is that nobody has said what it is to be set to, how.
    pub(super) fn told(&self, error: &LoadError) -> String {
        let text = self.grants.told(error);
        match error {
            LoadError::NotStarted { reason, .. }
                if self.settings.is_none() && reason.starts_with("refused to start") =>
            {
                text + "\n  hint: `--settings` takes what it is to be set to: '{\"key\": \"value\"}', or a file"
            }
            _ => text,
        }
    }

    /// Reads the settings.
    pub(super) fn read(&self) -> Result<PluginTrial, Failure> {
        let Self { file, settings, grants } = self;
        with(file, grants, |tried| match settings.as_deref() {
            Some(text) if !text.trim_start().starts_with('{') => {
                let read = PluginTrial::of_settings_file(tried, Path::new(text));
                read.map_err(|error| match error {
                    ConfigError::Unreadable { .. } => format!(
                        "`--settings`: {error}\n  hint: it takes a JSON object, '{{\"key\": \"value\"}}', or a file"
                    )
                    .into(),
                    error => error.into(),
                })
            }
            text => {
                let here = std::env::current_dir()?;
                Ok(PluginTrial::of_settings(tried, text.unwrap_or("{}"), &here, "--settings")?)
            }
        })
    }
}

impl Arguments {
    /// Reads a file of cases, and the settings in it.
    pub(super) fn read_cases(&self, cases: &Path) -> Result<PluginTrial, Failure> {
        read_cases(&self.file, &self.grants, cases)
    }
}

/// Reads a file of cases for a plugin.
pub(super) fn read_cases(file: &Path, grants: &Grants, cases: &Path) -> Result<PluginTrial, Failure> {
    with(file, grants, |tried| Ok(PluginTrial::of_cases_file(tried, cases)?))
}

/// What is wrong with a name that leads neither to a file nor to a plugin that is built in; none of a path.
pub(super) fn leads_nowhere(file: &Path) -> Option<String> {
    let name = file.to_str().filter(|name| !name.contains(['/', '.']) && !file.exists())?;
    if inspect_built_in(name).is_some() {
        return None;
    }
    let files = [format!("{name}.wasm"), format!("{}.wasm", name.replace('-', "_"))];
    let hint = match files.into_iter().find(|file| Path::new(file).is_file()) {
        Some(file) => format!("did you mean `{file}`?"),
        None => format!("built in are {}", built_in_names().join(", ")),
    };
    Some(format!("there is no file `{name}`, and no plugin of that name is built in\n  hint: {hint}"))
}

fn with<R>(file: &Path, grants: &Grants, read: impl FnOnce(Tried<'_>) -> Result<R, Failure>) -> Result<R, Failure> {
    if let Some(text) = leads_nowhere(file) {
        return Err(text.into());
    }
    let built_in = file.to_str().filter(|name| !file.exists() && inspect_built_in(name).is_some());
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("plugin").replace('-', "_");
    let path = std::path::absolute(file)?;
    let path = if built_in.is_some() { None } else { Some(path.as_path()) };
    let grants = grants.read()?;
    read(Tried { name: &name, path, grants: grants.as_ref() })
}
