//! What a plugin is tried with: what a configuration would have under its name, and a file of cases.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::error::{ConfigError, Problem};
use super::field::Field;
use super::hooks::read_entry;
use super::known;
use super::report::Report;
use super::section::dashed;
use super::setting::{Form, Keys, Preset, Setting, Unknown};
use super::yaml::Value;
use super::{Source, environment, not_yaml, variable, yaml};
use crate::hooks::{Action, CacheFor, Credentials, Decision, Event, EventKind, Grants, PluginSpec, TopicFacts};
use crate::testing::{Case, Expected, Outcome, Published, Question};
use crate::types::{ClientId, ClientInfo, ConnectFacts, Identity, Peer, QoS, TopicFilter};

/// What a file of cases has.
static FILE: Keys = Keys {
    tables: &[&[
        Setting::new("plugin", Form::Any, Preset::None, "What a configuration has under the plugin's name."),
        Setting::new("cases", Form::Any, Preset::None, "What the plugin is asked, in order."),
    ]],
    unknown: Unknown::Error,
};

/// What one case has: one question and what is expected.
static CASE: Keys = Keys {
    tables: &[&[
        Setting::new("connect", Form::Section(&CONNECT), Preset::None, "A client wants to connect."),
        Setting::new("start", Form::Section(&START), Preset::None, "A client begins an exchange of AUTH packets."),
        Setting::new("proceed", Form::Section(&PROCEED), Preset::None, "It answers to the challenge before."),
        Setting::new("garbage", Form::Section(&GARBAGE), Preset::None, "A client makes no sense in exchanges."),
        Setting::new("publish", Form::Section(&MESSAGE), Preset::None, "A client wants to publish a message."),
        Setting::new("subscribe", Form::Section(&SUBSCRIPTION), Preset::None, "A client wants to subscribe."),
        Setting::new("receive", Form::Section(&MESSAGE), Preset::None, "A message is about to be sent to a client."),
        Setting::new("event", Form::Section(&EVENT), Preset::None, "Something has happened."),
        Setting::new("tick", Form::Any, Preset::None, "The plugin's interval is over."),
        Setting::new("expect", Form::Word(&OUTCOMES), Preset::None, "What the plugin answers."),
        Setting::new("cache", Form::Any, Preset::None, "How long the answer holds: never, reload or seconds."),
        Setting::new("extended-to", Form::Text("topic filter"), Preset::None, "What else the answer holds for."),
        Setting::new("reason", Form::Section(&REASON), Preset::None, "What a client of MQTT 5.0 is told."),
        Setting::new("data", Form::Any, Preset::None, "What the client of an exchange is sent, as text."),
        Setting::new("username", Form::Text("user name"), Preset::None, "The user that the client proves to be."),
        Setting::new("published", Form::Any, Preset::None, "All messages that the plugin publishes."),
    ]],
    unknown: Unknown::Error,
};

const OUTCOMES: [&str; 7] = ["allow", "deny", "abstain", "challenge", "proven", "done", "fault"];

const CLIENT: &[Setting] = &[
    Setting::new("client", Form::Text("client identifier"), Preset::Value("client"), "The client identifier."),
    Setting::new("username", Form::Text("user name"), Preset::None, "The user name; without it, an anonymous client."),
    Setting::new("address", Form::Text("address"), Preset::Value("192.0.2.1:49152"), "Where the client is."),
    Setting::new("listener", Form::Text("name"), Preset::Value("default"), "The listener that accepted it."),
    Setting::new("level", Form::Integer { min: 3, max: 5 }, Preset::Value("4"), "The protocol level."),
];

static CONNECT: Keys = Keys {
    tables: &[
        CLIENT,
        &[Setting::new("password", Form::Secret("password"), Preset::None, "The password of the CONNECT packet.")],
    ],
    unknown: Unknown::Error,
};

const METHOD: Setting = Setting::new("method", Form::Text("method"), Preset::None, "The authentication method.");
const DATA: Setting = Setting::new("data", Form::Any, Preset::None, "The authentication data, as text.");

static START: Keys = Keys { tables: &[CLIENT, &[METHOD, DATA]], unknown: Unknown::Error };
static PROCEED: Keys = Keys { tables: &[&[DATA]], unknown: Unknown::Error };
static GARBAGE: Keys = Keys { tables: &[CLIENT, &[METHOD]], unknown: Unknown::Error };

const QOS: Setting = Setting::new("qos", Form::Integer { min: 0, max: 2 }, Preset::Value("0"), "The QoS.");
const TOPIC: Setting = Setting::new("topic", Form::Text("topic"), Preset::None, "The topic.");
const RETAIN: Setting = Setting::new("retain", Form::Switch, Preset::Value("false"), "The RETAIN flag.");
const PAYLOAD: Setting = Setting::new("payload", Form::Any, Preset::None, "The payload, as text.");

