//! Retained messages of new subscriptions, and those that are published meanwhile.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::broker::retained::BEFORE_STORE;

/// Retain Handling (MQTT 5.0, 3.8.3.1) among the options of a subscription.
const IF_NEW: u8 = 0x10;
const NEVER: u8 = 0x20;

/// A connection that finds itself displaced has begun what the next one is to have.
#[test]
fn what_is_owed_is_left_to_a_connection_that_takes_over() {
    let (core, mut worker) = worker();
    ["a", "b"].iter().for_each(|topic| publish(&mut worker, topic, "x", true));
    let mut old = open(&core, "c", 1);
    subscribe(&mut worker, &mut old, &[("a", 0), ("b", 0)]);
    let mut new = open(&core, "c", 2);
    let end = worker.poll_owed(&mut old, &mut Context::from_waker(Waker::noop()));
    assert_eq!(end, Poll::Ready(Err(End::Displaced)));
    drop(Connected { worker: Rc::new(RefCell::new(another(&core))), client: old, end: End::Displaced });
    let turn = new.session.take_turn(2, Waker::noop(), &core.limits, Instant::now(), 0).expect("is its own");
    new.owed.get_or_insert_default().take_over(turn.owed.expect("was left"));
    send_owed(&mut worker, &mut new);
    assert_eq!(received(&core, &new), ["a x r", "b x r"]);
}

/// A turn as it is when it has lasted long before it gets to what is owed.
fn one_turn(worker: &mut Worker, client: &mut Client) -> usize {
    worker.now = Instant::now().checked_sub(Duration::from_secs(1)).expect("the machine runs");
    worker.turn = Turn::default();
    visits::of(|| {
        let _ = worker.poll_owed(client, &mut Context::from_waker(Waker::noop()));
    })
}

/// Takes turns until a client has all that it is owed: how many, the most nodes that one has looked at, and what has come.
fn take_turns(core: &Core, worker: &mut Worker, client: &mut Client) -> (usize, usize, Vec<String>) {
    let (mut turns, mut most, mut messages) = (0, 0, Vec::new());
    while client.owed.is_some() {
        most = most.max(one_turn(worker, client));
        messages.extend(received(core, client));
        turns += 1;
        assert!(turns < 10_000, "it comes to an end");
    }
    messages.sort_unstable();
    (turns, most, messages)
}

fn many_retained(worker: &mut Worker, many: usize) -> Vec<String> {
    (0..many).for_each(|number| publish(worker, &format!("{}/{number}", number % 7), "x", true));
    let mut all: Vec<_> = (0..many).map(|number| format!("{}/{number} x r", number % 7)).collect();
    all.sort_unstable();
    all
}

/// Three bytes of a client that ask for all that there is.
#[test]
fn one_filter_that_matches_very_many_is_looked_up_in_many_turns() {
    let (core, mut worker) = worker();
    let expected = many_retained(&mut worker, 20_000);
    let mut client = open(&core, "c", 1);
    subscribe(&mut worker, &mut client, &[("#", 0)]);
    let (turns, looks, messages) = take_turns(&core, &mut worker, &mut client);
    assert!(looks <= 2_000, "{looks} in one turn");
    assert!(turns >= 10 && messages == expected, "{turns} turns, {} messages", messages.len());
}

/// What the connection before has been sent comes no more, and the rest does.
#[test]
fn a_connection_that_takes_over_goes_on_with_what_a_filter_matches() {
    let (core, mut worker) = worker();
    let expected = many_retained(&mut worker, 5_000);
    let mut old = open(&core, "c", 1);
    subscribe(&mut worker, &mut old, &[("#", 0)]);
    one_turn(&mut worker, &mut old);
    let mut messages = received(&core, &old);
    assert!(!messages.is_empty() && messages.len() < 5_000, "{}", messages.len());
    let mut new = open(&core, "c", 2);
    drop(Connected { worker: Rc::new(RefCell::new(another(&core))), client: old, end: End::Displaced });
    let turn = new.session.take_turn(2, Waker::noop(), &core.limits, Instant::now(), 0).expect("is its own");
    new.owed.get_or_insert_default().take_over(turn.owed.expect("was left"));
    messages.extend(take_turns(&core, &mut worker, &mut new).2);
    messages.sort_unstable();
    assert!(messages == expected, "{}", messages.len());
}

