//! From the generated traits to those of this crate.

use std::marker::PhantomData;

use crate::bindings::capabilities::amqtt::plugin::types as wit;
use crate::bindings::lifecycle::exports::amqtt::plugin::lifecycle as wit_lifecycle;
use crate::bindings::topic_check::exports::amqtt::plugin::topic_check as wit_check;
use crate::bindings::{auth, enhanced_auth, events, ticks};
use crate::request::Source;
use crate::{Auth, Client, EnhancedAuth, Event, EventKind, Events, Interests, Plugin, ReadSettings, Ticks, TopicCheck};

/// Makes a component of a plugin: `plugin!(MyPlugin: Auth, EnhancedAuth, TopicCheck, Events, Ticks)`, with just the hooks it has.
///
/// The type has to implement [`Plugin`] and the trait of each hook named. Call it once in a crate of type `cdylib`. On
/// targets other than WebAssembly it only checks that.
#[macro_export]
macro_rules! plugin {
    ($plugin:ty) => { $crate::plugin!($plugin:); };
    ($plugin:ty: $($hook:ident),* $(,)?) => {
        // Within a body, names of the author's and of this do not get into each other's way.
        #[allow(unsafe_code, missing_docs)]
        const _: () = {
            std::thread_local! {
                static PLUGIN: std::cell::RefCell<Option<$plugin>> = const { std::cell::RefCell::new(None) };
            }

            impl $crate::Slot for $plugin {
                fn slot<R>(work: impl FnOnce(&mut Option<Self>) -> R) -> R {
                    PLUGIN.with_borrow_mut(work)
                }
            }

            $crate::__about!();

            type Exported = $crate::Hook<$plugin>;
            $crate::__export!(Lifecycle Exported);
            $($crate::__export!($hook Exported);)*
        };
    };
}

/// Writes the name and version of the author's package into the module: `amqtt plugin inspect` tells them, and so do
/// messages about the plugin.
#[doc(hidden)]
#[macro_export]
#[cfg(target_family = "wasm")]
macro_rules! __about {
    () => {
        #[unsafe(link_section = "amqtt-plugin-name")]
        #[used]
        pub static PACKAGE_NAME: [u8; env!("CARGO_PKG_NAME").len()] = $crate::bytes(env!("CARGO_PKG_NAME"));
        #[unsafe(link_section = "amqtt-plugin-version")]
        #[used]
        pub static PACKAGE_VERSION: [u8; env!("CARGO_PKG_VERSION").len()] = $crate::bytes(env!("CARGO_PKG_VERSION"));
    };
}

/// There is no module to write into.
#[doc(hidden)]
#[macro_export]
#[cfg(not(target_family = "wasm"))]
macro_rules! __about {
    () => {};
}

/// The bytes of a text of that length.
#[doc(hidden)]
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let (text, mut bytes, mut place) = (text.as_bytes(), [0; N], 0);
    while place < N {
        bytes[place] = text[place];
        place += 1;
    }
    bytes
}

/// Exports one hook.
#[doc(hidden)]
#[macro_export]
#[cfg(target_family = "wasm")]
macro_rules! __export {
    (Lifecycle $ty:ident) => {
        $crate::bindings::lifecycle::__export_lifecycle!($ty with_types_in $crate::bindings::lifecycle);
    };
    (Auth $ty:ident) => {
        $crate::bindings::auth::__export_auth!($ty with_types_in $crate::bindings::auth);
    };
    (EnhancedAuth $ty:ident) => {
        $crate::bindings::enhanced_auth::__export_enhanced_auth!($ty with_types_in $crate::bindings::enhanced_auth);
    };
    (TopicCheck $ty:ident) => {
        $crate::bindings::topic_check::__export_topic_check!($ty with_types_in $crate::bindings::topic_check);
    };
    (Events $ty:ident) => {
        $crate::bindings::events::__export_events!($ty with_types_in $crate::bindings::events);
    };
    (Ticks $ty:ident) => {
        $crate::bindings::ticks::__export_ticks!($ty with_types_in $crate::bindings::ticks);
    };
    ($other:ident $ty:ident) => { $crate::__not_a_hook!($other); };
}

