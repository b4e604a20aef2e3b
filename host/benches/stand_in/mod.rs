//! What benchmarks of plugins have in place of a broker and its clients.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use amqtt::hooks::{BrokerServices, Overloaded, PluginSpec};
use amqtt::types::{ClientId, ClientInfo, ConnectFacts, Identity, Message, Peer};
use serde_json::{Map, Value};

/// In place of a broker.
#[derive(Default)]
pub(crate) struct Broker {
    /// Where to hand on what plugins publish; without it, nowhere.
    pub(crate) published: Option<SyncSender<Message>>,
}

impl BrokerServices for Broker {
    fn publish(&self, message: Message) -> Result<(), Overloaded> {
        self.published.as_ref().map_or(Ok(()), |sender| sender.try_send(message).map_err(|_| Overloaded))
    }

    fn version(&self) -> &str {
        "0.0.0"
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// A client that has logged in.
pub(crate) fn client(client_id: &str, username: &str, connect: ConnectFacts) -> Arc<ClientInfo> {
    Arc::new(ClientInfo {
        client_id: ClientId::new(client_id),
        identity: Identity::User(username.into()),
        peer: Peer::tcp(([192, 0, 2, 1], 49_152).into(), "default".into()),
        connect,
    })
}

/// A plugin that is built in, with these settings and nothing else.
pub(crate) fn plugin(name: &str, settings: Value) -> PluginSpec {
    PluginSpec::new(name, if let Value::Object(settings) = settings { settings } else { Map::new() })
}

/// Bytes of memory that this process has.
pub(crate) fn resident_bytes() -> u64 {
    amqtt::broker::resident_bytes().expect("the system tells")
}
