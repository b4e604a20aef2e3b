use std::io::{Read, Write};
use std::time::{Duration, Instant};

use amqtt_tests::guests;
use rumqttc::QoS::{AtLeastOnce, AtMostOnce};
use rumqttc::{ConnectReturnCode, LastWill, SubscribeReasonCode};

use crate::bounds::wait_for_counter;
use crate::broker::{Broker, Setup};
use crate::client::{Client, options};
use crate::protocol::open;

/// User `test`, password `test`: the line that amqtt's documentation shows.
const PASSWORDS: &str = "# users\n\ntest:$6$l4zQEHEcowc1Pnv4$HHrh8xnsZoLItQ8BmpFHM4r6q5UqK3DnXp2GaTm5zp5buQ7NheY3Xt9f6godVKbEtA.hOC7IEDwnok3pbAOip.\n";

/// The same with 20 times the rounds: some 40 ms of each login.
const EXPENSIVE_PASSWORDS: &str = "test:$6$rounds=100000$/DW2eUojJmuIG7zI$Ygz5EKK0p4.ZirhhwMtq2wY4dhPA.BRAvFb5R//wlThydRWqpGGcCrK03VxVkkOy7A01W1Ok.nXR.1OkvAHKE.\n";

fn connect_as(broker: &Broker, client_id: &str, username: &str, password: &str) -> Result<Client, ConnectReturnCode> {
    let mut options = options(broker, client_id);
    options.set_credentials(username, password);
    Client::connect_with(options)
}

fn with_password_file(rest: &str) -> Broker {
    Setup::new(&format!("auth:\n  password-file: passwords\n{rest}")).file("passwords", PASSWORDS).start()
}

/// `[MQTT-3.2.2-4]` and table 3.1: 4 for wrong credentials, 5 for none.
#[test]
fn a_password_file_decides_who_connects() {
    let broker = with_password_file("plugins:\n  - auth_file\n");
    let mut client = connect_as(&broker, "client", "test", "test").expect("the password is right");
    assert!(client.receive_all().is_empty());
    let refused = |username, password| connect_as(&broker, "client", username, password).map(drop);
    assert_eq!(refused("test", "wrong"), Err(ConnectReturnCode::BadUserNamePassword));
    assert_eq!(refused("test", ""), Err(ConnectReturnCode::BadUserNamePassword));
    assert_eq!(refused("nobody", "test"), Err(ConnectReturnCode::BadUserNamePassword));
    let anonymous = Client::connect_with(options(&broker, "client")).map(drop);
    assert_eq!(anonymous, Err(ConnectReturnCode::NotAuthorized));
    // None of them touched the session of the client whose identifier they named.
    assert!(client.receive_all().is_empty());
}

/// The time of a CONNECT is for whoever sends it, and a plugin's deadline for a plugin: after a restart of a broker, hundreds
/// of clients wait for one core that hashes their passwords.
#[test]
fn waiting_for_the_hashes_of_others_is_not_held_against_a_login() {
    const LOGINS: u8 = 50;
    let config = "auth:\n  password-file: passwords\nplugins:\n  - auth_file: {instances: 1, deadline: 1 s}\n  - \
                  guest_exchange: {instances: 1}\nlimits: {connect-timeout-secs: 1}\n";
    let setup = Setup::new(config).file("passwords", EXPENSIVE_PASSWORDS).plugin_dir_with(guests::EXCHANGE);
    let broker = setup.start();
    let began = Instant::now();
    let mut clients: Vec<_> = (0..LOGINS).map(|_| open(&broker)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let client_id = format!("{number:03}");
        let connect = [b"\x10\x1b\0\x04MQTT\x04\xc2\0\0\0\x03", client_id.as_bytes(), b"\0\x04test\0\x04test"];
        client.write_all(&connect.concat()).expect("is open");
    }
    // One that proves who it is in an exchange of MQTT 5.0 waits behind them.
    let mut last = open(&broker);
    let connect = b"\x10\x1f\0\x04MQTT\x05\x02\0\0\x11\x15\0\x05STEPS\x16\0\x06is:bob\0\x01x";
    last.write_all(connect).expect("is open");
    for client in clients.iter_mut().chain([&mut last]) {
        let mut connack = [0; 4];
        client.read_exact(&mut connack).expect("an answer");
        assert_eq!((connack[0], connack[3]), (0x20, 0), "{connack:02x?}");
    }
    assert!(began.elapsed() > Duration::from_secs(1), "nobody had to wait for as long as a limit");
}