static MESSAGE: Keys = Keys { tables: &[CLIENT, &[TOPIC, QOS, RETAIN, PAYLOAD]], unknown: Unknown::Error };

static SUBSCRIPTION: Keys = Keys {
    tables: &[CLIENT, &[Setting::new("filter", Form::Text("topic filter"), Preset::None, "The topic filter."), QOS]],
    unknown: Unknown::Error,
};

static EVENT: Keys = Keys {
    tables: &[
        CLIENT,
        &[
            Setting::new("kind", Form::Text("kind of event"), Preset::None, "What has happened."),
            TOPIC,
            QOS,
            RETAIN,
            PAYLOAD,
            Setting::new("reason", Form::Text("reason"), Preset::None, "Why."),
            REASON_CODE,
        ],
    ],
    unknown: Unknown::Error,
};

const REASON_CODE: Setting =
    Setting::new("reason-code", Form::Integer { min: 0, max: 255 }, Preset::None, "The reason code of MQTT 5.0.");

static REASON: Keys = Keys {
    tables: &[&[
        Setting::new("code", Form::Integer { min: 0, max: 255 }, Preset::None, "The reason code."),
        Setting::new("text", Form::Text("reason"), Preset::None, "The reason string."),
    ]],
    unknown: Unknown::Error,
};

static PUBLISHED: Keys = Keys { tables: &[&[TOPIC, RETAIN, PAYLOAD]], unknown: Unknown::Error };

/// What a plugin is tried with.
#[derive(Debug)]
pub struct PluginTrial {
    /// How to load it. Without grants in the text, it has all that a configuration can grant.
    pub spec: PluginSpec,
    /// Whether somebody has said what it is granted.
    pub grants_are_said: bool,
    /// What to ask it.
    pub cases: Vec<Case>,
}

/// What to try a plugin with.
#[derive(Debug, Clone, Copy)]
pub struct Tried<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its file; none for one that is built in.
    pub path: Option<&'a Path>,
    /// Grants in place of those in the text.
    pub grants: Option<&'a Grants>,
}

impl PluginTrial {
    /// With a text that stands for what a configuration has under the plugin's name. Relative paths in it start at
    /// `base_dir`, which should be absolute; messages say `text_name`.
    ///
    /// # Errors
    /// When anything in it is wrong.
    pub fn of_settings(tried: Tried<'_>, text: &str, base_dir: &Path, text_name: &str) -> Result<Self, ConfigError> {
        let base_dir = Some(base_dir.to_owned());
        let source = Source { text: text.to_owned(), base_dir, name: text_name.to_owned(), environment: variable };
        Self::read(&source, |field, base_dir, report| Self::with_settings(tried, field, base_dir, report))
    }

    /// The same with a file.
    ///
    /// # Errors
    /// When the file cannot be read or anything in it is wrong.
    pub fn of_settings_file(tried: Tried<'_>, path: &Path) -> Result<Self, ConfigError> {
        Self::read(&Source::open_regular(path)?, |field, base_dir, report| {
            Self::with_settings(tried, field, base_dir, report)
        })
    }

    fn with_settings(tried: Tried<'_>, field: &Field<'_>, base_dir: &Path, report: &mut Report) -> Option<Self> {
        let (spec, grants_are_said) = spec(tried, Some(field), base_dir, report)?;
        Some(Self { spec, grants_are_said, cases: Vec::new() })
    }

    /// With a file of cases, and the settings in it.
    ///
    /// # Errors
    /// When the file cannot be read or anything in it is wrong.
    pub fn of_cases_file(tried: Tried<'_>, path: &Path) -> Result<Self, ConfigError> {
        Self::read(&Source::open_regular(path)?, |field, base_dir, report| {
            let mut section = field.section(&FILE, report)?;
            let spec = spec(tried, section.take("plugin").as_ref(), base_dir, report);
            let cases = section.take("cases").and_then(|cases| cases.list("a list of cases", report));
            section.close(report);
            let cases = cases.unwrap_or_default().iter().map(|field| case(field, report)).collect::<Vec<_>>();
            let (spec, grants_are_said) = spec?;
            Some(Self { spec, grants_are_said, cases: cases.into_iter().collect::<Option<_>>()? })
        })
    }

