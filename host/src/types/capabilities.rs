use std::sync::Arc;

use super::{QoS, ReasonCode, ShareStrategy};

/// What the broker does for its clients, where that is a matter of settings. Clients of MQTT 5.0 are told in the CONNACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The highest QoS that is granted, delivered and, from clients of MQTT 5.0, taken.
    pub max_qos: QoS,
    /// Whether messages are retained.
    pub retain: bool,
    /// Whether filters may have wildcards.
    pub wildcard_subscriptions: bool,
    /// Whether subscriptions may have identifiers.
    pub subscription_identifiers: bool,
    /// Whether subscriptions may be shared.
    pub shared_subscriptions: bool,
    /// Who gets a message of one.
    pub share_strategy: ShareStrategy,
    /// Whether a payload that claims to be UTF-8 is looked at.
    pub check_payload_format: bool,
    /// Another server for clients that are sent away.
    pub server_reference: Option<Arc<str>>,
    /// Set where every client that connects is sent away: for now, or for good as this server has moved.
    pub redirect: Option<ReasonCode>,
    /// What the response topics of clients that ask begin with; `{client-id}` stands for their identifier.
    pub response_information: Option<Arc<str>>,
}

impl Capabilities {
    /// What clients are told when the broker ends: to use the other server, if there is one (4.11).
    pub fn farewell(&self) -> ReasonCode {
        let other = self.server_reference.as_ref().map(|_| ReasonCode::UseAnotherServer);
        self.redirect.or(other).unwrap_or(ReasonCode::ServerShuttingDown)
    }

    /// The server to use instead, where that is what a reason says.
    pub fn reference_for(&self, reason: ReasonCode) -> Option<&str> {
        let is_redirection = matches!(reason, ReasonCode::UseAnotherServer | ReasonCode::ServerMoved);
        self.server_reference.as_deref().filter(|_| is_redirection)
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            max_qos: QoS::ExactlyOnce,
            retain: true,
            wildcard_subscriptions: true,
            subscription_identifiers: true,
            shared_subscriptions: true,
            share_strategy: ShareStrategy::RoundRobin,
            check_payload_format: false,
            server_reference: None,
            redirect: None,
            response_information: None,
        }
    }
}
