use std::collections::HashSet;

use crate::codec::PacketId;
use crate::types::SharedKeys;

/// The QoS 2 messages that a client has sent and not yet released (method A of figure 4.3).
///
/// At most 65,535 identifiers, as the protocol has no more.
#[derive(Debug, Default)]
pub struct Inbound {
    unreleased: HashSet<PacketId, SharedKeys>,
}

impl Inbound {
    /// Whether a QoS 2 message of this identifier has already been passed on, or is about to be `[MQTT-4.3.3-2]`.
    pub fn is_duplicate(&self, packet_id: PacketId) -> bool {
        self.unreleased.contains(&packet_id)
    }

    /// Remembers a message that is passed on.
    pub fn remember(&mut self, packet_id: PacketId) {
        self.unreleased.insert(packet_id);
    }

    /// A PUBREL came, or the message was refused: the identifier may be used anew. Says whether it was in use.
    pub fn release(&mut self, packet_id: PacketId) -> bool {
        let was_in_use = self.unreleased.remove(&packet_id);
        if self.unreleased.is_empty() {
            self.unreleased = HashSet::default();
        }
        was_in_use
    }

    /// How many identifiers are remembered.
    pub fn len(&self) -> usize {
        self.unreleased.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.unreleased.is_empty()
    }
}