    fn read(
        source: &Source,
        read: impl FnOnce(&Field<'_>, &Path, &mut Report) -> Option<Self>,
    ) -> Result<Self, ConfigError> {
        let mut root = yaml::parse(&source.text).map_err(|error| not_yaml(&source.text, error, &source.name))?;
        let mut report = Report::default();
        environment::fill_in(&mut root, source.environment, &mut report);
        let field = Field::new(String::new(), root.place, &root, Form::Any);
        let found = read(&field, source.base_dir.as_deref().unwrap_or(Path::new("/")), &mut report);
        let findings = report.finish(&source.name);
        match found {
            Some(found) if findings.errors.is_empty() => Ok(found),
            _ if findings.errors.is_empty() => {
                let problem = Problem::about_file(&source.name, "it cannot be read".to_owned());
                Err(ConfigError::Invalid(vec![problem]))
            }
            _ => Err(ConfigError::Invalid(findings.errors)),
        }
    }
}

/// The plugin as a configuration has it that names its file, and whether somebody has said what it is granted.
fn spec(
    tried: Tried<'_>,
    field: Option<&Field<'_>>,
    base_dir: &Path,
    report: &mut Report,
) -> Option<(PluginSpec, bool)> {
    let mut spec = PluginSpec { path: tried.path.map(Path::to_owned), ..PluginSpec::new(tried.name, Map::new()) };
    let mut granted = false;
    if let Some(field) = field {
        // One in a file of its own is a stranger, whatever its name.
        let known = known::find(tried.name).filter(|_| tried.path.is_none());
        granted = read_entry(&mut spec, known, field, base_dir, report)?;
    }
    if let Some(grants) = tried.grants {
        spec.grants = grants.clone();
        for key in &grants.files {
            make_absolute(&mut spec.settings, key, base_dir, |_| true);
        }
    } else if !granted {
        spec.grants = all_grants(&mut spec.settings, base_dir);
    }
    Some((spec, granted || tried.grants.is_some()))
}

/// All that a configuration can grant. A file is what the settings name and is there.
fn all_grants(settings: &mut Map<String, Json>, base_dir: &Path) -> Grants {
    let keys: Vec<String> = settings.keys().cloned().collect();
    let (mut files, others): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|key| make_absolute(settings, key, base_dir, Path::is_file));
    if files.is_empty() {
        // Without any it would be refused `files` as such: it may well do without one, or has to say that it is missing.
        files = others;
        files.push("file".to_owned());
    }
    // The first has no topics that begin with `$`.
    let publish = ["#", "$SYS/#"].into_iter().filter_map(|filter| TopicFilter::new(filter).ok()).collect();
    Grants { files, publish, broker_info: true, sessions: true, invalidate: true }
}

/// Adds a grant that is said in a word: `files=KEY`, `publish=FILTER`, or the name of a switch.
///
/// # Errors
/// When the word is none of these. The text says what it would be.
pub fn add_grant(grants: &mut Grants, word: &str) -> Result<(), String> {
    match word.split_once('=') {
        Some(("files", key)) => grants.files.push(dashed(key)),
        Some(("publish", filter)) => {
            grants.publish.push(TopicFilter::new(filter).map_err(|error| error.to_string())?);
        }
        None if word == "broker-info" => grants.broker_info = true,
        None if word == "sessions" => grants.sessions = true,
        None if word == "invalidate" => grants.invalidate = true,
        _ => {
            let grants = "`files=KEY`, `publish=FILTER`, `broker-info`, `sessions` or `invalidate`";
            return Err(format!("a grant is {grants}"));
        }
    }
    Ok(())
}

/// Makes the path absolute that a setting is, if it is one that will do.
fn make_absolute(settings: &mut Map<String, Json>, key: &str, base_dir: &Path, will_do: fn(&Path) -> bool) -> bool {
    let Some(Json::String(path)) = settings.get_mut(key) else { return false };
    let absolute = base_dir.join(&*path);
    match absolute.to_str() {
        Some(text) if will_do(&absolute) => {
            text.clone_into(path);
            true
        }
        _ => false,
    }
}

/// What a case may ask.
const QUESTIONS: [&str; 9] =
    ["connect", "start", "proceed", "garbage", "publish", "subscribe", "receive", "event", "tick"];

