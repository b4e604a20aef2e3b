//! Tries the plugins of a configuration without a broker.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::common::Common;
use super::load::Roster;
use super::stand_in::StandIn;
use super::{HookSpec, LoadError};

/// Something about a plugin, by its name, or about all of them.
#[derive(Debug)]
pub enum Mishap {
    /// A broker does not start with this.
    Error(Option<Arc<str>>, LoadError),
    /// What loading the plugins warns of.
    Warning(Option<Arc<str>>, String),
    /// What the entry of this plugin has and nothing comes of.
    Idle(Arc<str>, String),
}

/// Loads every plugin of the spec and starts one instance of each, as a start of the broker does: gives all that is wrong
/// at once. The instances are gone afterwards, and whatever they published went nowhere.
pub fn check(spec: &HookSpec) -> Vec<Mishap> {
    let heard = Arc::new(Warnings::default());
    let mut mishaps = match Common::start(Arc::<StandIn>::default()) {
        Ok(common) => tracing::subscriber::with_default(Arc::clone(&heard), || Roster::try_all(spec, &common)),
        Err(error) => vec![Mishap::Error(None, LoadError::Engine(error))],
    };
    let warnings = std::mem::take(&mut *heard.0.lock());
    mishaps.extend(warnings.into_iter().map(|(plugin, text)| Mishap::Warning(plugin, text)));
    mishaps
}

/// Warnings that would be in the log: the name of the plugin that they are from, if from one, and the text.
#[derive(Default)]
struct Warnings(Mutex<Vec<(Option<Arc<str>>, String)>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && !metadata.is_span()
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = match &line.plugin {
            Some(plugin) => format!("plugin \"{plugin}\": {}", line.message),
            None => line.message,
        };
        self.0.lock().push((line.plugin, text));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    plugin: Option<Arc<str>>,
    message: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "plugin" {
            self.plugin = Some(value.into());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
