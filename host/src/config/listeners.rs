use std::num::NonZeroUsize;

use super::bind;
use super::field::Field;
use super::report::Report;
use super::section::Section;
use super::setting::{Form, Keys, Preset, Setting, Unknown};
use super::{ListenerConfig, ListenerKind};
use crate::net::BindAddress;

/// What a listener may have.
pub(super) static KEYS: Keys = Keys { tables: &[SETTINGS], unknown: Unknown::Error };

const SETTINGS: &[Setting] = &[
    Setting::new("bind", Form::Bind, Preset::None, "Where to listen: `host:port`, `:port`, `port` or `host`."),
    Setting::new("type", Form::Word(&KINDS), Preset::Value("tcp"), "What carries MQTT: TCP or WebSocket."),
    Setting::new("ssl", Form::Switch, Preset::Value("false"), "Whether connections are encrypted with TLS."),
    Setting::new(
        "max-connections",
        Form::Integer { min: -1, max: i64::MAX },
        Preset::Value("0"),
        "Connections at once, those past it are closed; 0 and -1 are no limit.",
    ),
    Setting::new(
        "certfile",
        Form::File,
        Preset::None,
        "The certificate chain in PEM format, the listener's own first.",
    ),
    Setting::new(
        "keyfile",
        Form::File,
        Preset::None,
        "The private key in PEM format; without it, `certfile` has the key.",
    ),
    Setting::new(
        "cafile",
        Form::File,
        Preset::None,
        "Authorities that client certificates are verified with, in PEM format.",
    ),
    Setting::new("capath", Form::File, Preset::None, "A folder of such authorities."),
    Setting::new("cadata", Form::Text("certificates"), Preset::None, "Such authorities, in the configuration itself."),
];

const KINDS: [&str; 2] = ["tcp", "ws"];

/// The listener whose values all others inherit.
pub(super) const DEFAULT: &str = "default";

/// Settings of TLS. A listener that has them and no `ssl` is one that was meant to be encrypted.
const TLS_KEYS: [&str; 5] = ["certfile", "keyfile", "cafile", "capath", "cadata"];

/// What one entry of `listeners` says.
#[derive(Debug, Clone, Default)]
struct Values<'a> {
    bind: Option<Field<'a>>,
    kind: Option<Field<'a>>,
    ssl: Option<Field<'a>>,
    max_connections: Option<Field<'a>>,
    tls: Option<Field<'a>>,
}

/// Reads `listeners`: each one with what it inherits. A broker without any is an error.
pub(super) fn read(listeners: Option<Field<'_>>, top: &Section<'_>, report: &mut Report) -> Vec<ListenerConfig> {
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
            own.check(report);
            continue;
        }
        let listener = own.inherit(&default).listener(name, entry, report);
        let Some(listener) = listener else { continue };
        let twin = found.iter().find(|other| other.bind == listener.bind && other.bind.port != 0);
        if let Some(twin) = twin {
            let message = format!("listeners `{}` and `{name}` have the same address `{}`", twin.name, twin.bind);
            report.error(Some(entry.key_at()), message, None);
        }
        found.push(listener);
    }
    found
}

impl<'a> Values<'a> {
    fn read(entry: &Field<'a>, report: &mut Report) -> Option<Self> {
        let mut section = entry.section(&KEYS, report)?;
        let mut values = Self {
            bind: section.take("bind"),
            kind: section.take("type"),
            ssl: section.take("ssl"),
            max_connections: section.take("max-connections"),
            tls: None,
        };
        for key in TLS_KEYS {
            let Some(field) = section.take(key) else { continue };
            if field.text("a path, or the text of certificates", report).is_some() {
                values.tls = values.tls.or(Some(field));
            }
        }
        section.close(report);
        Some(values)
    }

    /// The values of `default` where there are none of its own. An address is never shared.
    fn inherit(self, default: &Values<'a>) -> Self {
        let or = |own: Option<Field<'a>>, inherited: &Option<Field<'a>>| own.or_else(|| inherited.clone());
        Self {
            bind: self.bind,
            kind: or(self.kind, &default.kind),
            ssl: or(self.ssl, &default.ssl),
            max_connections: or(self.max_connections, &default.max_connections),
            tls: or(self.tls, &default.tls),
        }
    }

    /// Reads the values for their errors.
    fn check(&self, report: &mut Report) {
        self.kind(report);
        if let Some(ssl) = &self.ssl {
            ssl.switch(report);
        }
        self.max_connections(report);
    }

    fn listener(self, name: &str, entry: &Field<'_>, report: &mut Report) -> Option<ListenerConfig> {
        let kind = self.kind(report);
        self.refuse_unavailable(name, kind, report);
        let max_connections = self.max_connections(report);
        let Some(bind) = &self.bind else {
            let message = format!("listener `{name}` has no `bind`");
            let hint = "add for example `bind: 0.0.0.0:1883`; `bind` is the one key that is not inherited";
            report.error(Some(entry.key_at()), message, Some(hint.to_owned()));
            return None;
        };
        Some(ListenerConfig {
            name: name.to_owned(),
            kind: ListenerKind::Tcp,
            bind: address(bind, ListenerKind::Tcp.default_port(), report)?,
            max_connections,
        })
    }

    /// Says what this version does not have: a plain listener in place of it would be a trap.
    fn refuse_unavailable(&self, name: &str, kind: Option<&str>, report: &mut Report) {
        let hint = || Some("this version listens on plain TCP only: leave this listener out".to_owned());
        if let (Some("ws"), Some(field)) = (kind, &self.kind) {
            let message = format!("key `{}`: `ws` is not available in this version", field.path());
            report.error(Some(field.at()), message, hint());
        }
        match &self.ssl {
            Some(field) if field.switch(report) == Some(true) => {
                let message = format!("key `{}`: TLS is not available in this version", field.path());
                report.error(Some(field.at()), message, hint());
            }
            Some(_) => {}
            None => {
                if let Some(tls) = &self.tls {
                    let message = format!("listener `{name}` is not encrypted: `{}` needs `ssl: on`", tls.path());
                    let hint = "say `ssl: on`, or `ssl: off` if it is meant to be plain";
                    report.warning(Some(tls.key_at()), message, Some(hint.to_owned()));
                }
            }
        }
    }

    /// `tcp`, the default, or `ws`.
    fn kind(&self, report: &mut Report) -> Option<&'static str> {
        match &self.kind {
            Some(field) => field.word(report),
            None => Some("tcp"),
        }
    }

    /// How many connections at once; none for no limit, which 0 and -1 stand for.
    fn max_connections(&self, report: &mut Report) -> Option<NonZeroUsize> {
        let max = self.max_connections.as_ref()?.integer(report)?;
        NonZeroUsize::new(usize::try_from(max).unwrap_or(0))
    }
}

fn address(bind: &Field<'_>, default_port: u16, report: &mut Report) -> Option<BindAddress> {
    let text = bind.bind(report)?;
    match bind::parse(&text, default_port) {
        Ok(address) => Some(address),
        Err(bad) => {
            bind.wrong(bind::WANTED, Some(bad.hint), report);
            None
        }
    }
}