/// Names of any length come from whoever can connect.
#[test]
fn the_log_has_who_was_refused_and_no_more_of_it_than_a_line_holds() {
    let mut broker = with_password_file("plugins:\n  - auth_file\n");
    assert!(connect_as(&broker, "client", &"long".repeat(10_000), "test").is_err());
    broker.wait_for_log(&format!("user name \"{}\" or its password denied", "long".repeat(25)));
}

/// A password hash is not for those who have sent a CONNECT and left, however many they are.
#[test]
fn who_has_gone_is_not_asked_about() {
    let mut broker = with_password_file("plugins:\n  - auth_file: {instances: 1}\n");
    let wrong = b"\x10\x19\0\x04MQTT\x04\xc2\0\0\0\x01x\0\x04test\0\x04evil";
    // Some send more than is read before they are let in.
    let much = [&wrong[..], &[0xc0, 0].repeat(50_000)].concat();
    for number in 0..3_000 {
        // The broker may have had enough before all is sent.
        drop(open(&broker).write_all(if number % 2 == 0 { wrong } else { &much }));
    }
    connect_as(&broker, "client", "test", "test").expect("no others wait");
    broker.wait_for_log("it closed the connection without DISCONNECT");
}

/// What a client sends while it is asked about it is kept, and is dealt with when it is let in.
#[test]
fn what_follows_a_connect_may_come_before_its_answer() {
    let broker = with_password_file("plugins:\n  - auth_file\n");
    let connect = b"\x10\x19\0\x04MQTT\x04\xc2\0\0\0\x01x\0\x04test\0\x04test";
    let subscribe = b"\x82\x06\0\x01\0\x01a\0";
    // More than is read before the answer.
    let publish = [&b"\x30\x83\x80\x04\0\x01a"[..], &[b'x'; 65_536]].concat();
    let mut peer = open(&broker);
    peer.write_all(connect).expect("is open");
    peer.write_all(&[&subscribe[..], &publish, &publish].concat()).expect("is open");
    let mut answer = vec![0; 4 + 5 + 2 * publish.len()];
    peer.read_exact(&mut answer).expect("is answered");
    assert_eq!(answer[..9], *b"\x20\x02\0\0\x90\x03\0\x01\0");
    assert!(answer[9..] == [&publish[..], &publish].concat());
}

/// A device that sleeps most of the time says all that it has to say at once, and does not wait for an answer.
#[test]
fn what_follows_a_connect_counts_although_its_client_has_gone() {
    let broker = with_password_file("plugins:\n  - auth_file\n");
    let mut watcher = connect_as(&broker, "watcher", "test", "test").expect("the password is right");
    watcher.subscribe("a", AtMostOnce);
    let connect = b"\x10\x19\0\x04MQTT\x04\xc2\0\0\0\x01x\0\x04test\0\x04test";
    for number in 0..10 {
        let publish = format!("\x30\x04\0\x01a{number}");
        let all = [&connect[..], publish.as_bytes(), b"\xe0\0"].concat();
        open(&broker).write_all(&all).expect("is open");
        assert_eq!(watcher.receive_words(), format!("a {number}"));
    }
}

#[test]
fn anonymous_clients_may_be_let_in_beside_those_with_a_password() {
    let broker = with_password_file("  allow-anonymous: true\nplugins:\n  - auth_file\n  - auth_anonymous\n");
    assert!(Client::connect_with(options(&broker, "nameless")).is_ok());
    assert!(connect_as(&broker, "named", "test", "test").is_ok());
    let refused = connect_as(&broker, "liar", "test", "wrong").map(drop);
    assert_eq!(refused, Err(ConnectReturnCode::BadUserNamePassword));
}

#[test]
fn without_an_auth_plugin_nobody_connects() {
    let broker = Broker::start("plugins:\n  - broker_sys\n");
    assert!(Client::connect_with(options(&broker, "client")).is_err());
    assert!(connect_as(&broker, "client", "test", "test").is_err());
}

/// A persistent session belongs to the identity that made it.
#[test]
fn a_session_is_not_handed_to_another_user() {
    let broker = Broker::start("plugins:\n  - auth_anonymous\n");
    let connect = |username: &str| {
        let mut options = options(&broker, "shared-id");
        options.set_clean_session(false).set_credentials(username, "any");
        Client::connect_with(options).expect("accepted")
    };
    let mut alice = connect("alice");
    alice.subscribe("secret", AtLeastOnce);
    alice.disconnect();
    Client::connect(&broker, "publisher").publish("secret", AtLeastOnce, false, "for alice");
    let mut mallory = connect("mallory");
    assert!(!mallory.session_present);
    assert!(mallory.receive_all().is_empty());
}

