use std::fmt;
use std::sync::Arc;

use super::garbage;
use crate::hooks::{
    Action, Advance, Ballot, CacheFor, Credentials, Decision, Event, Reason, TopicFacts, Trial, Unanswered,
};
use crate::types::{ClientInfo, Message, TopicFilter};

/// A question to a plugin and what is expected of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The line of its file.
    pub line: usize,
    /// What is asked.
    pub question: Question,
    /// What has to come of it.
    pub expected: Expected,
}

/// What a plugin is asked, or told.
#[derive(Debug, Clone)]
pub enum Question {
    /// Whether a client may connect.
    Connect(Arc<ClientInfo>, Credentials),
    /// A client begins an exchange of AUTH packets, by a method, with the data of its CONNECT.
    Start(Arc<ClientInfo>, String, Option<Vec<u8>>),
    /// It answers to the challenge of the question before.
    Proceed(Option<Vec<u8>>),
    /// A client begins exchanges by a method with what makes no sense, and answers challenges with it.
    Garbage(Arc<ClientInfo>, String),
    /// Whether a client may do something with a topic.
    Topic(Arc<ClientInfo>, Action, String, TopicFacts),
    /// Something has happened.
    Event(Arc<Event>),
    /// It is time for what it does at regular times.
    Tick,
}

/// What has to come of a question. Of what is none, nothing is expected.
#[derive(Debug, Clone)]
pub struct Expected {
    /// What it answers.
    pub outcome: Outcome,
    /// How long the answer holds.
    pub cache: Option<CacheFor>,
    /// The topic filter for which it holds as well.
    pub extended_to: Option<String>,
    /// The reason code that a client of MQTT 5.0 is told.
    pub reason_code: Option<u8>,
    /// The reason string that it is told.
    pub reason_text: Option<String>,
    /// What the client of an exchange is sent, with a challenge or at the end.
    pub data: Option<String>,
    /// The user that it proves to be.
    pub username: Option<String>,
    /// All that the plugin publishes meanwhile, in order.
    pub published: Option<Vec<Published>>,
}

/// What a plugin answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A vote.
    Vote(Decision),
    /// A challenge.
    Challenge,
    /// The client has proved who it is.
    Proven,
    /// There is nothing to answer, and it did not fail.
    Done,
    /// It fails: a broker would deny.
    Fault,
}

/// A message that a plugin publishes. Of what is none, nothing is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The topic name.
    pub topic: String,
    /// The payload.
    pub payload: Option<String>,
    /// The RETAIN flag.
    pub retain: Option<bool>,
}

impl Question {
    /// Puts the question.
    ///
    /// # Errors
    /// When a broker would not ask the plugin this, or it fails.
    pub fn put(&self, trial: &mut Trial) -> Result<Answer, Unanswered> {
        match self {
            Self::Connect(client, credentials) => Ok(trial.authenticate(client, credentials)?.into()),
            Self::Topic(client, action, topic, facts) => Ok(trial.check(client, *action, topic, *facts)?.into()),
            Self::Start(client, method, data) => Ok(trial.start(client, method, data.as_deref())?.into()),
            Self::Proceed(data) => Ok(trial.proceed(data.as_deref())?.into()),
            Self::Garbage(client, method) => Ok(garbage::put(trial, client, method)?.into()),
            Self::Event(event) => trial.handle(event).map(|()| Answer::of(Outcome::Done)),
            Self::Tick => trial.tick().map(|()| Answer::of(Outcome::Done)),
        }
    }

