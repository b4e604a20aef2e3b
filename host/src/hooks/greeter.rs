use std::sync::Arc;

use super::combine::{AuthOutcome, combine_auth};
use super::faults::Call;
use super::generation::Generation;
use super::limits::{FRESH_INSTANCE_WAIT, GREETING_DEADLINE};
use super::warm::{self, Warm};
use super::wasm::Instance;
use super::{Credentials, Hooks};
use crate::types::ClientInfo;

/// Asks who may connect, on the thread that serves the connection: make one for each such thread.
///
/// It does so where every plugin that answers auth is known to take less time than handing the question to another thread
/// does. It follows a reload by itself. Dropping it ends its instances in good order.
pub struct Greeter {
    hooks: Arc<Hooks>,
    generation: Arc<Generation>,
    /// Of each plugin that answers auth; none where others than the client would wait for one of them.
    plugins: Vec<Warm>,
}

impl Greeter {
    pub(super) fn new(hooks: &Arc<Hooks>) -> Self {
        let generation = hooks.generation();
        let plugins = instances(&generation);
        Self { hooks: Arc::clone(hooks), generation, plugins }
    }

    /// Whether a client may connect; none where this is to be asked with [`Hooks::authenticate`], because it may take
    /// long or has to wait for its turn.
    pub fn greet(&mut self, client: &Arc<ClientInfo>, credentials: &Credentials) -> Option<AuthOutcome> {
        self.follow();
        let is_here = !self.plugins.is_empty() && self.plugins.iter_mut().all(Warm::is_ready);
        if !is_here || self.hooks.common.tally.suspects.contains(client.address()) {
            return None;
        }
        let votes = self.plugins.iter_mut().map(|warm| {
            let ask = |instance: &mut Instance| instance.authenticate(client, credentials, GREETING_DEADLINE);
            warm.call(Call::Auth, Some(client), ask)
        });
        Some(combine_auth(votes))
    }

    /// Goes over to the plugins that were loaded last, if it asks others still; ends the instances of those.
    pub fn follow(&mut self) {
        if self.generation.number != self.hooks.number() {
            self.generation = self.hooks.generation();
            warm::retire(std::mem::replace(&mut self.plugins, instances(&self.generation)));
        }
    }
}

fn instances(generation: &Generation) -> Vec<Warm> {
    generation.greeting.iter().map(|plugin| Warm::new(Arc::clone(plugin), FRESH_INSTANCE_WAIT)).collect()
}

impl Drop for Greeter {
    fn drop(&mut self) {
        self.plugins.drain(..).for_each(Warm::stop);
    }
}