const ACL: &str = "plugins:\n  - auth_anonymous\n  - topic_acl\n\
topic-check:\n  enabled: true\n  acl:\n    alice: ['repositories/+/master', 'calendar/#', 'will/#', 'fence/#']\n    anonymous: []\n";

/// A publish that is refused is acknowledged and dropped, a subscription that is refused gets 0x80.
#[test]
fn topic_acl_decides_who_publishes_and_subscribes() {
    let broker = Broker::start(ACL);
    let mut alice = connect_as(&broker, "alice", "alice", "").expect("accepted");
    let granted = SubscribeReasonCode::Success(AtLeastOnce);
    for filter in ["repositories/+/master", "repositories/x/master", "calendar/#", "calendar/+", "calendar"] {
        assert_eq!(alice.subscribe(filter, AtLeastOnce), granted, "{filter}");
    }
    for filter in ["#", "+/+/master", "repositories/#", "repositories/x/dev", "$SYS/#", "calendars"] {
        assert_eq!(alice.subscribe(filter, AtLeastOnce), SubscribeReasonCode::Failure, "{filter}");
    }
    alice.publish("calendar/today", AtLeastOnce, false, "allowed");
    alice.publish("elsewhere", AtLeastOnce, true, "denied");
    alice.publish("repositories/x/master", AtMostOnce, false, "allowed");
    alice.publish("repositories/x/y/master", AtMostOnce, false, "denied");
    assert_eq!(alice.receive_all(), ["calendar/today allowed", "repositories/x/master allowed"]);
    // No user gains anything by a name that looks like a pattern or like the entry for the nameless.
    for username in ["+", "#", "anonymous", "bob", "alice/"] {
        let mut other = connect_as(&broker, "other", username, "").expect("accepted");
        assert_eq!(other.subscribe("calendar/#", AtLeastOnce), SubscribeReasonCode::Failure, "{username}");
        other.publish("calendar/today", AtLeastOnce, false, username);
    }
    assert!(alice.receive_all().is_empty());
}

/// It is judged when it is announced; the next test has the other time.
#[test]
fn a_will_does_not_pass_the_acl_by() {
    let broker = Broker::start(ACL);
    let with_will = |topic: &str| {
        let mut options = options(&broker, "client");
        options.set_credentials("alice", "").set_last_will(LastWill::new(topic, "gone", AtLeastOnce, false));
        Client::connect_with(options).map(Client::vanish)
    };
    let mut alice = connect_as(&broker, "alice", "alice", "").expect("accepted");
    alice.subscribe("will/#", AtLeastOnce);
    assert_eq!(with_will("elsewhere"), Err(ConnectReturnCode::NotAuthorized));
    assert_eq!(with_will("will/me"), Ok(()));
    assert_eq!(alice.receive_words(), "will/me gone");
}

/// A plugin that says that its answer holds for a topic filter is asked a few times, however many topics there are: when
/// they are published, and when their retained messages are fetched. This one denies what it is asked beyond that.
#[test]
fn an_answer_may_hold_for_all_topics_of_a_filter() {
    const TOPICS: usize = 40;
    let config = "plugins: [auth_anonymous, guest_allow_once]\ntopic-check: {plugins: [guest_allow_once]}\n";
    let broker = Setup::new(config).plugin_dir_with(guests::ALLOW_ONCE).start();
    let mut publisher = Client::connect(&broker, "publisher");
    for topic in 0..TOPICS {
        publisher.publish(&format!("wide/{topic}"), AtLeastOnce, true, "kept");
    }
    let mut subscriber = Client::connect(&broker, "subscriber");
    subscriber.subscribe("wide/#", AtLeastOnce);
    let mut topics: Vec<_> = (0..TOPICS).map(|_| subscriber.receive().topic).collect();
    topics.sort();
    topics.dedup();
    assert_eq!(topics.len(), TOPICS);
}

/// The plugin allows it at the CONNECT and not a second time.
#[test]
fn a_will_is_judged_again_when_it_is_sent() {
    let config = "sys_interval: 1\nplugins: [auth_anonymous, guest_allow_once, broker_sys]\n\
                  topic-check: {plugins: [guest_allow_once]}\n";
    let broker = Setup::new(config).plugin_dir_with(guests::ALLOW_ONCE).start();
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("#", AtMostOnce);
    for topic in ["once/will", "will"] {
        let mut options = options(&broker, topic);
        options.set_last_will(LastWill::new(topic, "gone", AtLeastOnce, false));
        Client::connect_with(options).expect("allowed when it is announced").vanish();
    }
    assert_eq!(watcher.receive_words(), "will gone");
    wait_for_counter(&broker, "counters/publish-denied", 1);
    assert!(watcher.receive_all().is_empty());
}
