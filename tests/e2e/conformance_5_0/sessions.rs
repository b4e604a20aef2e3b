//! Sections 3.1.2.4, 3.1.2.11.2, 3.14 and 4.1 of MQTT 5.0: how long sessions last.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;

/// `[MQTT-3.1.2-23]` `[MQTT-3.1.2-5]` `[MQTT-3.2.2-3]`: without an expiry interval it ends with its connection.
#[test]
fn a_session_lasts_as_long_as_it_was_asked_to() {
    let broker = Broker::open();
    let without = Connect { flags: 0, ..Connect::clean("id") };
    Peer::accepted(&broker, &without, false).subscribe("a", 1).send(DISCONNECT).expect_closed();
    let mut peer = Peer::accepted(&broker, &Connect::resume("id", 60), false);
    peer.subscribe("a", 1).send(DISCONNECT).expect_closed();
    Peer::connected(&broker, "publisher").publish(0, "a", &[], "waits");
    Peer::accepted(&broker, &Connect::resume("id", 60), true).expect_publish(Q1, "a", &[], "waits");
}

/// `[MQTT-3.1.2-4]` `[MQTT-3.2.2-2]`: a clean start discards what there was, and begins one that may last.
#[test]
fn a_clean_start_begins_a_session_that_may_last() {
    let broker = Broker::open();
    let clean = || Connect::clean("id").with(session_expiry(60));
    Peer::accepted(&broker, &clean(), false).subscribe("a", 1).send(DISCONNECT).expect_closed();
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(0, "a", &[], "waits");
    let mut again = Peer::accepted(&broker, &clean(), false);
    again.expect_quiet().subscribe("b", 1).send(DISCONNECT).expect_closed();
    publisher.publish(0, "b", &[], "waits");
    Peer::accepted(&broker, &Connect::resume("id", 0), true).expect_publish(Q1, "b", &[], "waits");
}

/// A session that is over is not there any more, at once and not only when somebody looks.
#[test]
fn a_session_expires_at_its_time() {
    let mut broker = Broker::open();
    Peer::accepted(&broker, &Connect::resume("id", 1), false).send(DISCONNECT).expect_closed();
    Peer::accepted(&broker, &Connect::resume("other", 3_600), false).send(DISCONNECT).expect_closed();
    broker.wait_for_log("the session of client \"id\" has expired");
    Peer::accepted(&broker, &Connect::resume("id", 1), false);
    Peer::accepted(&broker, &Connect::resume("other", 1), true);
}

/// 3.2.2.3.2: the client is told what it is granted instead.
#[test]
fn the_session_expiry_has_a_maximum() {
    let broker = Broker::start("plugins: [auth_anonymous]\nlimits: {session-expiry-max-secs: 100}\n");
    for (asked, granted) in [(99, None), (100, None), (101, Some(100)), (u32::MAX, Some(100))] {
        let (_, told) = Peer::told(&broker, &Connect::clean("id").with(session_expiry(asked)), false);
        let expected = granted.map(session_expiry).unwrap_or_default();
        assert!(told.starts_with(&expected) && (granted.is_some() || told[0] != 0x11), "{asked}: {told:02x?}");
    }
}

/// 3.14.2.2.2: the farewell may change it, but not for a session that was to end.
#[test]
fn the_farewell_says_how_long_the_session_waits() {
    let broker = Broker::open();
    let ends_now = disconnect(0, &[session_expiry(0)]);
    Peer::accepted(&broker, &Connect::resume("id", 60), false).send(ends_now).expect_closed();
    let waits = disconnect(0, &[session_expiry(60)]);
    let mut peer = Peer::accepted(&broker, &Connect::resume("id", 1), false);
    peer.send(&waits).expect_closed();
    Peer::accepted(&broker, &Connect::resume("id", 60), true);
    Peer::connected(&broker, "other").send(&waits).expect_disconnect(0x82);
}

/// `[MQTT-3.1.4-3]`: the connection that loses its session is told.
#[test]
fn a_session_that_is_taken_over_is_told() {
    let broker = Broker::open();
    let mut first = Peer::accepted(&broker, &Connect::resume("id", 60), false);
    let mut second = Peer::accepted(&broker, &Connect::resume("id", 60), true);
    first.expect_disconnect(0x8e);
    let mut third = Peer::connected(&broker, "id");
    second.expect_disconnect(0x8e);
    third.expect_quiet();
}

/// `[MQTT-4.4.0-1]` `[MQTT-4.4.0-2]`: sent again on the next connection, of either version.
#[test]
fn what_is_not_acknowledged_is_sent_again() {
    let broker = Broker::open();
    let mut peer = Peer::accepted(&broker, &Connect::resume("id", 60), false);
    peer.subscribe("a", 2);
    Peer::connected(&broker, "publisher").publish(0, "a", &[user("n", "v")], "one");
    let id = peer.expect_publish(Q1, "a", &[user("n", "v")], "one");
    drop(peer);
    let mut again = Peer::accepted(&broker, &Connect::resume("id", 60), true);
    assert_eq!(again.expect_publish(Q1 | DUP, "a", &[user("n", "v")], "one"), id);
    again.send(puback(id)).expect_quiet();
}
