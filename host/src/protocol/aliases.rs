use std::num::NonZeroU16;

use crate::types::TopicName;

/// Topic aliases that the broker gives out on one connection, at most, whatever the client would take.
const OUTGOING_MAX: u16 = 64;

/// A topic that was sent this often more than others that wanted its alias is as good as can be.
const HEAT_MAX: u8 = 16;

/// The topic aliases of messages to one client (MQTT 5.0, 3.3.2.3.4): topics that are sent often get one.
///
/// A topic has one alias that it may take, by its hash. It takes it if it is free, or once it was sent more often of
/// late than the topic that has it.
#[derive(Debug)]
pub(super) struct OutgoingAliases {
    slots: Box<[Option<Slot>]>,
    hasher: ahash::RandomState,
}

#[derive(Debug)]
struct Slot {
    topic: TopicName,
    heat: u8,
}

impl OutgoingAliases {
    /// Aliases for a client that takes so many; none if it takes none `[MQTT-3.1.2-26]` `[MQTT-3.1.2-27]`.
    pub(super) fn new(topic_alias_max: u16) -> Option<Box<Self>> {
        let slots = usize::from(topic_alias_max.min(OUTGOING_MAX));
        (slots > 0).then(|| {
            Box::new(Self { slots: (0..slots).map(|_| None).collect(), hasher: ahash::RandomState::default() })
        })
    }

    /// The alias to send a message of `topic` with, and whether the client knows it already; none if it is to be sent
    /// without.
    pub(super) fn alias(&mut self, topic: &TopicName) -> Option<(NonZeroU16, bool)> {
        let index = self.hasher.hash_one(topic) as usize % self.slots.len();
        let alias = NonZeroU16::new(index as u16 + 1)?;
        match &mut self.slots[index] {
            Some(slot) if slot.topic == *topic => {
                slot.heat = (slot.heat + 1).min(HEAT_MAX);
                Some((alias, true))
            }
            Some(slot) if slot.heat > 0 => {
                slot.heat -= 1;
                None
            }
            slot => {
                *slot = Some(Slot { topic: topic.clone(), heat: 1 });
                Some((alias, false))
            }
        }
    }
}

/// The topic aliases of messages from one client. They last as long as the connection.
#[derive(Debug, Default)]
pub(super) struct IncomingAliases {
    /// The topic of alias 1 and those that follow.
    topics: Vec<Option<TopicName>>,
}

impl IncomingAliases {
    /// From now on `alias` stands for `topic`, which is valid.
    pub(super) fn set(&mut self, alias: NonZeroU16, topic: &str) {
        let index = usize::from(alias.get()) - 1;
        if self.topics.len() <= index {
            self.topics.resize(index + 1, None);
        }
        // A client that says both each time is not made to pay for it.
        if self.topics[index].as_ref().is_none_or(|known| known.as_str() != topic) {
            self.topics[index] = TopicName::new(topic).ok();
        }
    }

    /// What `alias` stands for.
    pub(super) fn topic(&self, alias: NonZeroU16) -> Option<&TopicName> {
        self.topics.get(usize::from(alias.get()) - 1)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(number: usize) -> TopicName {
        TopicName::new(&format!("topic/{number}")).expect("valid topic")
    }

    #[test]
    fn a_client_that_takes_none_is_given_none() {
        assert!(OutgoingAliases::new(0).is_none());
        let mut aliases = OutgoingAliases::new(u16::MAX).expect("takes some");
        assert!((0..1_000).filter_map(|number| aliases.alias(&topic(number))).all(|(alias, _)| alias.get() <= 64));
    }

    #[test]
    fn a_topic_that_is_sent_often_gets_the_alias() {
        let mut aliases = OutgoingAliases::new(1).expect("takes one");
        let one = NonZeroU16::MIN;
        assert_eq!(aliases.alias(&topic(1)), Some((one, false)));
        assert_eq!(aliases.alias(&topic(1)), Some((one, true)));
        // Others have to come twice before they drive it out, and then it has to come again itself.
        assert_eq!([aliases.alias(&topic(2)), aliases.alias(&topic(3))], [None, None]);
        assert_eq!(aliases.alias(&topic(3)), Some((one, false)));
        assert_eq!(aliases.alias(&topic(1)), None);
        assert_eq!(aliases.alias(&topic(1)), Some((one, false)));
    }

    #[test]
    fn an_incoming_alias_stands_for_the_last_topic() {
        let mut aliases = IncomingAliases::default();
        let alias = NonZeroU16::new(3).expect("not 0");
        assert_eq!(aliases.topic(alias), None);
        aliases.set(alias, "a");
        aliases.set(alias, "b");
        assert_eq!(aliases.topic(alias).map(TopicName::as_str), Some("b"));
        assert_eq!(aliases.topic(NonZeroU16::MIN), None);
    }
}
