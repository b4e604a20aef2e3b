use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::types::{MessageProperties, TopicName};

fn queued(qos: QoS, payload: &'static str) -> Queued {
    let topic = TopicName::new("t").expect("valid topic");
    let message = Message::new(topic, Bytes::from_static(payload.as_bytes()), qos, false);
    Queued { message: Arc::new(message), qos, retain: false, subscription_id: None }
}

/// A message of QoS 1 that expires at this time.
fn expiring(payload: &'static str, expires: Instant) -> Queued {
    let mut queued = queued(QoS::AtLeastOnce, payload);
    let properties = MessageProperties { passed_on: Bytes::new(), expires: Some(expires), share: None };
    Arc::make_mut(&mut queued.message).properties = Some(Arc::new(properties));
    queued
}

/// What they are counted as, all and those of QoS 0.
fn sums(queue: &MessageQueue) -> (Sum, Sum) {
    queue.waiting.as_ref().map(|waiting| (waiting.all, waiting.qos0)).unwrap_or_default()
}

fn payloads(queue: &mut MessageQueue) -> Vec<Bytes> {
    std::iter::from_fn(|| queue.pop()).map(|queued| queued.message.payload.clone()).collect()
}

#[test]
fn a_full_queue_drops_qos_0_first_then_the_newest() {
    let limits = Limits { queue_messages_max: 3, ..Limits::default() };
    let (mut queue, now) = (MessageQueue::default(), Instant::now());
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "1"), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.push(queued(QoS::AtMostOnce, "2"), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.push(queued(QoS::ExactlyOnce, "3"), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.push(queued(QoS::AtMostOnce, "4"), Standing::Judged, &limits, now), Pushed::Refused);
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "5"), Standing::Judged, &limits, now), Pushed::KeptInsteadOf(1));
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "6"), Standing::Judged, &limits, now), Pushed::Refused);
    assert_eq!(payloads(&mut queue), ["1", "3", "5"]);
    assert_eq!(sums(&queue), Default::default());
}

#[test]
fn what_is_not_to_be_kept_is_not_counted_any_more() {
    let limits = Limits::default();
    let mut queue = MessageQueue::default();
    for (qos, payload) in [(QoS::AtMostOnce, "1"), (QoS::AtLeastOnce, "2"), (QoS::AtMostOnce, "3")] {
        queue.push(queued(qos, payload), Standing::Judged, &limits, Instant::now());
    }
    assert_eq!(queue.retain(|message| message.payload != "1"), 1);
    let all = Sum { entries: 2, counted: 2, bytes: 2 * (2 + ENTRY_BYTES), expiring: 0, unjudged: 0 };
    assert_eq!(sums(&queue), (all, Sum { entries: 1, counted: 1, bytes: 2 + ENTRY_BYTES, expiring: 0, unjudged: 0 }));
    assert_eq!(payloads(&mut queue), ["2", "3"]);
}

#[test]
fn bytes_are_bounded_too() {
    let limits = Limits { queue_bytes_max: 8 + 2 * ENTRY_BYTES, ..Limits::default() };
    let (mut queue, now) = (MessageQueue::default(), Instant::now());
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "123456"), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "1"), Standing::Judged, &limits, now), Pushed::Refused);
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, ""), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.len(), 2);
}

#[test]
fn qos_0_is_not_dropped_in_vain() {
    let limits = Limits { queue_bytes_max: 8 + 2 * ENTRY_BYTES, ..Limits::default() };
    let (mut queue, now) = (MessageQueue::default(), Instant::now());
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "123"), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.push(queued(QoS::AtMostOnce, "45"), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "6789"), Standing::Judged, &limits, now), Pushed::Refused);
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "678"), Standing::Judged, &limits, now), Pushed::KeptInsteadOf(1));
    assert_eq!(payloads(&mut queue), ["123", "678"]);
    assert_eq!(sums(&queue), Default::default());
}

/// `[MQTT-3.3.2-5]` of MQTT 5.0: what has expired takes nobody's room.
#[test]
fn expired_messages_make_room() {
    let limits = Limits { queue_messages_max: 3, ..Limits::default() };
    let (mut queue, now) = (MessageQueue::default(), Instant::now());
    let soon = now + Duration::from_secs(1);
    assert_eq!(queue.push(expiring("1", soon), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.push(expiring("2", soon + Duration::from_secs(1)), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "3"), Standing::Judged, &limits, now), Pushed::Kept);
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "4"), Standing::Judged, &limits, now), Pushed::Refused);
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "5"), Standing::Judged, &limits, soon), Pushed::Kept);
    assert_eq!(payloads(&mut queue), ["2", "3", "5"]);
    assert_eq!(sums(&queue), Default::default());
}

