//! Lists of plugins: names, aliases, entries with and without settings.

use super::error::Place;
use super::field::Field;
use super::known;
use super::report::Report;
use super::yaml::Value;

/// One entry of a list of plugins.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    /// The plugin's own name, with underscores.
    pub(super) name: String,
    pub(super) at: Place,
    /// What stands in the file for a name that comes from the environment.
    pub(super) written: Option<&'a str>,
    /// What stands under its name, if anything does.
    pub(super) settings: Option<Field<'a>>,
}

impl Entry<'_> {
    /// Whether it is a part of the broker, and no file of the same name.
    pub(super) fn is_embedded(&self) -> bool {
        let has_path = self.settings.as_ref().is_some_and(|settings| settings.has_key(|key| key == "path"));
        known::find(&self.name).is_some() && !has_path
    }
}

/// Other names of embedded plugins: entry points and classes of the Python brokers.
const ALIASES: [(&str, &str); 11] = [
    ("auth.anonymous", "auth_anonymous"),
    ("auth.file", "auth_file"),
    ("event_logger_plugin", "event_logger"),
    ("packet_logger_plugin", "packet_logger"),
    ("amqtt.plugins.authentication.AnonymousAuthPlugin", "auth_anonymous"),
    ("amqtt.plugins.authentication.FileAuthPlugin", "auth_file"),
    ("amqtt.plugins.topic_checking.TopicAccessControlListPlugin", "topic_acl"),
    ("amqtt.plugins.topic_checking.TopicTabooPlugin", "topic_taboo"),
    ("amqtt.plugins.logging_amqtt.EventLoggerPlugin", "event_logger"),
    ("amqtt.plugins.logging_amqtt.PacketLoggerPlugin", "packet_logger"),
    ("amqtt.plugins.sys.broker.BrokerSysPlugin", "broker_sys"),
];

const WANTED_LIST: &str = "a list of plugins";
const WANTED: &str = "the name of a plugin";

/// Reads a list of plugins: names, `name: {settings}`, or a mapping of names to settings. None after an error.
pub(super) fn entries<'a>(field: &Field<'a>, report: &mut Report) -> Option<Vec<Entry<'a>>> {
    if matches!(field.node().value, Value::Mapping(_)) {
        let named = field.named(WANTED_LIST, report)?;
        let entries: Vec<_> = named
            .into_iter()
            .map(|(name, settings)| entry(&name, settings.key_at(), Some(settings), field, report))
            .collect();
        return entries.into_iter().collect();
    }
    let items = field.list(WANTED_LIST, report)?;
    let entries: Vec<_> = items.iter().map(|item| item_entry(item, report)).collect();
    warn_of_repeated(entries.iter().flatten(), field.path(), report);
    entries.into_iter().collect()
}

/// That both have settings is an error, which is made elsewhere.
fn warn_of_repeated<'a>(entries: impl Iterator<Item = &'a Entry<'a>>, list: &str, report: &mut Report) {
    let mut seen: Vec<&Entry<'_>> = Vec::new();
    for entry in entries {
        match seen.iter().find(|seen| seen.name == entry.name) {
            None => seen.push(entry),
            Some(first) if first.settings.is_some() && entry.settings.is_some() => {}
            Some(_) => {
                let message = format!("key `{list}`: `{}` stands there twice", entry.name);
                let hint = "it is loaded and asked once: leave one of them out";
                report.warning(Some(entry.at), message, Some(hint.to_owned()));
            }
        }
    }
}

fn item_entry<'a>(item: &Field<'a>, report: &mut Report) -> Option<Entry<'a>> {
    if !matches!(item.node().value, Value::Mapping(_)) {
        let name = item.text(WANTED, report)?;
        return entry(name, item.at(), None, item, report);
    }
    let mut named = item.named(WANTED, report)?;
    if named.len() != 1 {
        let hint = "indent the settings of a plugin deeper than its name";
        item.wrong("one plugin for each `-`", Some(hint.to_owned()), report);
        return None;
    }
    let (name, settings) = named.remove(0);
    entry(&name, settings.key_at(), Some(settings), item, report)
}

fn entry<'a>(
    written: &str,
    at: Place,
    settings: Option<Field<'a>>,
    list: &Field<'a>,
    report: &mut Report,
) -> Option<Entry<'a>> {
    match resolve(written) {
        Ok(name) => Some(Entry {
            name,
            at,
            written: list.written(),
            settings: settings.filter(|settings| !matches!(settings.node().value, Value::Null)),
        }),
        Err(hint) => {
            // A key is as it is written; an item may come from the environment.
            let shown = if list.is_from_environment() { list.shown() } else { format!("`{written}`") };
            let message = format!("key `{}`: {shown} is not {WANTED}", list.path());
            report.error(Some(at), message, Some(hint));
            None
        }
    }
}

/// The name of the plugin that is meant, or what to do about a text that is none.
pub(super) fn resolve(written: &str) -> Result<String, String> {
    let name = written.replace('-', "_");
    if let Some((_, own)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Ok((*own).to_owned());
    }
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(name);
    }
    Err(if name.contains(['/', '\\']) || name.ends_with(".wasm") {
        "give it a name and the file as `path`: `- my_plugin: {path: my_plugin.wasm}`".to_owned()
    } else if name.contains('.') {
        "Python classes cannot be loaded; those of amqtt itself are known by their names".to_owned()
    } else {
        "a name has letters, digits, `_` and `-`".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn names_of_the_python_brokers_mean_the_embedded_plugins() {
        let check = |written: &str, expected: &str| assert_eq!(resolve(written).as_deref(), Ok(expected), "{written}");
        check("auth.anonymous", "auth_anonymous");
        check("auth.file", "auth_file");
        check("event-logger-plugin", "event_logger");
        check("packet_logger_plugin", "packet_logger");
        check("topic-acl", "topic_acl");
        check("my_Plugin-2", "my_Plugin_2");
        check("amqtt.plugins.authentication.AnonymousAuthPlugin", "auth_anonymous");
        check("amqtt.plugins.authentication.FileAuthPlugin", "auth_file");
        check("amqtt.plugins.topic_checking.TopicAccessControlListPlugin", "topic_acl");
        check("amqtt.plugins.topic_checking.TopicTabooPlugin", "topic_taboo");
        check("amqtt.plugins.logging_amqtt.EventLoggerPlugin", "event_logger");
        check("amqtt.plugins.logging_amqtt.PacketLoggerPlugin", "packet_logger");
        check("amqtt.plugins.sys.broker.BrokerSysPlugin", "broker_sys");
    }

    #[test]
    fn what_is_no_name_is_refused_with_what_to_do() {
        let check = |written: &str, hint: &str| {
            let found = resolve(written).expect_err(written);
            assert!(found.contains(hint), "{written}: {found}");
        };
        check("../evil", "as `path`");
        check("x.wasm", "as `path`");
        check("amqtt.contrib.auth_db.UserAuthDBPlugin", "Python classes");
        check("a b", "letters");
        check("", "letters");
    }
}
