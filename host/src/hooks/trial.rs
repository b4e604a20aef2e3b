use std::sync::Arc;
use std::time::Duration;

use super::combine::{Decision, Vote};
use super::common::Common;
use super::exchange::{Exchange, Proof, Step};
use super::limits::AUTH_DEADLINE;
use super::load::load_one;
use super::loaded::Loaded;
use super::stand_in::StandIn;
use super::wasm::{Fault, Instance};
use super::{Action, CacheFor, Credentials, Event, HookSpec, LoadError, PluginSpec, Reason, TopicFacts};
use crate::types::{ClientInfo, Message, TopicFilter};

/// One plugin without a broker around it: loaded, limited and called as a broker does.
///
/// As there, each hook has an instance of its own, `events` and `ticks` one together, and after a fault a fresh one.
/// Errors are for people, and continue `the plugin `. Not for threads of tokio, where plugins with WASI cannot run.
pub struct Trial {
    plugin: Arc<Loaded>,
    broker: Arc<StandIn>,
    auth: Option<Instance>,
    /// Two, which take turns: a step has to find all that it needs in the state.
    enhanced_auth: [Option<Instance>; 2],
    /// The one that is under way, and whose it is.
    exchange: Option<(Arc<ClientInfo>, Exchange)>,
    topic_check: Option<Instance>,
    /// It is asked by `check-many`, so that what one call changes is not what the other goes by.
    topic_check_many: Option<Instance>,
    observer: Option<Instance>,
    /// Its clock of deadlines runs as long as this is here.
    _common: Common,
}

/// A plugin's answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// Its vote.
    pub decision: Decision,
    /// How long a broker may go by it; none of a CONNECT.
    pub cache: Option<CacheFor>,
    /// What a client of MQTT 5.0 is told of a refusal.
    pub reason: Option<Reason>,
    /// It is the same for every topic name that this matches.
    pub extended_to: Option<TopicFilter>,
}

/// A plugin's answer to a step of an exchange of AUTH packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// The client is to answer to this.
    Challenge(Vec<u8>),
    /// The client has proved who it is.
    Proven(Proof),
    /// It has not, and what a client is told of that.
    Denied(Option<Reason>),
}

/// Why there is no answer. The text continues `the plugin `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// A broker would not have asked it.
    #[error("{0}")]
    NotAsked(String),
    /// It failed: a broker would deny.
    #[error("{0}")]
    Failed(String),
}

