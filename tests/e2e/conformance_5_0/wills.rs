//! Sections 3.1.2.5 and 3.1.3.2 of MQTT 5.0: wills, and how long they wait.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;

fn delay(secs: u32) -> Vec<u8> {
    four(0x18, secs)
}

#[track_caller]
fn watcher(broker: &Broker) -> Peer {
    let mut watcher = Peer::connected(broker, "watcher");
    watcher.subscribe("will", 0);
    watcher
}

/// `[MQTT-3.1.2-8]` `[MQTT-3.1.3-10]`: sent with its properties, but for the delay.
#[test]
fn a_will_is_sent_with_its_properties() {
    let broker = Broker::open();
    let mut watcher = watcher(&broker);
    let properties = [user("b", "1"), vec![0x01, 1], user("a", "2"), delay(0), message_expiry(100)];
    drop(Peer::accepted(&broker, &Connect::clean("id").will(0, &properties, "gone"), false));
    let expected = [message_expiry(100), user("b", "1"), vec![0x01, 1], user("a", "2")];
    watcher.expect_publish(Q0, "will", &expected, "gone");
}

/// `[MQTT-3.14.4-3]` `[MQTT-3.1.2-10]`: only the best of farewells discards it.
#[test]
fn a_farewell_may_ask_for_the_will() {
    let broker = Broker::open();
    let mut watcher = watcher(&broker);
    for reason in [0x04, 0x80, 0x99] {
        let mut peer = Peer::accepted(&broker, &Connect::clean("id").will(0, &[], "gone"), false);
        peer.send(disconnect(reason, &[])).expect_closed();
        watcher.expect_publish(Q0, "will", &[], "gone");
    }
    let mut peer = Peer::accepted(&broker, &Connect::clean("id").will(0, &[], "gone"), false);
    peer.send(disconnect(0, &[])).expect_closed();
    watcher.expect_quiet();
}

/// 3.1.3.2.2: it waits for its delay, if the session lasts that long.
#[test]
fn a_will_waits_for_its_delay() {
    let broker = Broker::open();
    let mut watcher = watcher(&broker);
    drop(Peer::accepted(&broker, &Connect::resume("long", 60).will(0, &[delay(1)], "at its time"), false));
    drop(Peer::accepted(&broker, &Connect::resume("short", 1).will(0, &[delay(60)], "with its session"), false));
    // Its session ends with the connection, and the will with that.
    drop(Peer::accepted(&broker, &Connect::clean("clean").will(0, &[delay(60)], "at once"), false));
    watcher.expect_publish(Q0, "will", &[], "at once");
    let first = watcher.receive();
    let second = watcher.receive();
    let mut payloads = [&first[9..], &second[9..]];
    payloads.sort_unstable();
    assert_eq!(payloads, [&b"at its time"[..], b"with its session"]);
}

/// `[MQTT-3.1.3-9]`: a client that is back in time needs none.
#[test]
fn a_client_that_comes_back_in_time_has_no_will() {
    let mut broker = Broker::open();
    let mut watcher = watcher(&broker);
    let with_will = Connect::resume("id", 60).will(0, &[delay(1)], "gone");
    drop(Peer::accepted(&broker, &with_will, false));
    broker.wait_for_log("client \"id\" disconnected");
    let back = Peer::accepted(&broker, &with_will, true);
    // Longer than the delay: the will of another, whose delay began later, has come.
    drop(Peer::accepted(&broker, &Connect::resume("other", 60).will(0, &[delay(2)], "the other"), false));
    watcher.expect_publish(Q0, "will", &[], "the other");
    // A takeover is a way to come back too.
    let again = Peer::accepted(&broker, &with_will, true);
    watcher.expect_quiet();
    // A clean start ends the session, and so the wait.
    drop((back, again));
    Peer::connected(&broker, "id");
    watcher.expect_publish(Q0, "will", &[], "gone");
}