/// A message for which there is no room costs no look at all that wait.
#[test]
fn a_full_queue_is_not_gone_through_for_each_message() {
    let limits = Limits { queue_messages_max: 1_000, ..Limits::default() };
    let now = Instant::now();
    let in_secs = |secs| now + Duration::from_secs(secs);
    let full = |expires: &dyn Fn(u64) -> Instant| {
        let mut queue = MessageQueue::default();
        for number in 0..1_000 {
            queue.push(expiring("x", expires(number)), Standing::Judged, &limits, now);
        }
        queue
    };
    let push = |queue: &mut MessageQueue, qos, at| queue.push(queued(qos, "y"), Standing::Judged, &limits, at);

    let mut queue = full(&|_| in_secs(3_600));
    let looked_at = visits::of(|| {
        for _ in 0..1_000 {
            assert_eq!(push(&mut queue, QoS::AtLeastOnce, in_secs(1)), Pushed::Refused);
        }
    });
    assert_eq!(looked_at, 0, "none has expired");

    // One expires after the other, those that came last first, while as many come.
    let mut queue = full(&|number| in_secs(1_000 - number));
    let mut kept = 0;
    let looked_at = visits::of(|| {
        for secs in 1..1_000 {
            kept += usize::from(push(&mut queue, QoS::AtLeastOnce, in_secs(secs)) == Pushed::Kept);
        }
    });
    assert!(looked_at <= 1_000 * (LOOKED_AT_PER_PUSH + 1), "{looked_at}");
    assert!(kept > 900, "{kept}: what has expired makes room");

    // One of QoS 0 comes whenever there is room, and has to go for the next.
    let mut queue = full(&|_| in_secs(3_600));
    let looked_at = visits::of(|| {
        for _ in 0..1_000 {
            queue.pop();
            assert_eq!(push(&mut queue, QoS::AtMostOnce, now), Pushed::Kept);
            assert_eq!(push(&mut queue, QoS::AtLeastOnce, now), Pushed::KeptInsteadOf(1));
        }
    });
    assert_eq!(looked_at, 1_000);
    let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
    assert!(rest.len() == 1_000 && rest.iter().all(|queued| queued.qos == QoS::AtLeastOnce));
}

/// Whoever comes after a message that is to be judged waits for it, and those before it do not.
#[test]
fn what_is_to_be_judged_keeps_its_place() {
    let limits = Limits::default();
    let (mut queue, now) = (MessageQueue::default(), Instant::now());
    let unjudged = Standing::Unjudged { is_told: false };
    let told = Standing::Unjudged { is_told: true };
    let entries = [("1", Standing::Judged), ("2", unjudged), ("3", told), ("4", Standing::Judged), ("5", unjudged)];
    for (payload, standing) in entries {
        queue.push(queued(QoS::AtMostOnce, payload), standing, &limits, now);
    }
    assert_eq!(queue.front().map(|queued| &*queued.message.payload), Some(b"1".as_slice()));
    queue.pop();
    assert!(queue.front().is_none() && queue.has_unjudged());
    let early = queue.judge(|message| (message.payload == "3").then_some(false));
    assert!(early.denied.is_empty() && queue.front().is_none(), "what comes first is judged first");
    let judged = queue.judge(|message| (message.payload != "5").then_some(message.payload != "2"));
    let denied: Vec<_> = judged.denied.iter().map(|queued| queued.message.payload.clone()).collect();
    let to_tell: Vec<_> = judged.to_tell.iter().map(|message| message.payload.clone()).collect();
    assert_eq!((denied, to_tell), (vec![Bytes::from("2")], vec![Bytes::from("3")]));
    let sent: Vec<_> = std::iter::from_fn(|| queue.front().is_some().then(|| queue.pop())?).collect();
    assert_eq!(sent.len(), 2, "3 and 4");
    assert_eq!(queue.unjudged().count(), 1);
    assert!(queue.judge(|_| Some(true)).denied.is_empty() && !queue.has_unjudged());
    assert_eq!(payloads(&mut queue), ["5"]);
    assert_eq!(sums(&queue), Default::default());
}

/// A client that takes one at a time costs no look at all that wait for each.
#[test]
fn what_is_judged_already_is_not_gone_through_for_those_behind() {
    const MESSAGES: usize = 10_000;
    let (limits, unjudged) =
        (Limits { queue_messages_max: MESSAGES, ..Limits::default() }, Standing::Unjudged { is_told: false });
    let (mut queue, now) = (MessageQueue::default(), Instant::now());
    for _ in 0..MESSAGES {
        queue.push(queued(QoS::AtLeastOnce, "x"), unjudged, &limits, now);
    }
    let mut sent = 0;
    let looked_at = visits::of(|| {
        while !queue.is_empty() {
            for _ in 0..4 {
                if queue.has_unjudged() {
                    let asked: Vec<_> = queue.unjudged().take(8).map(Arc::clone).collect();
                    queue.judge(|message| asked.iter().any(|asked| std::ptr::eq(&**asked, message)).then_some(true));
                }
            }
            sent += usize::from(queue.pop().is_some());
        }
    });
    assert_eq!(sent, MESSAGES);
    assert!(looked_at <= 3 * MESSAGES, "{looked_at}");
}

#[test]
fn retained_messages_take_bytes_and_no_places() {
    let limits = Limits { queue_messages_max: 1, queue_bytes_max: 5 * (ENTRY_BYTES + 2), ..Limits::default() };
    let (mut queue, now) = (MessageQueue::default(), Instant::now());
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::AtMostOnce] {
        assert!(queue.push_retained(queued(qos, "r"), Standing::Judged, &limits));
    }
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "1"), Standing::Judged, &limits, now), Pushed::Kept);
    // Its place is taken by the one before, and not by what was retained.
    assert_eq!(queue.push(queued(QoS::AtLeastOnce, "2"), Standing::Judged, &limits, now), Pushed::Refused);
    assert!(queue.push_retained(queued(QoS::AtLeastOnce, "R"), Standing::Judged, &limits));
    assert!(!queue.push_retained(queued(QoS::AtLeastOnce, "R"), Standing::Judged, &limits));
    assert_eq!(payloads(&mut queue), ["r", "r", "r", "1", "R"]);
    assert_eq!(sums(&queue), Default::default());
}
