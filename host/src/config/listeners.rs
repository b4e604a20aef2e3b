use std::num::NonZeroUsize;
use std::path::Path;

use super::bind;
use super::field::Field;
use super::report::Report;
use super::section::Section;
use super::setting::{Form, Keys, Preset, Setting, Unknown};
use super::tls;
use super::{ListenerConfig, ListenerKind};
use crate::net::BindAddress;

/// What a listener may have.
pub(super) static KEYS: Keys = Keys { tables: &[SETTINGS, tls::SETTINGS], unknown: Unknown::Error };

const SETTINGS: &[Setting] = &[
    Setting::new("bind", Form::Bind, Preset::None, "Where to listen: `host:port`, `:port`, `port` or `host`."),
    Setting::new("type", Form::Word(&KINDS), Preset::Value("tcp"), "What carries MQTT: TCP or WebSocket."),
    Setting::new(
        "path",
        Form::Text(PATH),
        Preset::Meaning("any path"),
        "For WebSocket: the path that clients have to ask for, such as `/mqtt`.",
    ),
    Setting::new(
        "origins",
        Form::Texts("origin"),
        Preset::Meaning("pages of any origin"),
        "For WebSocket: the origins of web pages that may connect, such as `https://app.example`.",
    ),
    Setting::new(
        "max-connections",
        Form::Integer { min: -1, max: i64::MAX },
        Preset::Value("0"),
        "Connections at once, those past it are closed; 0 and -1 are no limit.",
    ),
];

const KINDS: [&str; 2] = ["tcp", "ws"];

/// What `path` has to be.
const PATH: &str = "a path such as `/mqtt`";

/// What `origins` has to be.
const ORIGINS: &str = "a list of origins such as `https://app.example`";

/// The listener whose values all others inherit.
pub(super) const DEFAULT: &str = "default";

/// What one entry of `listeners` says.
#[derive(Debug, Clone, Default)]
struct Values<'a> {
    bind: Option<Field<'a>>,
    kind: Option<Field<'a>>,
    path: Option<Field<'a>>,
    origins: Option<Field<'a>>,
    max_connections: Option<Field<'a>>,
    tls: tls::Values<'a>,
}

/// Reads `listeners`: each one with what it inherits. A broker without any is an error.
///
/// Relative paths start at `base_dir`. Certificates are read too, for their errors.
pub(super) fn read(
    listeners: Option<Field<'_>>,
    top: &Section<'_>,
    base_dir: &Path,
    report: &mut Report,
) -> Vec<ListenerConfig> {
    let Some(field) = listeners else {
        let hint = "a broker needs one, for example `listeners: {default: {bind: 0.0.0.0:1883}}`";
        report.error(Some(top.at()), "key `listeners` is missing".to_owned(), Some(hint.to_owned()));
        return Vec::new();
    };
    let Some(entries) = field.named("a mapping of names to listeners", report) else {
        return Vec::new();
    };
    let mut values: Vec<(&str, &Field<'_>, Values<'_>)> = Vec::new();
    let mut default = Values::default();
    for (name, entry) in &entries {
        let Some(own) = Values::read(entry, report) else {
            continue;
        };
        if name == DEFAULT {
            default = own.clone();
        }
        values.push((name, entry, own));
    }
    if entries.iter().all(|(name, _)| name == DEFAULT) && default.bind.is_none() {
        let hint = "give `default` a `bind`, or add a listener that has one";
        let message = format!("key `{}`: no listener has `bind`", field.path());
        report.error(Some(field.key_at()), message, Some(hint.to_owned()));
    }
    let mut found: Vec<ListenerConfig> = Vec::new();
    for (name, entry, own) in values {
        if name == DEFAULT && own.bind.is_none() {
            // Nobody listens on it, and what it says counts all the same.
            own.check(base_dir, report);
            continue;
        }
        let (of_websocket, own_tls) = ([own.path.clone(), own.origins.clone()], own.tls.clone());
        let all = own.inherit(&default);
        if all.tls.is_off() {
            own_tls.warn_of_no_effect(report);
        }
        let bind = all.bind.clone();
        let listener = all.listener(name, entry, base_dir, report);
        let (Some(listener), Some(bind)) = (listener, bind) else { continue };
        for field in of_websocket.iter().flatten().filter(|_| listener.kind == ListenerKind::Tcp) {
            let message = format!("key `{}` has no effect without `type: ws`", field.path());
            report.warning(Some(field.key_at()), message, None);
        }
        let twin = found.iter().find(|other| other.bind == listener.bind && other.bind.port != 0);
        if let Some(twin) = twin {
            let message = format!("listeners `{}` and `{name}` have the same address {}", twin.name, bind.shown());
            report.error(Some(entry.key_at()), message, None);
        }
        found.push(listener);
    }
    found
}

