//! Warnings about who gets in: the surprises of a broker that is open, or closed, by accident.

use serde_json::Value as Json;

use super::known::{AUTH_ANONYMOUS, AUTH_FILE, AUTH_SCRAM, find};
use super::report::Report;
use crate::hooks::{HookSpec, PluginSpec, TopicCheckSpec};

/// Tells from the settings of the embedded plugins who may connect.
pub(super) fn warn(hooks: &HookSpec, report: &mut Report) {
    let asked: Vec<&PluginSpec> = match &hooks.auth {
        Some(names) => hooks.plugins.iter().filter(|plugin| names.contains(&plugin.name)).collect(),
        None => hooks.plugins.iter().collect(),
    };
    let embedded = |name: &str| {
        let it = |plugin: &&&PluginSpec| plugin.name == name && plugin.path.is_none();
        asked.iter().find(it).copied()
    };
    let anonymous = embedded(AUTH_ANONYMOUS);
    let file = embedded(AUTH_FILE);
    let others = asked.iter().any(|plugin| plugin.path.is_some() || find(&plugin.name).is_none());

    let has_file = |plugin: &PluginSpec| plugin.settings.contains_key("password-file");
    let passwords = file.is_some_and(has_file);
    let open = anonymous.is_some_and(|plugin| plugin.settings.get("allow-anonymous") != Some(&Json::Bool(false)));
    let names_pass = open && !anonymous.is_some_and(has_file) && !passwords && embedded(AUTH_SCRAM).is_none();
    let unless = if others { ", unless another plugin refuses it" } else { "" };
    if names_pass {
        let mut message = format!("every client may connect, and no user name is verified{unless}");
        if hooks.topic_check != TopicCheckSpec::Off && hooks.plugins.iter().any(|plugin| plugin.name == "topic_acl") {
            message.push_str(": the rules of `topic_acl` hold for the names that clients claim");
        }
        let hint = "to verify names, load `auth_file` and set `auth.password-file`";
        report.warning(None, message, Some(hint.to_owned()));
    }
    if others || embedded(AUTH_SCRAM).is_some() {
        return;
    }
    if !open && !passwords && (anonymous.is_some() || file.is_some()) {
        let hint =
            "load `auth_file` and set `auth.password-file`, or load `auth_anonymous` with `allow-anonymous: true`";
        let message = "no client can connect: there are no passwords, and anonymous clients are refused".to_owned();
        report.warning(None, message, Some(hint.to_owned()));
    } else if anonymous.is_some_and(has_file) && file.is_none() {
        let message =
            "no client with a user name can connect: `auth.password-file` is set, and `auth_file` is not asked";
        let hint = "add `auth_file` to the plugins, or leave `password-file` out";
        report.warning(None, message.to_owned(), Some(hint.to_owned()));
    }
}
