//! Exchanges of several packets that prove who a client is (MQTT 5.0, 4.12).

use std::sync::Arc;

use bytes::Bytes;

use super::Hooks;
use super::combine::Reason;
use super::limits::EXCHANGE_STEPS_MAX;
use crate::types::ClientInfo;

/// An exchange that is under way. Each step consumes it; one that asks the client for more gives it back.
#[derive(Debug)]
pub struct Exchange {
    method: Arc<str>,
    /// The plugins that it began with: others do not know what its state means.
    generation: u64,
    /// Whose it is, among those that answer auth.
    pub(super) plugin: usize,
    /// What the plugin wants to know in the next step; none before the first.
    state: Option<Vec<u8>>,
    steps: u8,
}

impl Exchange {
    pub(super) fn new(method: &str, generation: u64, plugin: usize) -> Self {
        Self { method: method.into(), generation, plugin, state: None, steps: 0 }
    }

    /// The authentication method.
    pub fn method(&self) -> &str {
        &self.method
    }

    pub(super) fn count_step(&mut self) {
        self.steps += 1;
    }

    pub(super) fn state(&self) -> Option<&[u8]> {
        self.state.as_deref()
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.method.len() + self.state.as_ref().map_or(0, Vec::len)
    }
}

/// What a step of an exchange leads to.
#[derive(Debug)]
pub enum Step {
    /// The client is to answer to this.
    Challenge(Vec<u8>, Exchange),
    /// The client has proved who it is.
    Proven(Proof),
    /// It has not, and why if the plugin says so.
    Denied(Option<Box<Reason>>),
    /// Nobody could say, because the plugin failed or was loaded again, or too many clients wait: the client may not
    /// connect now.
    Failed,
}

/// Who a client has proved to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The user; none for an anonymous client.
    pub username: Option<Arc<str>>,
    /// What the client is told with it.
    pub data: Option<Vec<u8>>,
}

/// A plugin's answer to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepVote {
    Challenge { data: Vec<u8>, state: Vec<u8> },
    Proven(Proof),
    Denied(Option<Box<Reason>>),
}

impl StepVote {
    /// What it is for an exchange.
    pub(super) fn follow(self, mut exchange: Exchange) -> Step {
        match self {
            Self::Challenge { .. } if exchange.steps >= EXCHANGE_STEPS_MAX => Step::Denied(None),
            Self::Challenge { data, state } => {
                exchange.state = Some(state);
                Step::Challenge(data, exchange)
            }
            Self::Proven(proof) => Step::Proven(proof),
            Self::Denied(reason) => Step::Denied(reason),
        }
    }
}

impl Hooks {
    /// Begins an exchange with the first plugin that serves a method; none where nobody does.
    pub fn begin_exchange(&self, method: &str) -> Option<Exchange> {
        let generation = self.generation();
        let plugin = generation.auth.serving(method)?;
        Some(Exchange::new(method, generation.number, plugin))
    }

    /// Takes an exchange a step further with what the client has sent, on the threads of auth. A client whose address has
    /// made plugins fail waits first.
    pub fn step(
        self: &Arc<Self>,
        client: Arc<ClientInfo>,
        mut exchange: Exchange,
        data: Option<Bytes>,
    ) -> impl Future<Output = Step> + Send + use<> {
        let hooks = Arc::clone(self);
        exchange.count_step();
        async move {
            if !hooks.common.tally.suspects.wait_for_turn(&client).await {
                return Step::Failed;
            }
            let generation = hooks.generation();
            if generation.number != exchange.generation {
                return Step::Failed;
            }
            match generation.auth.step(client, exchange, data).await {
                // Others decide by now, who may not want it in.
                Ok(Step::Proven(_)) if generation.number != hooks.number() => Step::Failed,
                step => step.unwrap_or(Step::Failed),
            }
        }
    }
}