/// Of what a client does not take little waits for it, and nothing is dropped.
#[test]
fn retained_messages_wait_until_the_client_takes_them() {
    let (core, mut worker) = worker();
    let payload = "x".repeat(10_000);
    (0..1_000).for_each(|number| publish(&mut worker, &number.to_string(), &payload, true));
    let mut client = open(&core, "c", 1);
    subscribe(&mut worker, &mut client, &[("#", 0)]);
    let queued =
        |client: &Client| client.session.with(1, |session| session.outbound.queue_bytes()).expect("is its own");
    for _ in 0..100 {
        one_turn(&mut worker, &mut client);
        assert!(queued(&client) < 500_000, "{}", queued(&client));
    }
    assert!(client.owed.as_ref().is_some_and(|owed| owed.waits_for_client()));
    assert_eq!(take_turns(&core, &mut worker, &mut client).2.len(), 1_000);
}

/// While they wait for it, a client is heard: it may want something else by now `[MQTT-3.8.4-3]` `[MQTT-3.10.4-2]`.
#[test]
fn a_subscription_may_change_while_its_retained_messages_wait() {
    let check = |then: &mut dyn FnMut(&mut Worker, &mut Client), expected: std::ops::RangeInclusive<usize>| {
        let (core, mut worker) = worker();
        let payload = "x".repeat(1_000);
        (0..2_000).for_each(|number| publish(&mut worker, &number.to_string(), &payload, true));
        let mut client = open(&core, "c", 1);
        subscribe(&mut worker, &mut client, &[("#", 0)]);
        for _ in 0..100 {
            one_turn(&mut worker, &mut client);
        }
        assert!(client.owed.as_ref().is_some_and(|owed| owed.waits_for_client()));
        let before = received(&core, &client).len();
        assert!(before > 100 && before < 1_000, "{before}");
        then(&mut worker, &mut client);
        let (turns, _, messages) = take_turns(&core, &mut worker, &mut client);
        assert!(expected.contains(&(before + messages.len())), "{before} and {}", messages.len());
        assert!(messages.windows(2).all(|pair| pair[0] != pair[1]), "each comes once");
        turns
    };
    check(&mut |_, _| {}, 2_000..=2_000);
    // What has been looked up comes, or does not.
    let turns = check(&mut |worker, client| unsubscribe(worker, client, "#"), 100..=1_500);
    assert!(turns <= 2, "nothing is looked up any more: {turns} turns");
    check(&mut |worker, client| subscribe(worker, client, &[("#", IF_NEW | 1)]), 2_000..=2_000);
    // From the beginning.
    check(&mut |worker, client| subscribe(worker, client, &[("#", 0)]), 2_100..=3_000);
    let mut anew = |worker: &mut Worker, client: &mut Client| {
        unsubscribe(worker, client, "#");
        subscribe(worker, client, &[("#", 0)]);
    };
    check(&mut anew, 2_100..=3_000);
}