    /// Puts a question about a topic by `check-many` as well, which a broker may ask in place of `check`, and gives what is
    /// otherwise than in the answer of that.
    fn put_as_one_of_many(&self, trial: &mut Trial, answer: &Result<Answer, Unanswered>) -> Vec<String> {
        let (Self::Topic(client, action, topic, facts), Ok(_) | Err(Unanswered::Failed(_))) = (self, answer) else {
            return Vec::new();
        };
        let many = trial.check_many(client, *action, topic, *facts).map(Answer::from);
        // It has been compared already.
        drop(trial.take_published());
        let differs = match (answer, &many) {
            (Ok(answer), Ok(many)) => answer.differences(many),
            (Ok(answer), Err(problem)) => vec![format!("{}, and the plugin {problem}", answer.outcome)],
            (Err(_), Ok(many)) => vec![format!("fault, found {}", many.outcome)],
            (Err(_), Err(_)) => Vec::new(),
        };
        differs.iter().map(|differs| format!("expected `check-many` to answer as `check`: {differs}")).collect()
    }

    /// The hook that is called.
    pub fn hook(&self) -> &'static str {
        match self {
            Self::Connect(..) => "auth",
            Self::Start(..) | Self::Proceed(_) | Self::Garbage(..) => "enhanced-auth",
            Self::Topic(..) => "topic-check",
            Self::Event(_) => "events",
            Self::Tick => "ticks",
        }
    }
}

/// What came of a question.
#[derive(Debug, Clone)]
pub struct Answer {
    outcome: Outcome,
    cache: Option<CacheFor>,
    extended_to: Option<TopicFilter>,
    reason: Option<crate::hooks::Reason>,
    data: Option<Vec<u8>>,
    username: Option<Arc<str>>,
}

impl Answer {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, cache: None, extended_to: None, reason: None, data: None, username: None }
    }

    /// What of a vote another one has otherwise.
    fn differences(&self, other: &Self) -> Vec<String> {
        let filter = |answer: &Self| shown(answer.extended_to.as_ref().map(TopicFilter::as_str));
        let (reason, other_reason) = (told(self.reason.as_ref()), told(other.reason.as_ref()));
        let same_cache = match (self.cache, other.cache) {
            // A second may have passed between the two.
            (Some(CacheFor::Seconds(one)), Some(CacheFor::Seconds(two))) => one.abs_diff(two) <= 1,
            (one, two) => one == two,
        };
        let cache = |answer: &Self| if same_cache { String::new() } else { cached(answer.cache) };
        [
            ("", self.outcome.to_string(), other.outcome.to_string()),
            ("cache ", cache(self), cache(other)),
            ("extended-to ", filter(self), filter(other)),
            ("reason ", reason, other_reason),
        ]
        .into_iter()
        .filter(|(_, one, two)| one != two)
        .map(|(what, one, two)| format!("{what}{one}, found {two}"))
        .collect()
    }
}

/// What a client is told, in a line.
fn told(reason: Option<&Reason>) -> String {
    let Some(reason) = reason else { return "none".to_owned() };
    let code = reason.code.map(|code| format!("{code:#04x}"));
    let properties = reason.user_properties.iter().map(|user| format!("{:?}: {:?}", user.name, user.value));
    code.into_iter()
        .chain(reason.text.as_ref().map(|text| format!("{text:?}")))
        .chain(properties)
        .collect::<Vec<_>>()
        .join(" ")
}

impl From<Ballot> for Answer {
    fn from(ballot: Ballot) -> Self {
        let Ballot { decision, cache, reason, extended_to } = ballot;
        Self { cache, extended_to, reason, ..Self::of(Outcome::Vote(decision)) }
    }
}

impl From<Advance> for Answer {
    fn from(advance: Advance) -> Self {
        match advance {
            Advance::Challenge(data) => Self { data: Some(data), ..Self::of(Outcome::Challenge) },
            Advance::Proven(proof) => Self { data: proof.data, username: proof.username, ..Self::of(Outcome::Proven) },
            Advance::Denied(reason) => Self { reason, ..Self::of(Outcome::Vote(Decision::Deny)) },
        }
    }
}