/// Checks one hook: the names that a component exports are none that a native linker accepts.
#[doc(hidden)]
#[macro_export]
#[cfg(not(target_family = "wasm"))]
macro_rules! __export {
    (Lifecycle $ty:ident) => {
        const _: () = $ty::has_lifecycle();
    };
    (Auth $ty:ident) => {
        const _: () = $ty::has_auth();
    };
    (EnhancedAuth $ty:ident) => {
        const _: () = $ty::has_enhanced_auth();
    };
    (TopicCheck $ty:ident) => {
        const _: () = $ty::has_topic_check();
    };
    (Events $ty:ident) => {
        const _: () = $ty::has_events();
    };
    (Ticks $ty:ident) => {
        const _: () = $ty::has_ticks();
    };
    ($other:ident $ty:ident) => {
        $crate::__not_a_hook!($other);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __not_a_hook {
    ($other:ident) => {
        ::core::compile_error!(concat!(
            "`",
            stringify!($other),
            "` is not a hook: `plugin!` knows Auth, EnhancedAuth, TopicCheck, Events and Ticks"
        ));
    };
}

/// Where the one instance of a component is kept. Implemented by [`plugin!`](crate::plugin).
#[doc(hidden)]
pub trait Slot: Plugin {
    /// Works on the place that `init` fills and `stop` empties.
    fn slot<R>(work: impl FnOnce(&mut Option<Self>) -> R) -> R;
}

/// Implements the generated traits for a plugin.
#[doc(hidden)]
pub struct Hook<P>(PhantomData<P>);

#[cfg(not(target_family = "wasm"))]
impl<P: Slot> Hook<P> {
    pub const fn has_lifecycle() {}
    pub const fn has_auth()
    where
        P: Auth,
    {
    }
    pub const fn has_enhanced_auth()
    where
        P: EnhancedAuth,
    {
    }
    pub const fn has_topic_check()
    where
        P: TopicCheck,
    {
    }
    pub const fn has_events()
    where
        P: Events,
    {
    }
    pub const fn has_ticks()
    where
        P: Ticks,
    {
    }
}

impl<P: Slot> Hook<P> {
    /// Calls the plugin. The broker calls `init` before any hook; one that does not has its call trapped.
    fn call<R>(work: impl FnOnce(&mut P) -> R) -> R {
        P::slot(|plugin| work(plugin.as_mut().expect("the broker calls `init` before any other hook")))
    }
}

impl<P: Slot> wit_lifecycle::Guest for Hook<P> {
    fn init(settings: String, registration: &wit::Registration) -> Result<(), String> {
        #[cfg(target_family = "wasm")]
        {
            log_panics();
            #[cfg(feature = "log")]
            crate::log::take_records();
        }
        let plugin = P::new(read_settings(&settings)?)?;
        let Interests { actions, events, payloads, tick_seconds, methods } = plugin.interests();
        P::slot(|slot| *slot = Some(plugin));
        actions.into_iter().for_each(|action| registration.decide(action.into()));
        events.into_iter().for_each(|kind| registration.observe(kind.name()));
        if payloads {
            registration.observe_payloads();
        }
        if tick_seconds > 0 {
            registration.tick_every(tick_seconds);
        }
        methods.iter().for_each(|method| registration.serve_method(method));
        Ok(())
    }

    fn stop() {
        if let Some(mut plugin) = P::slot(Option::take) {
            plugin.stop();
        }
    }
}

impl<P: Slot + Auth> auth::exports::amqtt::plugin::auth::Guest for Hook<P> {
    fn authenticate(
        client: &wit::Client,
        request: &wit::AuthRequest,
        username: Option<String>,
        password: Option<Vec<u8>>,
    ) -> wit::Decision {
        let client = Client::asked(client, Source::Auth(request));
        Self::call(|plugin| plugin.authenticate(&client, username.as_deref(), password.as_deref())).into()
    }
}

impl<P: Slot + EnhancedAuth> enhanced_auth::exports::amqtt::plugin::enhanced_auth::Guest for Hook<P> {
    fn start(
        client: &wit::Client,
        request: &wit::AuthRequest,
        method: String,
        data: Option<Vec<u8>>,
    ) -> enhanced_auth::exports::amqtt::plugin::enhanced_auth::Outcome {
        let client = Client::asked(client, Source::Auth(request));
        Self::call(|plugin| plugin.start(&client, &method, data.as_deref())).into()
    }

    fn proceed(
        client: &wit::Client,
        request: &wit::AuthRequest,
        method: String,
        state: Vec<u8>,
        data: Option<Vec<u8>>,
    ) -> enhanced_auth::exports::amqtt::plugin::enhanced_auth::Outcome {
        let client = Client::asked(client, Source::Auth(request));
        Self::call(|plugin| plugin.proceed(&client, &method, &state, data.as_deref())).into()
    }
}

impl<P: Slot + TopicCheck> wit_check::Guest for Hook<P> {
    fn check(
        client: &wit::Client,
        request: &wit::TopicRequest,
        client_id: String,
        username: Option<String>,
        action: wit::Action,
        topic: String,
    ) -> wit_check::Verdict {
        let client = Client::told(client, &client_id, username.as_deref(), Source::Topic(request, 0));
        Self::call(|plugin| plugin.check(&client, action.into(), &topic)).into()
    }

    fn check_many(
        client: &wit::Client,
        request: &wit::TopicRequest,
        client_id: String,
        username: Option<String>,
        action: wit::Action,
        topics: Vec<String>,
    ) -> Vec<wit_check::Verdict> {
        let action = action.into();
        let check = |plugin: &mut P, item, topic: &str| {
            let client = Client::told(client, &client_id, username.as_deref(), Source::Topic(request, item));
            plugin.check(&client, action, topic).into()
        };
        Self::call(|plugin| (0..).zip(&topics).map(|(item, topic)| check(plugin, item, topic)).collect())
    }
}

impl<P: Slot + Events> events::exports::amqtt::plugin::events::Guest for Hook<P> {
    fn handle(kind: String, client: Option<&wit::Client>, event: &wit::Event) {
        // Nobody has asked for a kind that is not known.
        if let Some(kind) = EventKind::from_name(&kind) {
            let client = client.map(|client| Client::asked(client, Source::None));
            Self::call(|plugin| plugin.handle(&Event::asked(kind, client, event)));
        }
    }
}

impl<P: Slot + Ticks> ticks::exports::amqtt::plugin::ticks::Guest for Hook<P> {
    fn tick() {
        Self::call(P::tick);
    }
}

/// Writes a panic to the log: it ends in a trap, which has no words.
#[cfg(target_family = "wasm")]
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        match panic.location() {
            Some(place) => crate::log::error(format_args!("panicked at {place}: {message}")),
            None => crate::log::error(format_args!("panicked: {message}")),
        }
    }));
}

