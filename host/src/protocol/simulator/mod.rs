//! Clients, a network that cuts connections anywhere, and the broker's way of a message around [`Session`], all driven by
//! a seed.
//!
//! The clients keep to the standard. What the broker sends is read along by a [`Watcher`]; what arrived is counted when
//! all is quiet.

mod client;
mod peer;
mod tally;
mod watcher;
mod world;

use crate::codec::Publish;
use crate::types::random::{Random, for_each_seed};
use crate::types::{QoS, TopicName};

use world::{Cuts, World};

/// What every client subscribes to, or not: all topics of notes.
const FILTER: &str = "topic/+";

/// A message, as its payload tells it: what was published by whom, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    author: usize,
    number: usize,
    qos: QoS,
    topic: usize,
}

impl Note {
    fn read(publish: &Publish<'_>) -> Self {
        let text = std::str::from_utf8(publish.payload).expect("is text");
        let mut fields = text.trim_end_matches('.').split(' ').map(|field| field.parse().expect("a number"));
        let mut field = || fields.next().expect("four numbers");
        let (author, number, qos, topic) = (field(), field(), field(), field());
        let note = Self { author, number, qos: QoS::from_bits(qos as u8).expect("a QoS"), topic };
        assert_eq!(publish.topic, note.topic_name().as_str());
        note
    }

    /// Every fifth is published to be retained.
    fn retains(&self) -> bool {
        self.number % 5 == 4
    }

    /// Every thirteenth is large enough to be shared between buffers.
    fn payload(&self) -> String {
        let Self { author, number, qos, topic } = self;
        let filling = if number % 13 == 12 { ".".repeat(crate::queue::SHARED_BYTES_MIN) } else { String::new() };
        format!("{author} {number} {} {topic}{filling}", *qos as u8)
    }

    fn topic_name(&self) -> TopicName {
        TopicName::new(&format!("topic/{}", self.topic)).expect("valid topic")
    }
}

/// QoS 1 at least once, QoS 2 exactly once, in order, whatever happens to connections.
#[test]
fn messages_arrive_as_promised_through_cuts_and_takeovers() {
    for_each_seed(3_000, |seed| {
        let mut world = World::new(Random::new(seed), Cuts::Random);
        world.run(250);
        world.settle();
        world.check();
    });
}

/// The same, with one connection cut after each byte in turn.
#[test]
fn messages_arrive_as_promised_wherever_one_connection_is_cut() {
    let mut last = 0;
    for seed in 0..3 {
        for bytes in 0.. {
            let mut world = World::new(Random::new(seed), Cuts::After(bytes));
            world.run(120);
            world.settle();
            world.check();
            if !world.was_cut() {
                last += bytes;
                break;
            }
        }
    }
    assert!(last > 500, "only {last} bytes went over the network");
}