impl Case {
    /// Puts the question, and gives what is not as expected, a line for each thing.
    pub fn run(&self, trial: &mut Trial) -> Vec<String> {
        let answer = self.question.put(trial);
        let published = trial.take_published();
        let mut differs = Vec::new();
        match (&answer, self.expected.outcome) {
            (Err(Unanswered::Failed(_)), Outcome::Fault) => {}
            (Err(problem), expected) => differs.push(format!("expected {expected}, and the plugin {problem}")),
            (Ok(Answer { outcome, .. }), expected) if *outcome != expected => {
                differs.push(format!("expected {expected}, found {outcome}"));
            }
            (Ok(_), _) => {}
        }
        let Expected { cache, extended_to, reason_code, reason_text, data, username, published: wanted, .. } =
            &self.expected;
        let reason = answer.as_ref().ok().and_then(|answer| answer.reason.as_ref());
        let found = answer.as_ref().ok().and_then(|answer| answer.cache);
        if cache.is_some() && *cache != found {
            differs.push(format!("expected cache {}, found {}", cached(*cache), cached(found)));
        }
        let code = reason.and_then(|reason| reason.code);
        if reason_code.is_some() && *reason_code != code {
            let shown = |code: Option<u8>| code.map_or_else(|| "none".to_owned(), |code| format!("{code:#04x}"));
            differs.push(format!("expected reason code {}, found {}", shown(*reason_code), shown(code)));
        }
        let found_data = answer.as_ref().ok().and_then(|answer| answer.data.as_deref()).map(String::from_utf8_lossy);
        let found_filter = answer.as_ref().ok().and_then(|answer| answer.extended_to.as_ref());
        for (what, wanted, found) in [
            ("extended-to", extended_to, found_filter.map(TopicFilter::as_str)),
            ("reason", reason_text, reason.and_then(|reason| reason.text.as_deref())),
            ("data", data, found_data.as_deref()),
            ("username", username, answer.as_ref().ok().and_then(|answer| answer.username.as_deref())),
        ] {
            if wanted.is_some() && wanted.as_deref() != found {
                differs.push(format!("expected {what} {}, found {}", shown(wanted.as_deref()), shown(found)));
            }
        }
        if let Some(wanted) = wanted
            && !(wanted.len() == published.len() && wanted.iter().zip(&published).all(|(it, found)| it.is(found)))
        {
            let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
            let found: Vec<_> = published.iter().map(|message| Published::of(message).to_string()).collect();
            differs.push(format!("expected published {}, found {}", listed(&wanted), listed(&found)));
        }
        differs.extend(self.question.put_as_one_of_many(trial, &answer));
        differs
    }
}

fn shown(text: Option<&str>) -> String {
    text.map_or_else(|| "none".to_owned(), |text| format!("`{text}`"))
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}

fn cached(cache: Option<CacheFor>) -> String {
    match cache {
        None => "none".to_owned(),
        Some(CacheFor::Never) => "never".to_owned(),
        Some(CacheFor::Seconds(seconds)) => seconds.to_string(),
        Some(CacheFor::UntilReload) => "reload".to_owned(),
    }
}

impl Published {
    fn of(message: &Message) -> Self {
        Self {
            topic: message.topic.as_str().to_owned(),
            payload: Some(String::from_utf8_lossy(&message.payload).into_owned()),
            retain: Some(message.retain),
        }
    }

    fn is(&self, found: &Message) -> bool {
        self.topic == found.topic.as_str()
            && self.payload.as_ref().is_none_or(|payload| payload.as_bytes() == found.payload)
            && self.retain.is_none_or(|retain| retain == found.retain)
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.topic)?;
        self.payload.iter().try_for_each(|payload| write!(f, " {payload:?}"))?;
        if self.retain == Some(true) { f.write_str(" retained") } else { Ok(()) }
    }
}

/// The outcome, and what else it holds for.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)?;
        self.extended_to.iter().try_for_each(|filter| write!(f, ", extended to `{}`", filter.as_str()))
    }
}

