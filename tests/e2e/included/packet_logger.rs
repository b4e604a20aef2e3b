use rumqttc::QoS::{AtLeastOnce, ExactlyOnce};

use super::connect_as;
use crate::broker::{Broker, Setup};

const CONFIG: &str = "plugins: [auth_anonymous, packet_logger_plugin]\n";

#[test]
fn every_packet_is_logged_and_no_password() {
    let mut broker = Setup::new(CONFIG).debug().start();
    let mut alice = connect_as(&broker, "alice", "hunter2").expect("accepted");
    alice.subscribe("a/#", ExactlyOnce);
    alice.publish("a/b", ExactlyOnce, true, "hello");
    alice.receive();
    // As large as payloads that are shared, and not copied into what is written.
    alice.publish("a/large", AtLeastOnce, false, vec![b'x'; 100_000]);
    alice.receive();
    alice.unsubscribe("a/#");
    alice.disconnect();
    broker.wait_for_log("from client \"alice\": DISCONNECT");
    let log = broker.log_so_far();
    for expected in [
        "from client \"alice\": CONNECT, ",
        "to client \"alice\": CONNACK, 4 bytes",
        "from client \"alice\": SUBSCRIBE, id 1, ",
        "to client \"alice\": SUBACK, id 1, 5 bytes",
        "from client \"alice\": PUBLISH, id 2, topic \"a/b\", QoS 2, retain, 14 bytes",
        "to client \"alice\": PUBREC, id 2, 4 bytes",
        "from client \"alice\": PUBREL, id 2, 4 bytes",
        "to client \"alice\": PUBCOMP, id 2, 4 bytes",
        "to client \"alice\": PUBLISH, id 1, topic \"a/b\", QoS 2, 14 bytes",
        "from client \"alice\": PUBREC, id 1, 4 bytes",
        "to client \"alice\": PUBREL, id 1, 4 bytes",
        "from client \"alice\": PUBCOMP, id 1, 4 bytes",
        "from client \"alice\": PUBLISH, id 3, topic \"a/large\", QoS 1, 100015 bytes",
        "to client \"alice\": PUBLISH, id 2, topic \"a/large\", QoS 1, 100015 bytes",
        "to client \"alice\": PUBACK, id 3, 4 bytes",
        "from client \"alice\": PUBACK, id 2, 4 bytes",
        "from client \"alice\": UNSUBSCRIBE, id 4, ",
        "to client \"alice\": UNSUBACK, id 4, 4 bytes",
        "from client \"alice\": DISCONNECT, 2 bytes",
    ] {
        assert_eq!(log.matches(expected).count(), 1, "{expected} in {log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn packets_are_no_matter_for_a_log_without_debug_messages() {
    let mut broker = Broker::start(CONFIG);
    connect_as(&broker, "alice", "").expect("accepted").disconnect();
    broker.wait_for_log("disconnected");
    broker.signal("TERM");
    assert!(broker.wait().success());
    let rest = broker.rest_of_log();
    assert!(!rest.contains("CONNACK"), "{rest}");
}
