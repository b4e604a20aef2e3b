//! Plugins that take long, and the clients that do not need them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use amqtt_tests::guests;
use rumqttc::LastWill;
use rumqttc::QoS::{AtLeastOnce, AtMostOnce};

use crate::broker::{Broker, Setup};
use crate::client::{Client, options};
use crate::protocol::{CONNACK, CONNECT, open, subscribe};

/// Messages of the client that needs slow checks: some four seconds of them.
const SLOW_MESSAGES: u16 = 200;

/// Round trips of a client beside it.
const ROUND_TRIPS: usize = 100;

/// How long an answer to slow checks may take where the machine has much else to do: their thread lets others go first.
const ANSWER_PATIENCE: Duration = Duration::from_secs(180);

fn start() -> Broker {
    let plugins =
        "plugins:\n  - auth_anonymous\n  - guest_slow_check: {deadline: 5 s}\n  - broker_sys\nsys-interval: 1\n";
    Setup::new(plugins).plugin_dir_with(guests::SLOW_CHECK).start()
}

/// As many connections as bring the next one to the same worker as the last one before them.
pub(crate) fn others(broker: &Broker) -> Vec<Client> {
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (1..workers).map(|number| Client::connect(broker, &format!("idle-{number}"))).collect()
}

pub(crate) fn connected(broker: &Broker) -> TcpStream {
    let mut stream = open(broker);
    stream.write_all(CONNECT).expect("is open");
    let mut connack = [0; CONNACK.len()];
    stream.read_exact(&mut connack).expect("is answered");
    assert_eq!(connack, CONNACK);
    stream
}

/// Counted in turns: each slow check would hold up the other client once, if it were made where that is served.
#[test]
fn a_slow_check_holds_up_only_who_needs_it() {
    let mut broker = start();
    let mut slow = connected(&broker);
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    for packet_id in 1..=SLOW_MESSAGES {
        let publish = [b"\x32\x12\0\x0eslow-publish/x".as_slice(), &packet_id.to_be_bytes()].concat();
        slow.write_all(&publish).expect("is open");
    }
    broker.wait_for_log("is slow: a topic-check took");
    for _ in 0..ROUND_TRIPS {
        quick.publish("quick/x", AtLeastOnce, false, "");
    }
    slow.set_nonblocking(true).expect("can set");
    let mut acknowledged = vec![0; 4 * usize::from(SLOW_MESSAGES)];
    let acknowledged = slow.read(&mut acknowledged).map_or(0, |bytes| bytes / 4);
    assert!(acknowledged < ROUND_TRIPS / 2, "{acknowledged} slow checks in {ROUND_TRIPS} round trips");

    // None of them is lost: the rest is answered in order.
    slow.set_nonblocking(false).expect("can set");
    let mut rest = vec![0; 4 * (usize::from(SLOW_MESSAGES) - acknowledged)];
    slow.read_exact(&mut rest).expect("is answered");
    assert_eq!(rest[rest.len() - 4..], [0x40, 2, 0, SLOW_MESSAGES as u8]);
    assert!(broker.is_running());
}

/// How often a client asks and is answered until the other stream has something to read.
pub(crate) fn round_trips_until(stream: &TcpStream, quick: &mut Client) -> usize {
    stream.set_nonblocking(true).expect("can set");
    let (mut round_trips, ends) = (0, Instant::now() + ANSWER_PATIENCE);
    while stream.peek(&mut [0]).is_err() {
        quick.publish("quick/x", AtLeastOnce, false, "");
        round_trips += 1;
        assert!(Instant::now() < ends, "nothing comes in {ANSWER_PATIENCE:?}");
    }
    stream.set_nonblocking(false).expect("can set");
    round_trips
}