/// Reads settings as their type wants it.
pub(crate) fn read_settings<S: ReadSettings>(json: &str) -> Result<S, String> {
    S::read(json)
}

/// Reads settings from JSON; an error names the key where it is.
pub(crate) fn read_json<S: serde::de::DeserializeOwned>(json: &str) -> Result<S, String> {
    let mut json = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut json).map_err(|err| {
        let inner = err.inner();
        let place = format!(" at line {} column {}", inner.line(), inner.column());
        let text = inner.to_string();
        // The place is one in the JSON that the broker made, which nobody sees.
        let text = text.strip_suffix(&place).unwrap_or(&text);
        match err.path().to_string() {
            path if path == "." => text.to_owned(),
            path => format!("`{path}`: {text}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::read_settings;
    use crate::NoSettings;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    struct Settings {
        allow_anonymous: bool,
        #[serde(default)]
        acl: std::collections::BTreeMap<String, Vec<String>>,
    }

    fn check(json: &str, expected: Result<bool, &str>) {
        let read = read_settings::<Settings>(json).map(|settings| settings.allow_anonymous);
        assert_eq!(read, expected.map_err(str::to_owned), "{json}");
    }

    #[test]
    fn errors_of_settings_name_the_key() {
        check(r#"{"allow-anonymous":true}"#, Ok(true));
        check(
            r#"{"allow-anonymous":"true"}"#,
            Err(r#"`allow-anonymous`: invalid type: string "true", expected a boolean"#),
        );
        check(
            r#"{"allow-anonymous":true,"acl":{"bob":["a",2]}}"#,
            Err("`acl.bob[1]`: invalid type: integer `2`, expected a string"),
        );
        check("{}", Err("missing field `allow-anonymous`"));
    }

    #[test]
    fn no_settings_are_none() {
        assert_eq!(read_settings("{}"), Ok(NoSettings));
        assert_eq!(read_settings(" { } "), Ok(NoSettings));
        let refused = "it has no settings, and there are some".to_owned();
        assert_eq!(read_settings::<NoSettings>(r#"{"a":1}"#), Err(refused));
    }
}