/// One client that matches much and takes nothing, and others of its worker.
#[test]
fn who_subscribes_to_little_waits_for_nobody_and_who_does_not_read_keeps_nobody_waiting() {
    let (core, mut worker) = worker();
    (0..2_000).for_each(|number| publish(&mut worker, &format!("many/{number}"), "x", true));
    publish(&mut worker, "one", "x", true);
    let (mut first, mut second, mut third) = (open(&core, "1", 1), open(&core, "2", 2), open(&core, "3", 3));
    subscribe(&mut worker, &mut first, &[("#", 0)]);
    // It is found, as where publishers are yet to be asked about.
    worker.begin_owed(&mut first);
    subscribe(&mut worker, &mut second, &[("one", 0)]);
    send_owed(&mut worker, &mut second);
    assert_eq!(received(&core, &second), ["one x r"]);
    subscribe(&mut worker, &mut third, &[("#", 0)]);
    let woken = Arc::<Woken>::default();
    let waker = Arc::clone(&woken).into();
    for _ in 0..1_000 {
        assert!(worker.poll_owed(&mut third, &mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(worker.found_room.waiting(), 1);
    let is_woken = || woken.0.load(Ordering::Relaxed);
    assert!(!is_woken());
    first.owed.as_mut().expect("is owed").pause();
    assert!(is_woken());
    send_owed(&mut worker, &mut third);
    assert_eq!(received(&core, &third).len(), 2_001);
    send_owed(&mut worker, &mut first);
    assert_eq!(received(&core, &first).len(), 2_001);
}

/// `[MQTT-4.6.0-6]`: while others publish to it, a topic's messages come in their order.
#[test]
fn no_retained_message_comes_behind_a_newer_one() {
    const ROUNDS: usize = 200;
    let (core, mut worker) = worker();
    (0..500).for_each(|number| publish(&mut worker, &format!("many/{number}"), "x", true));
    let (mut client, rounds) = (open(&core, "c", 1), AtomicUsize::new(0));
    let numbers = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut publisher, mut number) = (another(&core), 0);
            while rounds.load(Ordering::Relaxed) < ROUNDS {
                number += 1;
                publish(&mut publisher, "a", &number.to_string(), true);
            }
        });
        let mut numbers = Vec::new();
        while rounds.fetch_add(1, Ordering::Relaxed) < ROUNDS {
            subscribe(&mut worker, &mut client, &[("#", 0)]);
            send_owed(&mut worker, &mut client);
            let messages = received(&core, &client);
            let number = |message: &String| message.strip_prefix("a ")?.trim_end_matches(" r").parse::<u64>().ok();
            numbers.extend(messages.iter().filter_map(number));
        }
        numbers
    });
    assert!(numbers.is_sorted(), "{:?}", numbers.windows(2).find(|pair| pair[0] > pair[1]));
}

/// It finds the message before, and is none of those that were subscribed when the new one came.
#[test]
fn who_subscribes_while_a_retained_message_is_published_gets_it() {
    let (core, mut worker) = worker();
    publish(&mut worker, "a", "1", true);
    let subscriber = Rc::new(RefCell::new(None));
    let (its, subscribed) = (Arc::clone(&core), Rc::clone(&subscriber));
    BEFORE_STORE.set(Some(Box::new(move || {
        let (mut other, mut client) = (another(&its), open(&its, "c", 1));
        subscribe(&mut other, &mut client, &[("a", 0)]);
        send_owed(&mut other, &mut client);
        subscribed.replace(Some(client));
    })));
    publish(&mut worker, "a", "2", true);
    let client = subscriber.take().expect("has subscribed");
    assert_eq!(received(&core, &client), ["a 1 r", "a 2"]);
}

/// `[MQTT-3.8.4-3]`: the second subscription is the one that there is, the first is what asks for retained messages.
#[test]
fn a_filter_that_stands_twice_in_a_subscribe_gets_its_retained_messages_once() {
    for (first, second) in [(IF_NEW, IF_NEW | 1), (0, NEVER), (0, 1), (1, 0)] {
        let (core, mut worker) = worker();
        publish(&mut worker, "a", "x", true);
        let mut client = open(&core, "c", 1);
        subscribe(&mut worker, &mut client, &[("a", first), ("a", second)]);
        send_owed(&mut worker, &mut client);
        assert_eq!(received(&core, &client), ["a x r"], "{first:02x}, {second:02x}");
    }
}

/// Those that come after the SUBSCRIBE come to a subscriber.
#[test]
fn what_is_published_after_a_subscribe_comes_once_and_in_order() {
    let (core, mut worker) = worker();
    publish(&mut worker, "b", "1", true);
    let mut client = open(&core, "c", 1);
    subscribe(&mut worker, &mut client, &[("a", 0), ("b", 0)]);
    publish(&mut worker, "a", "2", true);
    publish(&mut worker, "a", "3", false);
    send_owed(&mut worker, &mut client);
    assert_eq!(received(&core, &client), ["a 2", "a 3", "b 1 r"]);
}