/// As a file has it.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vote(decision) => decision.name(),
            Self::Challenge => "challenge",
            Self::Proven => "proven",
            Self::Done => "done",
            Self::Fault => "fault",
        })
    }
}

/// What is asked, in a line.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |f: &mut fmt::Formatter<'_>, client: &ClientInfo| {
            write!(f, " of `{}`", client.client_id.as_str())?;
            client.username().map_or(Ok(()), |name| write!(f, " (`{name}`)"))
        };
        match self {
            Self::Connect(client, _) => f.write_str("connect").and_then(|()| who(f, client)),
            Self::Start(client, method, _) => write!(f, "start `{method}`").and_then(|()| who(f, client)),
            Self::Proceed(_) => f.write_str("proceed"),
            Self::Garbage(client, method) => write!(f, "garbage `{method}`").and_then(|()| who(f, client)),
            Self::Topic(client, action, topic, _) => {
                write!(f, "{} `{topic}`", action.name())?;
                who(f, client)
            }
            Self::Event(event) => {
                f.write_str(event.kind.name())?;
                event.topic.iter().try_for_each(|topic| write!(f, " `{topic}`"))?;
                event.client.iter().try_for_each(|client| who(f, client))
            }
            Self::Tick => f.write_str("tick"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::tests::guests_that_answer_many_otherwise;
    use crate::types::{ClientId, ConnectFacts, Identity, Peer, QoS};

    /// Authors find out before a broker asks one in place of the other.
    #[test]
    fn a_case_says_where_check_many_answers_otherwise_than_check() {
        let client = Arc::new(ClientInfo {
            client_id: ClientId::new("c1"),
            identity: Identity::Anonymous,
            peer: Peer::tcp(([192, 0, 2, 1], 49_152).into(), "default".into()),
            connect: ConnectFacts::default(),
        });
        let expected = Expected {
            outcome: Outcome::Vote(Decision::Allow),
            cache: None,
            extended_to: None,
            reason_code: None,
            reason_text: None,
            data: None,
            username: None,
            published: Some(Vec::new()),
        };
        let facts = TopicFacts::message(QoS::AtMostOnce, false, 0);
        let question = Question::Topic(client, Action::Publish, "a".to_owned(), facts);
        let case = Case { line: 1, question, expected };
        let folder = tempfile::tempdir().expect("a folder");
        let guests = guests_that_answer_many_otherwise(folder.path());
        let differs: Vec<_> =
            guests.iter().map(|guest| case.run(&mut Trial::load(guest).expect("a guest that loads"))).collect();
        let as_check = |differs: &str| format!("expected `check-many` to answer as `check`: {differs}");
        let cache = as_check("cache reload, found never");
        assert_eq!(differs[..2], [vec![cache.clone()], vec![cache, as_check("extended-to `#`, found none")]]);
        let fault = as_check("allow, and the plugin trapped in topic-check: 0 verdicts on 1 topics");
        assert!(matches!(&differs[2][..], [one] if one.starts_with(&fault)), "{differs:?}");
    }

    #[test]
    fn votes_differ_in_all_that_a_broker_goes_by() {
        let vote = |decision, cache| Answer { cache: Some(cache), ..Answer::of(Outcome::Vote(decision)) };
        let allow = vote(Decision::Allow, CacheFor::Seconds(60));
        let check = |other: Answer, expected: &[&str]| assert_eq!(allow.differences(&other), expected);
        check(allow.clone(), &[]);
        check(vote(Decision::Allow, CacheFor::Seconds(59)), &[]);
        check(vote(Decision::Allow, CacheFor::Seconds(30)), &["cache 60, found 30"]);
        check(vote(Decision::Deny, CacheFor::Never), &["allow, found deny", "cache 60, found never"]);
        let reason = Reason { code: Some(0x87), text: Some("not you".into()), user_properties: Vec::new() };
        check(Answer { reason: Some(reason), ..allow.clone() }, &["reason none, found 0x87 \"not you\""]);
    }
}