impl<'a> Values<'a> {
    fn read(entry: &Field<'a>, report: &mut Report) -> Option<Self> {
        let mut section = entry.section(&KEYS, report)?;
        let values = Self {
            bind: section.take("bind"),
            kind: section.take("type"),
            path: section.take("path"),
            origins: section.take("origins"),
            max_connections: section.take("max-connections"),
            tls: tls::Values::take(&mut section),
        };
        section.close(report);
        Some(values)
    }

    /// The values of `default` where there are none of its own. An address is never shared.
    fn inherit(self, default: &Values<'a>) -> Self {
        Self {
            bind: self.bind,
            kind: self.kind.or_else(|| default.kind.clone()),
            path: self.path.or_else(|| default.path.clone()),
            origins: self.origins.or_else(|| default.origins.clone()),
            max_connections: self.max_connections.or_else(|| default.max_connections.clone()),
            tls: self.tls.inherit(&default.tls),
        }
    }

    /// Reads the values for their errors.
    fn check(&self, base_dir: &Path, report: &mut Report) {
        self.kind(report);
        self.path(report);
        self.origins(report);
        self.max_connections(report);
        self.tls.check(base_dir, report);
    }

    fn listener(self, name: &str, entry: &Field<'_>, base_dir: &Path, report: &mut Report) -> Option<ListenerConfig> {
        let kind = self.kind(report);
        let tls = self.tls.settings(name, base_dir, report);
        let max_connections = self.max_connections(report);
        let Some(bind) = &self.bind else {
            let message = format!("listener `{name}` has no `bind`");
            let hint = "add for example `bind: 0.0.0.0:1883`; `bind` is the one key that is not inherited";
            report.error(Some(entry.key_at()), message, Some(hint.to_owned()));
            return None;
        };
        let default_port = kind.as_ref().unwrap_or(&ListenerKind::Tcp).default_port(tls.is_some());
        let bind = address(bind, default_port, report);
        Some(ListenerConfig { name: name.to_owned(), kind: kind?, bind: bind?, max_connections, tls })
    }

    /// TCP, unless it is said.
    fn kind(&self, report: &mut Report) -> Option<ListenerKind> {
        match &self.kind {
            None => Some(ListenerKind::Tcp),
            Some(field) => match field.word(report)? {
                "ws" => Some(ListenerKind::WebSocket { path: self.path(report), origins: self.origins(report) }),
                _ => Some(ListenerKind::Tcp),
            },
        }
    }

    /// The one path of a WebSocket listener.
    fn path(&self, report: &mut Report) -> Option<String> {
        let field = self.path.as_ref()?;
        let path = field.text(PATH, report)?;
        // What clients ask for has neither of these: they would ask in vain.
        if !path.starts_with('/') || path.contains(['?', '#']) || path.contains(char::is_whitespace) {
            field.wrong(PATH, Some("it begins with `/`, and has no query".to_owned()), report);
            return None;
        }
        Some(path.to_owned())
    }

    /// The origins of pages that may connect to a WebSocket listener; none for any.
    fn origins(&self, report: &mut Report) -> Option<Vec<String>> {
        let field = self.origins.as_ref()?;
        let origins = field.texts("origin", report)?;
        for origin in &origins {
            if let Err(hint) = check_origin(origin) {
                field.wrong(ORIGINS, Some(format!("`{origin}`: {hint}")), report);
            }
        }
        Some(origins.into_iter().map(ToOwned::to_owned).collect())
    }

    /// How many connections at once; none for no limit, which 0 and -1 stand for.
    fn max_connections(&self, report: &mut Report) -> Option<NonZeroUsize> {
        let max = self.max_connections.as_ref()?.integer(report)?;
        NonZeroUsize::new(usize::try_from(max).unwrap_or(0))
    }
}

/// Whether browsers may say this of a page: what they would never say would be waited for in vain.
fn check_origin(origin: &str) -> Result<(), &'static str> {
    if origin == "null" {
        return Ok(());
    }
    let Some((scheme, host)) = origin.split_once("://") else {
        return Err("it begins with `https://` or the like; without the key, any origin will do");
    };
    if host.is_empty() || host.contains(['/', '?', '#', '*']) || origin.contains(char::is_whitespace) {
        return Err("it is a scheme, a host and maybe a port, without a path and without wildcards");
    }
    match (scheme, host.rsplit_once(':')) {
        ("http", Some((_, "80"))) | ("https", Some((_, "443"))) => Err("browsers leave out the scheme's own port"),
        _ => Ok(()),
    }
}

fn address(bind: &Field<'_>, default_port: u16, report: &mut Report) -> Option<BindAddress> {
    let text = bind.bind(report)?;
    match bind::parse(&text, default_port) {
        Ok(address) => Some(address),
        Err(bad) => {
            // A part of a text from the environment would not be known as such.
            bind.wrong(bind::WANTED, Some(bad.hint).filter(|_| !bind.is_from_environment()), report);
            None
        }
    }
}