fn case(field: &Field<'_>, report: &mut Report) -> Option<Case> {
    let line = field.at().line;
    let mut section = field.section(&CASE, report)?;
    let mut questions = Vec::new();
    for key in QUESTIONS {
        if let Some(field) = section.take(key) {
            questions.push(question(key, &field, report));
        }
    }
    let outcome = section.take("expect").map(|field| field.word(report));
    let cache = section.take("cache").map(|field| cache(&field, report));
    let extended_to = section.take("extended-to").map(|field| field.text("a topic filter", report).map(str::to_owned));
    let (mut reason_code, mut reason_text) = (None, None);
    if let Some(field) = section.take("reason") {
        let mut section = field.section(&REASON, report)?;
        reason_code = section.take("code").and_then(|field| byte(&field, report));
        reason_text = section.take("text").and_then(|field| field.text("a reason", report).map(str::to_owned));
        section.close(report);
    }
    let data = section.take("data").map(|field| payload(&field, report));
    let username = section.take("username").map(|field| field.text("a user name", report).map(str::to_owned));
    let published = section.take("published").map(|field| published(&field, report));
    section.close(report);
    if questions.len() != 1 {
        let hint = format!("each case has one of `{}`", QUESTIONS.join("`, `"));
        report.error(Some(field.at()), "a case asks one thing".to_owned(), Some(hint));
    }
    let question = questions.pop()??;
    let hint = match question {
        Question::Connect(..) | Question::Topic(..) => Some("add `expect: allow`, `deny`, `abstain` or `fault`"),
        Question::Start(..) | Question::Proceed(_) => Some("add `expect: challenge`, `proven`, `deny` or `fault`"),
        Question::Garbage(..) | Question::Event(_) | Question::Tick => None,
    };
    let outcome = match outcome {
        None if hint.is_some() => {
            report.error(Some(field.at()), "a case expects something".to_owned(), hint.map(str::to_owned));
            return None;
        }
        None if matches!(question, Question::Garbage(..)) => Outcome::Vote(Decision::Deny),
        None => Outcome::Done,
        Some(word) => match word? {
            "allow" => Outcome::Vote(Decision::Allow),
            "deny" => Outcome::Vote(Decision::Deny),
            "abstain" => Outcome::Vote(Decision::Abstain),
            "challenge" => Outcome::Challenge,
            "proven" => Outcome::Proven,
            "fault" => Outcome::Fault,
            _ => Outcome::Done,
        },
    };
    Some(Case {
        line,
        question,
        expected: Expected {
            outcome,
            cache: read_or_none(cache)?,
            extended_to: read_or_none(extended_to)?,
            reason_code,
            reason_text,
            data: read_or_none(data)?,
            username: read_or_none(username)?,
            published: read_or_none(published)?,
        },
    })
}

/// What was there and could be read, or that nothing was there; none where it could not be read.
fn read_or_none<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |read| read.map(Some))
}

fn question(key: &str, field: &Field<'_>, report: &mut Report) -> Option<Question> {
    let keys = match key {
        "connect" => &CONNECT,
        "start" => &START,
        "proceed" => &PROCEED,
        "garbage" => &GARBAGE,
        "publish" | "receive" => &MESSAGE,
        "subscribe" => &SUBSCRIPTION,
        "event" => &EVENT,
        _ => return Some(Question::Tick),
    };
    let mut section = field.section(keys, report)?;
    if key == "proceed" {
        let data = section.take("data").and_then(|field| payload(&field, report)).map(String::into_bytes);
        section.close(report);
        return Some(Question::Proceed(data));
    }
    let mut text = |key: &str, report: &mut Report| {
        section.take(key).and_then(|field| field.text("a text", report)).map(str::to_owned)
    };
    let (client_id, username) = (text("client", report), text("username", report));
    let (address, listener) = (text("address", report), text("listener", report));
    let named = client_id.is_some();
    let exchange = key == "start" || key == "garbage";
    // There are no AUTH packets before MQTT 5.0.
    let usual = if exchange { 5 } else { 4 };
    let level = section.take("level").and_then(|field| byte(&field, report)).unwrap_or(usual);
    let address = address.map_or_else(
        || Some(([192, 0, 2, 1], 49_152).into()),
        |text| {
            let parsed = text.parse::<SocketAddr>().ok();
            if parsed.is_none() {
                let message = format!("key `{key}.address`: `{text}` is not an address with a port");
                report.error(Some(field.at()), message, Some("for example `192.0.2.1:49152`".to_owned()));
            }
            parsed
        },
    );
    let connect =
        ConnectFacts { protocol_level: level, clean_start: true, keep_alive_secs: 60, ..ConnectFacts::default() };
    let client = Arc::new(ClientInfo {
        client_id: ClientId::new(client_id.as_deref().unwrap_or("client")),
        identity: username.as_deref().map_or(Identity::Anonymous, |name| Identity::User(name.into())),
        peer: Peer::tcp(address?, listener.as_deref().unwrap_or("default").into()),
        connect,
    });
    if key == "connect" {
        let password = section.take("password").and_then(|field| field.text("a password", report));
        let password = password.map(|text| text.as_bytes().to_vec().into());
        section.close(report);
        let username = username.map(Into::into);
        return Some(Question::Connect(client, Credentials { username, password }));
    }
    if exchange {
        let method = required(section.take("method"), field, "method", report);
        let data = if key == "start" { section.take("data") } else { None };
        let data = data.and_then(|field| payload(&field, report)).map(String::into_bytes);
        section.close(report);
        let method = method?;
        return Some(match key {
            "start" => Question::Start(client, method, data),
            _ => Question::Garbage(client, method),
        });
    }
    let qos = section.take("qos").and_then(|field| byte(&field, report)).and_then(QoS::from_bits);
    if key == "subscribe" {
        let filter = required(section.take("filter"), field, "filter", report);
        section.close(report);
        let facts = TopicFacts::subscription(qos.unwrap_or(QoS::AtMostOnce));
        return Some(Question::Topic(client, Action::Subscribe, filter?, facts));
    }
    let retain = section.take("retain").and_then(|field| field.switch(report));
    let payload = section.take("payload").and_then(|field| payload(&field, report));
    if key == "event" {
        let kind = section.take("kind").and_then(|field| kind(&field, report));
        if kind.is_none() {
            report.error(Some(field.at()), "an event has a known `kind`".to_owned(), None);
        }
        let topic = section.take("topic").and_then(|field| field.text("a topic", report));
        let reason = section.take("reason").and_then(|field| field.text("a reason", report));
        let reason_code = section.take("reason-code").and_then(|field| byte(&field, report));
        section.close(report);
        return Some(Question::Event(Arc::new(Event {
            client: named.then_some(client),
            topic: topic.map(Into::into),
            qos,
            retain,
            payload_len: payload.as_ref().map(String::len),
            payload: payload.map(|payload| payload.into_bytes().into()),
            reason: reason.map(Into::into),
            reason_code,
            ..Event::new(kind?)
        })));
    }
    let topic = required(section.take("topic"), field, "topic", report);
    section.close(report);
    let action = if key == "publish" { Action::Publish } else { Action::Receive };
    let len = payload.map_or(0, |payload| payload.len());
    let facts = TopicFacts::message(qos.unwrap_or(QoS::AtMostOnce), retain.unwrap_or(false), len);
    Some(Question::Topic(client, action, topic?, facts))
}