/// The filters of one SUBSCRIBE are asked about together, and all of them again when permissions have changed: some two
/// seconds each, in which the client waits and nobody else does.
#[test]
fn a_slow_check_of_subscriptions_holds_up_only_whose_they_are() {
    const FILTERS: usize = 100;
    let mut broker = start();
    let mut slow = connected(&broker);
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    // That the plugin is slow the broker learns by these.
    slow.write_all(&subscribe((0..FILTERS).map(|number| format!("slow-subscribe/{number:03}")))).expect("is open");
    let round_trips = round_trips_until(&slow, &mut quick);
    assert_eq!(read_suback(&mut slow, FILTERS), vec![0; FILTERS], "all are granted");
    assert!(round_trips > 50, "{round_trips} round trips meanwhile");
    // A message that waits until the session has been judged anew.
    broker.signal("HUP");
    broker.wait_for_log("the configuration was taken anew");
    quick.publish("slow-subscribe/000", AtLeastOnce, false, "after");
    let round_trips = round_trips_until(&slow, &mut quick);
    let mut publish = [0; 2 + 2 + 18 + 5];
    slow.read_exact(&mut publish).expect("comes");
    assert!(publish.ends_with(b"slow-subscribe/000after"));
    assert!(round_trips > 50, "{round_trips} round trips meanwhile");
    assert!(broker.is_running());
}

/// Reads the answer to a SUBSCRIBE with so many filters, of which there are fewer than 126: what it says of each.
fn read_suback(stream: &mut TcpStream, filters: usize) -> Vec<u8> {
    let mut suback = vec![0; 4 + filters];
    stream.read_exact(&mut suback).expect("is answered");
    assert_eq!(suback[..2], [0x90, filters as u8 + 2]);
    suback.split_off(4)
}

/// What those said that a reload has put others in the place of holds no more, also for who has waited for it.
#[test]
fn who_waits_while_permissions_change_is_answered_by_the_new_ones() {
    const FILTERS: usize = 50;
    let plugins = "plugins:\n  - auth_anonymous\n  - topic_acl\n  - guest_slow_check: {deadline: 5 s}\n";
    let with = |rules: &str| format!("{plugins}topic-check: {rules}\n");
    let asked = with("{plugins: [guest_slow_check]}");
    let mut broker = Setup::new(&asked).plugin_dir_with(guests::SLOW_CHECK).start();
    let mut slow = connected(&broker);
    slow.write_all(&subscribe((0..FILTERS).map(|number| format!("slow-subscribe/{number:03}")))).expect("is open");
    broker.wait_for_log("is slow: a topic-check took");
    let config = broker.config();
    let others = config.replace("{plugins: [guest_slow_check]}", "{plugins: [topic_acl], acl: {somebody: [else]}}");
    assert_ne!(config, others);
    broker.rewrite("broker.yaml", others);
    broker.signal("HUP");
    assert_eq!(read_suback(&mut slow, FILTERS), vec![0x80; FILTERS], "none is granted");
    broker.wait_for_log("the configuration was taken anew");
    assert!(broker.is_running());
}

/// Whether a retained message may still be published by its publisher is found out for each, some 20 ms.
#[test]
fn a_slow_check_of_retained_messages_holds_up_only_who_is_to_have_them() {
    const MESSAGES: usize = 50;
    let mut broker = start();
    let mut publisher = Client::connect(&broker, "publisher");
    for number in 0..MESSAGES {
        publisher.publish(&format!("slow-publish/{number:03}"), AtLeastOnce, true, "kept");
    }
    // What is known of them is forgotten.
    broker.signal("HUP");
    broker.wait_for_log("the configuration was taken anew");
    let mut slow = connected(&broker);
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    slow.write_all(&subscribe(["slow-publish/+".to_owned()])).expect("is open");
    assert_eq!(read_suback(&mut slow, 1), [0]);
    let round_trips = round_trips_until(&slow, &mut quick);
    const PUBLISH_BYTES: usize = 2 + 2 + 16 + 4;
    let mut messages = vec![0; MESSAGES * PUBLISH_BYTES];
    slow.read_exact(&mut messages).expect("all of them come");
    assert!(messages.chunks(PUBLISH_BYTES).all(|message| message.ends_with(b"kept")));
    assert!(round_trips > 50, "{round_trips} round trips meanwhile");
    assert!(broker.is_running());
}