/// Instances that were made and are not asked anything.
pub struct Idle(#[expect(dead_code, reason = "that they are there is what they are for")] Vec<Instance>);

impl Trial {
    /// Loads the plugin and starts one instance of it.
    ///
    /// # Errors
    /// When a broker would not start with it.
    pub fn load(spec: &PluginSpec) -> Result<Self, LoadError> {
        let broker = Arc::<StandIn>::default();
        let common = Common::start(Arc::clone(&broker) as _).map_err(LoadError::Engine)?;
        let plugin = load_one(spec, &HookSpec::default(), &common, &[])?;
        Ok(Self {
            plugin,
            broker,
            auth: None,
            enhanced_auth: [None, None],
            exchange: None,
            topic_check: None,
            topic_check_many: None,
            observer: None,
            _common: common,
        })
    }

    /// Who it is, what it is asked and what it uses, in a line for each.
    pub fn describe(&self) -> String {
        let (manifest, interests) = (self.plugin.wasm.manifest(), self.plugin.wasm.interests());
        let actions = [Action::Publish, Action::Subscribe, Action::Receive];
        let actions: Vec<_> = actions.into_iter().filter(|action| interests.actions.contains(*action)).collect();
        let decides = actions.iter().map(|action| action.name()).collect::<Vec<_>>().join(", ");
        let events: Vec<_> = super::EventKind::ALL
            .iter()
            .filter(|kind| interests.events.contains(**kind))
            .map(|kind| kind.name())
            .collect();
        let mut text = format!("{}: {manifest}\n", self.plugin);
        for (what, value) in [("decides", decides), ("is told of", events.join(", "))] {
            if !value.is_empty() {
                text += &format!("{what} {value}\n");
            }
        }
        if interests.tick_seconds > 0 {
            text += &format!("ticks every {} s\n", interests.tick_seconds);
        }
        text
    }

    /// What a configuration has to have below `grants` for a plugin in a file.
    pub fn grants(&self) -> Vec<&'static str> {
        self.plugin.wasm.manifest().grants()
    }

    /// Whether it has the hook of that name.
    pub fn has(&self, hook: &str) -> bool {
        self.plugin.wasm.manifest().hooks().contains(&hook)
    }

    /// How long it took to compile it.
    pub fn compiled_in(&self) -> Duration {
        self.plugin.wasm.compiled_in()
    }

    /// Makes so many instances.
    ///
    /// # Errors
    /// When one does not start.
    pub fn instances(&self, count: usize) -> Result<Idle, String> {
        let make = |_| self.plugin.wasm.instantiate().map_err(|fault| fault.in_hook("init"));
        Ok(Idle((0..count).map(make).collect::<Result<_, _>>()?))
    }

    /// Asks for a vote on a CONNECT.
    ///
    /// # Errors
    /// When a broker would not ask it, or it has no answer.
    pub fn authenticate(&mut self, client: &Arc<ClientInfo>, credentials: &Credentials) -> Result<Ballot, Unanswered> {
        self.exported("auth")?;
        let ask = |instance: &mut Instance| instance.authenticate(client, credentials, AUTH_DEADLINE);
        let vote = call(&self.plugin, &mut self.auth, "auth", ask)?;
        Ok(Ballot {
            decision: vote.decision,
            cache: None,
            reason: vote.reason.map(|reason| *reason),
            extended_to: None,
        })
    }

    /// Begins an exchange of AUTH packets, in place of one that is under way.
    ///
    /// # Errors
    /// When a broker would not ask it, or it has no answer.
    pub fn start(
        &mut self,
        client: &Arc<ClientInfo>,
        method: &str,
        data: Option<&[u8]>,
    ) -> Result<Advance, Unanswered> {
        self.exported("enhanced-auth")?;
        let served = self.plugin.wasm.methods();
        if !served.iter().any(|served| **served == *method) {
            let served = served.join("`, `");
            return not_asked(format!("does not serve the authentication method `{method}`, but `{served}`"));
        }
        self.step(Arc::clone(client), Exchange::new(method, 0, 0), data)
    }

    /// Takes the exchange that is under way a step further. The step comes to another instance than the one before.
    ///
    /// # Errors
    /// When a broker would not ask it, or it has no answer.
    pub fn proceed(&mut self, data: Option<&[u8]>) -> Result<Advance, Unanswered> {
        match self.exchange.take() {
            Some((client, exchange)) => self.step(client, exchange, data),
            None => not_asked("has no exchange under way: what came before has not ended in a challenge".to_owned()),
        }
    }

    fn step(
        &mut self,
        client: Arc<ClientInfo>,
        mut exchange: Exchange,
        data: Option<&[u8]>,
    ) -> Result<Advance, Unanswered> {
        self.exchange = None;
        exchange.count_step();
        self.enhanced_auth.reverse();
        let ask = |instance: &mut Instance| instance.step(&client, &exchange, data);
        let vote = call(&self.plugin, &mut self.enhanced_auth[0], "enhanced-auth", ask)?;
        Ok(match vote.follow(exchange) {
            Step::Challenge(data, exchange) => {
                self.exchange = Some((client, exchange));
                Advance::Challenge(data)
            }
            Step::Proven(proof) => Advance::Proven(proof),
            Step::Denied(reason) => Advance::Denied(reason.map(|reason| *reason)),
            Step::Failed => Advance::Denied(None),
        })
    }

    /// Asks for a vote on an action with a topic.
    ///
    /// # Errors
    /// When a broker would not ask it, or it has no answer.
    pub fn check(
        &mut self,
        client: &Arc<ClientInfo>,
        action: Action,
        topic: &str,
        facts: TopicFacts,
    ) -> Result<Ballot, Unanswered> {
        self.decides(action)?;
        let ask = |instance: &mut Instance| instance.check(client, action, topic, facts);
        Ok(call(&self.plugin, &mut self.topic_check, "topic-check", ask)?.into())
    }

    /// Asks the same by `check-many`, with no other topic. A broker does so where it asks aside, and of the last of several.
    ///
    /// # Errors
    /// When a broker would not ask it, or it has no answer.
    pub fn check_many(
        &mut self,
        client: &Arc<ClientInfo>,
        action: Action,
        topic: &str,
        facts: TopicFacts,
    ) -> Result<Ballot, Unanswered> {
        self.decides(action)?;
        let ask = |instance: &mut Instance| instance.check_many(client, action, &[(topic, facts)]);
        let votes = call(&self.plugin, &mut self.topic_check_many, "topic-check", ask)?;
        let vote = votes.into_iter().next();
        // Any other number is a fault.
        vote.map(Ballot::from).ok_or_else(|| Unanswered::Failed("has no answer".to_owned()))
    }

    /// Tells of an event.
    ///
    /// # Errors
    /// When a broker would not tell it, or it fails.
    pub fn handle(&mut self, event: &Arc<Event>) -> Result<(), Unanswered> {
        self.exported("events")?;
        if !self.plugin.wasm.interests().events.contains(event.kind) {
            return not_asked(format!("is not told of {}: at its start it did not ask for it", event.kind.name()));
        }
        call(&self.plugin, &mut self.observer, "events", |instance| instance.handle(event))
    }

    /// Lets it do what it does at regular times.
    ///
    /// # Errors
    /// When a broker would not call it, or it fails.
    pub fn tick(&mut self) -> Result<(), Unanswered> {
        self.exported("ticks")?;
        if self.plugin.wasm.interests().tick_seconds == 0 {
            return not_asked("does not tick: at its start it did not ask for it".to_owned());
        }
        call(&self.plugin, &mut self.observer, "ticks", Instance::tick)
    }

    /// Takes what it has published so far.
    pub fn take_published(&self) -> Vec<Message> {
        self.broker.take_published()
    }

    fn decides(&self, action: Action) -> Result<(), Unanswered> {
        self.exported("topic-check")?;
        if self.plugin.wasm.interests().actions.contains(action) {
            return Ok(());
        }
        not_asked(format!("is not asked about {}: at its start it did not ask for it", action.name()))
    }

    fn exported(&self, hook: &str) -> Result<(), Unanswered> {
        if self.has(hook) { Ok(()) } else { not_asked(format!("does not export `{hook}`")) }
    }
}

fn not_asked<R>(why: String) -> Result<R, Unanswered> {
    Err(Unanswered::NotAsked(why))
}

/// A vote on a topic.
impl From<Vote> for Ballot {
    fn from(vote: Vote) -> Self {
        let reason = vote.reason.map(|reason| (*reason).clone());
        Self { decision: vote.decision, cache: Some(vote.cache), reason, extended_to: vote.extended_to }
    }
}

/// Calls an instance; one that fails is gone.
fn call<R>(
    plugin: &Loaded,
    place: &mut Option<Instance>,
    hook: &str,
    act: impl FnOnce(&mut Instance) -> Result<R, Fault>,
) -> Result<R, Unanswered> {
    let failed = |hook: &str, fault: &Fault| Unanswered::Failed(fault.in_hook(hook));
    let mut instance = match place.take() {
        Some(instance) => instance,
        None => plugin.wasm.instantiate().map_err(|fault| failed("init", &fault))?,
    };
    let answer = act(&mut instance).map_err(|fault| failed(hook, &fault))?;
    *place = Some(instance);
    Ok(answer)
}
