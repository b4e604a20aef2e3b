use rumqttc::LastWill;
use rumqttc::QoS::{AtLeastOnce, AtMostOnce};

use super::connect_as;
use crate::broker::{Broker, Setup};
use crate::client::{Client, options};

const CONFIG: &str = "plugins: [auth_anonymous, event_logger_plugin]\nlimits:\n  session-expiry-secs: 1\n  \
                      queue-messages-max: 1\n";

/// Does something of everything, for which there are events.
fn do_everything(broker: &Broker) {
    let mut lost = {
        let mut options = options(broker, "lost");
        options.set_clean_session(false);
        Client::connect_with(options).expect("accepted")
    };
    lost.subscribe("a/#", AtLeastOnce);
    lost.disconnect();
    let mut alice = connect_as(broker, "alice", "").expect("accepted");
    alice.subscribe("a/+", AtLeastOnce);
    // The second does not fit the queue of the one who is away.
    alice.publish("a/b", AtLeastOnce, true, "first");
    alice.publish("a/c", AtLeastOnce, false, "second");
    alice.unsubscribe("a/+");
    let mut options = options(broker, "dying");
    options.set_last_will(LastWill::new("a/will", "gone", AtMostOnce, false));
    Client::connect_with(options).expect("accepted").vanish();
    alice.disconnect();
}

#[test]
fn connections_are_logged_and_the_rest_only_where_debug_messages_are() {
    let mut broker = Broker::start(CONFIG);
    do_everything(&broker);
    let line = broker.wait_for_log("client-connected: client \"alice\", user \"alice\"");
    assert!(line.contains("INFO"), "{line}");
    broker.wait_for_log("client-disconnected: client \"alice\", user \"alice\": it sent DISCONNECT");
    broker.signal("TERM");
    assert!(broker.wait().success());
    let rest = broker.rest_of_log();
    for kind in ["broker-", "client-subscribed", "message-", "retained-", "will-", "session-expired", "packet-"] {
        assert!(!rest.contains(kind), "{kind} in {rest}");
    }
}

#[test]
fn every_kind_of_event_is_logged_as_a_debug_message() {
    let mut broker = Setup::new(CONFIG).debug().start();
    do_everything(&broker);
    let check = |broker: &mut Broker, expected: &str, level: &str| {
        let line = broker.wait_for_log(expected);
        assert!(line.contains(level), "{line}");
    };
    for (expected, level) in [
        ("broker-pre-start", "DEBUG"),
        ("broker-post-start", "DEBUG"),
        ("client-connected: client \"alice\", user \"alice\"", "INFO"),
        ("client-subscribed: client \"alice\", user \"alice\", filter \"a/+\", QoS 1", "DEBUG"),
        ("message-received: client \"alice\", user \"alice\", topic \"a/b\", QoS 1, to be retained, 5 bytes", "DEBUG"),
        ("retained-message: client \"alice\", user \"alice\", topic \"a/b\", QoS 1, to be retained, 5 bytes", "DEBUG"),
        ("message-broadcast: client \"lost\", topic \"a/b\", QoS 1", "DEBUG"),
        ("message-broadcast: client \"alice\", user \"alice\", topic \"a/b\", QoS 1", "DEBUG"),
        ("message-dropped: client \"lost\", topic \"a/c\", QoS 1, 6 bytes: the queue of the client is full", "DEBUG"),
        ("client-unsubscribed: client \"alice\", user \"alice\", filter \"a/+\"", "DEBUG"),
        ("will-sent: client \"dying\", topic \"a/will\", QoS 0, 4 bytes", "DEBUG"),
        ("client-disconnected: client \"dying\": it closed the connection without DISCONNECT", "INFO"),
        ("session-expired: client \"lost\"", "DEBUG"),
    ] {
        check(&mut broker, expected, level);
    }
    broker.signal("TERM");
    for expected in ["broker-pre-shutdown", "broker-post-shutdown"] {
        check(&mut broker, expected, "DEBUG");
    }
    assert!(broker.wait().success());
}

/// What it asks for follows from the level, which it finds when it is loaded.
#[test]
fn debug_messages_come_from_the_reload_on_that_asks_for_them() {
    let mut broker = Broker::start(CONFIG);
    for (level, is_logged) in [("debug", true), ("info", false)] {
        let config = broker.config();
        let config = config.lines().filter(|line| !line.starts_with("log-level")).map(|line| format!("{line}\n"));
        broker.rewrite("broker.yaml", format!("{}log-level: {level}\n", config.collect::<String>()));
        broker.forget_log();
        broker.signal("HUP");
        broker.wait_for_log("the configuration was taken anew");
        connect_as(&broker, level, "").expect("accepted").publish(level, AtLeastOnce, false, "");
        let of_message = format!("message-received: client \"{level}\"");
        broker.wait_for_log(if is_logged { &of_message } else { "client-connected: client \"info\"" });
        assert_eq!(broker.log_so_far().contains(&of_message), is_logged, "{level}");
    }
}

#[test]
fn a_fault_of_another_plugin_is_an_event() {
    let config = "plugins: [auth_anonymous, guest_trap_auth, event_logger]\n";
    let mut broker = Setup::new(config).plugin_dir_with(amqtt_tests::guests::TRAP_AUTH).debug().start();
    assert!(connect_as(&broker, "alice", "").is_err());
    broker.wait_for_log("plugin-fault: plugin \"guest_trap_auth\" 0.1.0 trapped in auth");
}
