//! Says whether a broker would start with a plugin.

use std::process::ExitCode;

use amqtt::config::PluginTrial;
use amqtt::hooks::{self, HookSpec, Mishap};
use clap::Args;

use super::tried;
use crate::command::{Failure, print};

/// Load a plugin as a broker does, start one instance, and say what is wrong
///
/// The exit status is 0 if a broker would start with it, given the grants that it needs; else 1.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    tried: tried::Arguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let PluginTrial { spec, grants_are_said, .. } = arguments.tried.read()?;
    let mut errors = 0;
    let mut mishaps =
        hooks::check(&HookSpec { plugins: vec![spec.clone()], auth: Some(Vec::new()), ..HookSpec::default() });
    // What a plugin says before it fails tells why.
    mishaps.sort_by_key(|mishap| matches!(mishap, Mishap::Error(..)));
    for mishap in mishaps {
        match mishap {
            Mishap::Error(_, error) => {
                errors += 1;
                print(&format!("error: {}\n", arguments.tried.told(&error)))?;
            }
            // It is the only one, and need not be for that.
            Mishap::Warning(_, text) if text.starts_with("no plugin answers auth") => {}
            // Without a word about grants it has all of them, and nobody else is asked about logins.
            Mishap::Idle(..) => {}
            Mishap::Warning(_, text) => print(&format!("warning: {text}\n"))?,
        }
    }
    if errors > 0 {
        return Ok(ExitCode::FAILURE);
    }
    let trial = arguments.tried.load(&spec)?;
    print(&trial.describe())?;
    let needed = trial.grants();
    let grants = match grants_are_said {
        true => hooks::grants_as_granted(&needed, &spec.grants),
        false => hooks::grants_together(&needed),
    };
    // What is built in is granted what it needs.
    if let Some(grants) = grants.filter(|_| spec.path.is_some()) {
        print(&format!("needs {grants} in its entry of a configuration\n"))?;
    }
    print("OK\n")?;
    Ok(ExitCode::SUCCESS)
}