/// What a question is about, which has to be there.
fn required(found: Option<Field<'_>>, question: &Field<'_>, key: &str, report: &mut Report) -> Option<String> {
    if found.is_none() {
        report.error(Some(question.at()), format!("key `{}`: there is no `{key}`", question.path()), None);
    }
    found?.text("a text", report).map(str::to_owned)
}

fn kind(field: &Field<'_>, report: &mut Report) -> Option<EventKind> {
    let text = field.text("a kind of event", report)?;
    let kind = EventKind::from_name(&dashed(text));
    if kind.is_none() {
        let names: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        field.wrong("a kind of event", Some(format!("the kinds are {}", names.join(", "))), report);
    }
    kind
}

/// Text, or a number as it is written in decimal.
fn payload(field: &Field<'_>, report: &mut Report) -> Option<String> {
    match &field.node().value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => {
            field.wrong("a text", Some("quote it".to_owned()), report);
            None
        }
    }
}

fn byte(field: &Field<'_>, report: &mut Report) -> Option<u8> {
    field.integer(report).and_then(|value| u8::try_from(value).ok())
}

fn cache(field: &Field<'_>, report: &mut Report) -> Option<CacheFor> {
    match &field.node().value {
        Value::Text(text) if text == "never" => return Some(CacheFor::Never),
        Value::Text(text) if text == "reload" => return Some(CacheFor::UntilReload),
        Value::Integer(seconds) => {
            if let Some(seconds) = u32::try_from(*seconds).ok().filter(|seconds| *seconds > 0) {
                return Some(CacheFor::Seconds(seconds));
            }
        }
        _ => {}
    }
    field.wrong("`never`, `reload` or a number of seconds", None, report);
    None
}

fn published(field: &Field<'_>, report: &mut Report) -> Option<Vec<Published>> {
    let items = field.list("a list of messages", report)?;
    let messages: Vec<_> = items.iter().map(|item| message(item, report)).collect();
    messages.into_iter().collect()
}

fn message(field: &Field<'_>, report: &mut Report) -> Option<Published> {
    let mut section = field.section(&PUBLISHED, report)?;
    let topic = required(section.take("topic"), field, "topic", report);
    let retain = section.take("retain").and_then(|field| field.switch(report));
    let payload = section.take("payload").and_then(|field| payload(&field, report));
    section.close(report);
    Some(Published { topic: topic?, payload, retain })
}
