//! Keys at the top that are none: what they were to forbid would be allowed.

use super::report::Report;
use super::section::{Section, dashed};
use super::setting::{Form, Keys};
use super::suggest::nearest;
use super::{known, listeners, plugins, root};

/// The keys at the top that a slip in would open the broker.
const WEIGHTY: [&str; 12] = [
    "listeners",
    "plugins",
    "auth",
    "topic-check",
    "limits",
    "redirect",
    "max-qos",
    "retain-available",
    "wildcard-subscriptions",
    "subscription-identifiers",
    "shared-subscriptions",
    "check-payload-format",
];

/// The sections whose keys decide who may do what.
const DECIDING: [&str; 2] = ["auth", "topic-check"];

/// The section that plugins and their settings stand in.
const PLUGINS: &str = "plugins";

/// Makes errors of keys that were to be a section or a part of one. A key that is nothing of the kind stays a warning:
/// files of the broker's ancestors have some of their own.
pub(super) fn refuse(top: &mut Section<'_>, report: &mut Report) {
    top.refuse(|_, entry| judge(&entry.key), report);
}

/// What is wrong with a key that is not known at the top, and a hint; none where it is nothing that was known elsewhere.
fn judge(written: &str) -> Option<(String, String)> {
    let key = dashed(&written.to_lowercase());
    if root::KEYS.find(&key).is_some() {
        // Where it is spelled right it has been taken.
        return (key != dashed(written)).then(|| unknown(written, format!("did you mean `{key}`?")));
    }
    if let Some(section) = section_of(&key, written) {
        let message = format!("key `{written}` stands outside of `{section}`");
        return Some((message, format!("indent it, to be a part of `{section}`")));
    }
    let (first, rest) = match written.split_once('.') {
        Some((first, rest)) => (dashed(&first.to_lowercase()), Some(rest)),
        None => (key.clone(), None),
    };
    if let Some(meant) = nearest(&first, WEIGHTY) {
        let hint = match rest {
            None => format!("did you mean `{meant}`?"),
            Some(rest) => {
                format!("a key within `{meant}` stands below it, indented: `{meant}: {{{}: …}}`", dashed(rest))
            }
        };
        return Some(unknown(written, hint));
    }
    let (meant, section) = nearest_part(&key)?;
    Some(unknown(written, format!("did you mean `{meant}`? it is a part of `{section}`")))
}

fn unknown(written: &str, hint: String) -> (String, String) {
    (format!("unknown key `{written}`"), hint)
}

/// The section that has a key of this name, or a plugin.
fn section_of(key: &str, written: &str) -> Option<&'static str> {
    if key == listeners::DEFAULT {
        return Some("listeners");
    }
    let is_plugin = plugins::resolve(written).is_ok_and(|name| known::find(&name).is_some())
        || plugins::resolve(key).is_ok_and(|name| known::find(&name).is_some());
    if is_plugin {
        return Some(PLUGINS);
    }
    let of_sections = root::KEYS.settings().find(|section| keys_of(section.form).is_some_and(|keys| has(keys, key)));
    let of_plugins = || known::all().iter().any(|plugin| has(&plugin.keys, key));
    of_sections.map(|section| section.key).or_else(|| of_plugins().then_some(PLUGINS))
}

fn keys_of(form: Form) -> Option<&'static Keys> {
    match form {
        Form::Section(keys) | Form::Listeners(keys) => Some(keys),
        _ => None,
    }
}

/// Whether a section has a key, or a section within it.
fn has(keys: &'static Keys, key: &str) -> bool {
    keys.settings().any(|setting| setting.key == key || keys_of(setting.form).is_some_and(|keys| has(keys, key)))
}

/// A deciding key or a plugin that a key is nearly called like, with the section that it is a part of.
fn nearest_part(key: &str) -> Option<(&'static str, &'static str)> {
    let sections = DECIDING.into_iter().filter_map(|section| Some((section, root::KEYS.find(section)?)));
    let parts = sections.flat_map(|(section, setting)| {
        let keys = keys_of(setting.form).into_iter().flat_map(Keys::settings);
        keys.map(move |setting| (setting.key, section))
    });
    // `plugins`, which several have, is known at the top.
    let mut parts: Vec<_> = parts.filter(|(part, _)| *part != PLUGINS).collect();
    parts.extend(known::all().iter().map(|plugin| (plugin.name, PLUGINS)));
    let named = nearest(key, parts.iter().map(|(part, _)| *part))
        .or_else(|| nearest(&key.replace('-', "_"), parts.iter().map(|(part, _)| *part)))?;
    parts.into_iter().find(|(part, _)| *part == named)
}