/// Reading so many rules takes longer than a check may take: it is no reason to refuse anybody.
#[test]
fn a_large_file_of_rules_ends_no_subscription_when_it_changes() {
    let rules = |more: &str| {
        let users = (0..30_000).map(|number| format!("user user-{number}\ntopic read private/{number}/#\n"));
        format!("topic readwrite a/#\n{more}{}", users.collect::<String>())
    };
    let config = "plugins: [auth_anonymous, topic_acl]\ntopic-check: {acl-file: rules}\n";
    let mut broker = Setup::new(config).file("rules", rules("")).start();
    let mut clients: Vec<_> = (0..4).map(|number| Client::connect(&broker, &format!("client-{number}"))).collect();
    for client in &mut clients {
        client.subscribe("a/b", AtMostOnce);
    }
    broker.rewrite("rules", rules("topic read b/#\n"));
    broker.wait_for_log("`acl-file` has changed and is in force: 30002 rules");
    clients[0].publish("a/b", AtLeastOnce, false, "still");
    for client in &mut clients {
        assert_eq!(client.receive_words(), "a/b still");
    }
    let log = broker.log_so_far();
    assert!(!log.contains("timed out") && !log.contains("permissions have changed"), "{log}");
}

/// Nobody waits for what plugins say of a will.
#[test]
fn a_slow_check_of_wills_holds_up_nobody() {
    const WILLS: usize = 50;
    let broker = start();
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("slow-publish/#", AtMostOnce);
    let with_will = |number: usize| {
        let mut options = options(&broker, &format!("will-{number}"));
        options.set_last_will(LastWill::new("slow-publish/will", number.to_string(), AtLeastOnce, false));
        Client::connect_with(options).expect("accepted")
    };
    let gone: Vec<Client> = (0..WILLS).map(with_will).collect();
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    let mut round_trips = 0;
    let mut wills = std::collections::HashSet::new();
    std::thread::scope(|scope| {
        // Meanwhile: to let go of a client takes a moment, and its will is due at once.
        scope.spawn(|| gone.into_iter().for_each(Client::vanish));
        while wills.len() < WILLS {
            quick.publish("quick/x", AtLeastOnce, false, "");
            round_trips += 1;
            assert!(round_trips < 100_000, "{} wills", wills.len());
            wills.extend(watcher.received_so_far().into_iter().map(|publish| publish.payload));
        }
    });
    assert!(round_trips > WILLS, "{round_trips} round trips meanwhile");
}

/// Publishes until the worker knows that the plugin is slow, to a client that is subscribed to all of that.
fn make_slow(broker: &mut Broker, publisher: &mut Client, receiver: &mut Client) {
    for number in 0..4 {
        publisher.publish("slow-receive/first", AtLeastOnce, false, number.to_string());
        receiver.receive();
    }
    broker.wait_for_log("is slow: a topic-check took");
}

/// The publisher has its acknowledgement before the plugin is asked, others are not held up, and what a receiver waits for
/// comes in order, with what needs no answer in its place.
#[test]
fn a_slow_check_of_a_receiver_holds_up_only_that() {
    const MESSAGES: usize = 100;
    let mut broker = start();
    let mut receiver = Client::connect(&broker, "receiver");
    let mut publisher = Client::connect(&broker, "publisher");
    // Each a question of its own, by the length.
    let payloads: Vec<_> = (0..MESSAGES).map(|number| "x".repeat(number)).collect();
    let mut publish = |number: usize| {
        let topic = if number % 5 == 4 { "quick".to_owned() } else { format!("slow-receive/{}", number % 3) };
        publisher.publish(&topic, AtLeastOnce, false, payloads[number].as_str());
    };
    // What the publisher may is known from here on: it would have to wait for that as well.
    (0..5).for_each(&mut publish);
    receiver.subscribe("slow-receive/#", AtLeastOnce);
    receiver.subscribe("quick", AtLeastOnce);
    let mut other = Client::connect(&broker, "other");
    make_slow(&mut broker, &mut other, &mut receiver);
    let began = Instant::now();
    (0..MESSAGES).for_each(&mut publish);
    let (took, mut received) = (began.elapsed(), receiver.received_so_far());
    let delivered = received.len();
    assert!(delivered < MESSAGES / 2, "{delivered} were delivered before the last was acknowledged, after {took:?}");
    received.extend((received.len()..MESSAGES).map(|_| receiver.receive()));
    assert_eq!(received.into_iter().map(|publish| publish.payload).collect::<Vec<_>>(), payloads);
}

