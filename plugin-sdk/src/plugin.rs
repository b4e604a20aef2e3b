use serde::de::DeserializeOwned;

use crate::export::read_json;
use crate::{Action, Client, Decision, Event, EventKind, Step, Verdict};

/// A plugin: what it is set up with and what it wants to be called for.
///
/// The broker makes several instances of a plugin. They share nothing: keep no state that has to be the same in all.
pub trait Plugin: Sized + 'static {
    /// The plugin's settings, read from a JSON object whose top-level keys are spelled with dashes.
    ///
    /// Use `#[serde(rename_all = "kebab-case")]`, and [`NoSettings`] where there are none.
    type Settings: ReadSettings;

    /// Makes one instance.
    ///
    /// # Errors
    ///
    /// The text says what is wrong with the settings, and names the key. The broker does not start then.
    fn new(settings: Self::Settings) -> Result<Self, String>;

    /// What the broker calls this plugin for besides [`Auth`].
    ///
    /// What the first instance of a loading says counts for all of them: it has to be the same in each.
    fn interests(&self) -> Interests {
        Interests::default()
    }

    /// Called once in an orderly shutdown, or in a reload that puts other instances in the place of this one.
    ///
    /// Not called after a fault, nor for instances that were made and never put to use: those of a start or a reload that
    /// fails because of another plugin, for example.
    fn stop(&mut self) {}
}

/// Decides who may connect.
pub trait Auth: Plugin {
    /// Votes on a CONNECT. A panic, or an answer later than the broker waits for, is a refusal.
    fn authenticate(&mut self, client: &Client, username: Option<&str>, password: Option<&[u8]>) -> Decision;
}

/// Decides who may connect by exchanges of several packets (MQTT 5.0, section 4.12). Name the methods in
/// [`Interests::methods`].
///
/// A CONNECT that names a method is decided by the first plugin of the configuration that serves it, alone: [`Auth`] is not
/// asked about it. Steps of one exchange may come to different instances.
pub trait EnhancedAuth: Plugin {
    /// The first step. `data` is what came with the packet, if anything. A panic, or an answer later than the broker
    /// waits for, is a refusal.
    fn start(&mut self, client: &Client, method: &str, data: Option<&[u8]>) -> Step;

    /// Any further step: the answer to the [`Step::Challenge`] that `state` is of.
    fn proceed(&mut self, client: &Client, method: &str, state: &[u8], data: Option<&[u8]>) -> Step;
}

/// Decides who may do what with a topic. Name the actions in [`Interests::actions`].
pub trait TopicCheck: Plugin {
    /// Votes on one action on one topic.
    ///
    /// `topic` is a topic filter for [`Action::Subscribe`] (without `$share/group/`), else a topic name. A panic, or an
    /// answer later than the broker waits for, is a refusal.
    fn check(&mut self, client: &Client, action: Action, topic: &str) -> Verdict;
}

/// Observes what happens. Name the kinds in [`Interests::events`].
pub trait Events: Plugin {
    /// Is told of one event, after it happened and in order.
    fn handle(&mut self, event: &Event);
}

/// Does something at regular times. Name the interval in [`Interests::tick_seconds`].
pub trait Ticks: Plugin {
    /// Called at each interval, the first time right after the start.
    fn tick(&mut self);
}

/// What the broker calls a plugin for. One that asks for calls of a hook that its [`plugin!`](crate::plugin!) does not name
/// is not loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interests {
    /// The actions that [`TopicCheck`] decides.
    pub actions: Vec<Action>,
    /// The kinds of events that [`Events`] is told of.
    pub events: Vec<EventKind>,
    /// Whether [`Event::payload`] is to have the payloads of messages. The broker makes no copies for nobody.
    pub payloads: bool,
    /// Seconds between two calls of [`Ticks`]; 0 for none.
    pub tick_seconds: u32,
    /// The authentication methods that [`EnhancedAuth`] serves, for example `SCRAM-SHA-256`.
    pub methods: Vec<String>,
}

/// The settings of a plugin that has none: with any it does not start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoSettings;

/// What the settings of a plugin can be: anything that serde reads, or [`NoSettings`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a plugin's settings",
    note = "derive `serde::Deserialize` for it, or use `NoSettings`"
)]
pub trait ReadSettings: Sized {
    /// Reads them from the JSON object that the broker hands over.
    #[doc(hidden)]
    fn read(json: &str) -> Result<Self, String>;
}

impl<S: DeserializeOwned> ReadSettings for S {
    fn read(json: &str) -> Result<Self, String> {
        read_json(json)
    }
}

/// Without serde, so that a plugin without settings has no code that reads: half of a small one.
impl ReadSettings for NoSettings {
    fn read(json: &str) -> Result<Self, String> {
        let is_empty = json.bytes().all(|byte| byte.is_ascii_whitespace() || byte == b'{' || byte == b'}');
        // Not what they are: they may be secrets of another plugin.
        is_empty.then_some(NoSettings).ok_or_else(|| "it has no settings, and there are some".to_owned())
    }
}
