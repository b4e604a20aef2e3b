use std::sync::Arc;

use rumqttc::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, Packet, Publish};
use tokio::runtime::Builder;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{FILES_HINT, LARGE_BYTES, MANY};
use crate::broker::{Broker, PATIENCE};
use crate::client::{Client, options};

fn persistent(broker: &Broker) -> Client {
    let mut options = options(broker, "subscriber");
    options.set_clean_session(false);
    Client::connect_with(options).expect("accepted")
}

/// What of `filter` is retained.
fn retained(broker: &Broker, filter: &str) -> Vec<String> {
    let mut late = Client::connect(broker, "late");
    late.subscribe(filter, AtLeastOnce);
    let found = late.receive_all();
    late.disconnect();
    found
}

#[test]
fn rumqttc_does_the_round() {
    let broker = Broker::open();
    let mut publisher = Client::connect(&broker, "publisher");
    let mut subscriber = persistent(&broker);
    subscriber.subscribe("round/#", ExactlyOnce);
    for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        publisher.publish("round/qos", qos, false, "hello");
        let message = subscriber.receive();
        assert_eq!((message.qos, &message.payload[..]), (qos, &b"hello"[..]));
    }
    for (payload, kept) in
        [("set", vec!["round/kept set r"]), ("replaced", vec!["round/kept replaced r"]), ("", vec![])]
    {
        publisher.publish("round/kept", AtLeastOnce, true, payload);
        assert_eq!(subscriber.receive_words(), format!("round/kept {payload}"));
        assert_eq!(retained(&broker, "round/kept"), kept);
    }
    let mut with_will = options(&broker, "vanishing");
    with_will.set_last_will(LastWill::new("round/will", "gone", ExactlyOnce, false));
    Client::connect_with(with_will).expect("accepted").vanish();
    assert_eq!(subscriber.receive_words(), "round/will gone");
    // A new client of this library does not know what an old one has left unfinished.
    assert!(subscriber.receive_all().is_empty());
    subscriber.disconnect();
    for (qos, payload) in [(AtMostOnce, "lost"), (AtLeastOnce, "1"), (ExactlyOnce, "2")] {
        publisher.publish("round/waits", qos, false, payload);
    }
    let mut subscriber = persistent(&broker);
    assert!(subscriber.session_present);
    assert_eq!(subscriber.receive_all(), ["round/waits 1", "round/waits 2"]);
    let large: Vec<u8> = (0..LARGE_BYTES).map(|index| (index % 251) as u8).collect();
    publisher.publish("round/large", ExactlyOnce, false, large.clone());
    assert!(subscriber.receive().payload == large);
}

#[test]
fn a_thousand_rumqttc_clients_at_once() {
    let broker = Broker::open();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let everyone = async {
        let connected = Arc::new(Barrier::new(MANY));
        let mut clients = JoinSet::new();
        for number in 0..MANY {
            let client = AsyncClient::new(options(&broker, &format!("client-{number}")), 10);
            clients.spawn(pass_on(client, number, Arc::clone(&connected)));
        }
        clients.join_all().await.len()
    };
    let served = runtime.block_on(async { timeout(PATIENCE, everyone).await });
    assert_eq!(served.expect("all of them have had their message in time"), MANY);
}

/// Waits until everyone is connected and subscribed, sends the next one a message, and gets that of the one before.
async fn pass_on((client, mut events): (AsyncClient, EventLoop), number: usize, connected: Arc<Barrier>) {
    client.subscribe(format!("to/{number}"), AtLeastOnce).await.expect("has room");
    wait_for(&mut events, |packet| matches!(packet, Packet::SubAck(_)).then_some(())).await;
    connected.wait().await;
    let next = (number + 1) % MANY;
    client.publish(format!("to/{next}"), AtLeastOnce, false, number.to_string()).await.expect("has room");
    let (mut acknowledged, mut received) = (false, None);
    while !acknowledged || received.is_none() {
        wait_for(&mut events, |packet| match packet {
            Packet::PubAck(_) => {
                acknowledged = true;
                Some(())
            }
            Packet::Publish(Publish { payload, .. }) => received.replace(payload).is_none().then_some(()),
            _ => None,
        })
        .await;
    }
    let before = (number + MANY - 1) % MANY;
    assert_eq!(received.expect("was waited for"), before.to_string());
}

async fn wait_for<T>(events: &mut EventLoop, mut wanted: impl FnMut(Packet) -> Option<T>) -> T {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(packet)) => {
                if let Some(found) = wanted(packet) {
                    return found;
                }
            }
            Ok(Event::Outgoing(_)) => {}
            Err(error) => panic!("{error}; {FILES_HINT}"),
        }
    }
}