/// What comes for a client that is away is asked about when it is back.
#[test]
fn what_waits_for_a_slow_check_is_not_lost_while_its_receiver_is_away() {
    const MESSAGES: usize = 20;
    let mut broker = start();
    // It acknowledges nothing.
    let mut away = open(&broker);
    away.write_all(b"\x10\x10\0\x04MQTT\x04\0\0\x3c\0\x04away").expect("is open");
    away.write_all(b"\x82\x18\0\x01\0\x13slow-receive/away/#\x01").expect("is open");
    away.read_exact(&mut [0; 4 + 5]).expect("is answered");
    let mut publisher = Client::connect(&broker, "publisher");
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("slow-receive/first", AtMostOnce);
    make_slow(&mut broker, &mut publisher, &mut watcher);
    // Some wait when the connection breaks, others come after that.
    for number in 0..MESSAGES / 2 {
        publisher.publish(&format!("slow-receive/away/{number}"), AtLeastOnce, false, number.to_string());
    }
    drop(away);
    for number in MESSAGES / 2..MESSAGES {
        publisher.publish(&format!("slow-receive/away/{number}"), AtLeastOnce, false, number.to_string());
    }
    let mut options = options(&broker, "away");
    options.set_clean_session(false);
    let mut back = Client::connect_with(options).expect("accepted");
    assert!(back.session_present);
    for number in 0..MESSAGES {
        assert_eq!(back.receive().payload, number.to_string());
    }
}

/// A receiver who may not have a message does not get it, the ones after it come all the same, and of a shared
/// subscription another member gets what one may not have.
#[test]
fn a_slow_check_that_denies_is_heeded() {
    const MESSAGES: usize = 10;
    let mut broker = start();
    let mut publisher = Client::connect(&broker, "publisher");
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("slow-receive/first", AtLeastOnce);
    make_slow(&mut broker, &mut publisher, &mut watcher);
    let mut refused = Client::connect(&broker, "refused");
    refused.subscribe("slow-receive/single", AtLeastOnce);
    refused.subscribe("after", AtLeastOnce);
    refused.subscribe("$share/group/slow-receive/shared", AtLeastOnce);
    let mut member = Client::connect(&broker, "member");
    member.subscribe("$share/group/slow-receive/shared", AtLeastOnce);
    for number in 0..MESSAGES {
        publisher.publish("slow-receive/single", AtLeastOnce, false, number.to_string());
        publisher.publish("slow-receive/shared", AtLeastOnce, false, number.to_string());
    }
    publisher.publish("after", AtLeastOnce, false, "after");
    assert_eq!(refused.receive().topic, "after");
    let mut shared: Vec<_> = (0..MESSAGES).map(|_| member.receive().payload).collect();
    shared.sort();
    assert_eq!(shared, (0..MESSAGES).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(refused.received_so_far().is_empty() && member.received_so_far().is_empty());
}

/// A subscription is granted before plugins have said of each retained message whether its receiver may have it.
#[test]
fn a_slow_check_of_retained_messages_holds_up_only_their_receiver() {
    const MESSAGES: usize = 50;
    const RETAINED: &[u8] = b"\x31\x12\0\x0fslow-receive/00x";
    let mut broker = start();
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("slow-receive/first", AtLeastOnce);
    let _idle = others(&broker);
    // Like the watcher of the first worker, which learns that the plugin is slow.
    let mut publisher = Client::connect(&broker, "publisher");
    make_slow(&mut broker, &mut publisher, &mut watcher);
    for number in 0..MESSAGES {
        publisher.publish(&format!("slow-receive/{number:02}"), AtLeastOnce, true, "x");
    }
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    let _idle = others(&broker);
    let mut receiver = connected(&broker);
    receiver.write_all(b"\x82\x13\0\x01\0\x0eslow-receive/#\0").expect("is open");
    receiver.set_nonblocking(true).expect("can set");
    let (mut come, mut round_trips) = (Vec::new(), 0);
    while come.len() < 5 + MESSAGES * RETAINED.len() {
        quick.publish("quick/x", AtLeastOnce, false, "");
        round_trips += 1;
        assert!(round_trips < 100_000, "{} bytes have come", come.len());
        // Ends with what says that there is no more now.
        drop(receiver.read_to_end(&mut come));
    }
    assert_eq!(come[..5], [0x90, 3, 0, 1, 0]);
    assert!(come[5..].chunks(RETAINED.len()).all(|message| message[..2] == RETAINED[..2]), "{come:x?}");
    assert!(round_trips > MESSAGES, "{round_trips} round trips meanwhile");
}

/// A field of proc_pid_stat(5), by its number there, of the broker's threads of that name.
#[cfg(target_os = "linux")]
fn stats(broker: &Broker, name: &str, field: usize) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", broker.pid())).expect("is running");
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    let field = |stat: String| {
        let (head, fields) = stat.rsplit_once(") ")?;
        head.ends_with(&format!("({name}")).then(|| fields.split(' ').nth(field - 3)?.parse().ok()).flatten()
    };
    stats.filter_map(field).collect()
}

/// Whoever stops a broker does not wait as long as a plugin may take.
#[test]
#[cfg(target_os = "linux")]
fn a_question_without_an_end_does_not_keep_the_broker_from_ending() {
    const SLOW: &[u8] = b"\x32\x12\0\x0eslow-publish/x\0\x01";
    /// Ticks of a hundredth of a second (the 14th field) that the thread takes for no other question.
    const ENDLESS_TICKS: u32 = 50;
    let plugins = "plugins:\n  - auth_anonymous\n  - guest_slow_check: {deadline: 60 s}\n";
    let mut broker = Setup::new(plugins).plugin_dir_with(guests::SLOW_CHECK).start();
    let mut slow = connected(&broker);
    slow.write_all(&SLOW.repeat(4)).expect("is open");
    slow.read_exact(&mut [0; 4 * 4]).expect("is answered");
    broker.wait_for_log("is slow: a topic-check took");
    slow.write_all(b"\x30\x0b\0\x09endless/x").expect("is open");
    let ends = Instant::now() + ANSWER_PATIENCE;
    // On a busy machine the helper has taken over.
    while !["amqtt-aside", "amqtt-helper"].iter().any(|of| stats(&broker, of, 14).iter().any(|it| *it >= ENDLESS_TICKS))
    {
        assert!(Instant::now() < ends, "it is asked");
        std::thread::sleep(Duration::from_millis(10));
    }
    broker.signal("TERM");
    assert!(broker.wait().success());
    broker.wait_for_log("not all plugins ended within 8 s: one is in a call");
}

/// A tick may take seconds where files are granted, and others wait for it.
#[test]
fn a_plugin_whose_tick_runs_out_of_time_is_in_nobodys_way_from_then_on() {
    let plugins =
        "plugins:\n  - auth_anonymous\n  - guest_misbehaves: {hook: ticks, does: spin, grants: {publish: ['bad/#']}}\n";
    let mut broker = Setup::new(plugins).plugin_dir_with(guests::MISBEHAVES).start();
    broker.wait_for_log("guest_misbehaves\" 0.1.0 takes much time for its events or ticks");
    assert_eq!(broker.log_so_far().matches("timed out after 100ms in ticks").count(), 1);
}

/// It is told of everything in order, on a thread that leaves the core to whoever wants it.
#[test]
fn a_plugin_that_takes_long_for_events_is_told_where_it_is_in_nobodys_way() {
    const CLIENTS: usize = 40;
    let plugins = "plugins:\n  - auth_anonymous\n  - guest_events: {grants: {publish: ['test/events/#']}}\n";
    let mut broker = Setup::new(plugins).plugin_dir_with(guests::EVENTS).start();
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("test/events/#", AtMostOnce);
    let told_of = |broker: &Broker, watcher: &mut Client, round: usize| {
        let mut wanted = Vec::new();
        for number in 0..CLIENTS {
            let client_id = format!("slow-{round}-{number}");
            wanted.push(format!("test/events/connected {client_id}"));
            wanted.push(format!("test/events/disconnected {client_id}"));
            Client::connect(broker, &client_id).disconnect();
        }
        let mut told = Vec::new();
        while told.len() < wanted.len() {
            let event = watcher.receive_words();
            if event.contains("slow-") {
                told.push(event);
            }
        }
        assert_eq!(told, wanted);
    };
    told_of(&broker, &mut watcher, 1);
    broker.wait_for_log("guest_events\" 0.1.0 takes much time for its events or ticks");
    #[cfg(target_os = "linux")]
    assert_eq!(stats(&broker, "events-guest_ev", 41), [5], "SCHED_IDLE (sched(7))");
    // Loaded anew, it is told like any other, until it takes long again.
    broker.forget_log();
    broker.signal("HUP");
    broker.wait_for_log("the configuration was taken anew");
    told_of(&broker, &mut watcher, 2);
    broker.wait_for_log("takes much time for its events or ticks");
    assert!(broker.is_running());
}
