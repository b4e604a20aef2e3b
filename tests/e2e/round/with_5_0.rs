//! The same clients with MQTT 5.0, and with each other.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

use super::mosquitto::{mosquitto_pub, mosquitto_sub};
use super::paho::run;
use crate::broker::{Broker, PATIENCE};

/// Each version of publisher with each of subscriber, at every QoS.
#[test]
fn mosquitto_clients_of_all_versions_talk_to_each_other() {
    let broker = Broker::open();
    for (publisher, subscriber) in [("5", "5"), ("5", "311"), ("311", "5"), ("31", "5"), ("5", "31")]
        .map(|(one, other)| (format!("mqttv{one}"), format!("mqttv{other}")))
    {
        for qos in ["0", "1", "2"] {
            // Retained, so that it does not matter which of the two is first.
            mosquitto_pub(&broker, &["-V", &publisher, "-t", "room", "-q", qos, "-r", "-m", "hello"]);
            let printed =
                mosquitto_sub(&broker, &["-V", &subscriber, "-t", "#", "-q", "2", "-C", "1", "-F", "%q %r %p"]);
            assert_eq!(printed, format!("{qos} 1 hello\n"), "{publisher} to {subscriber}");
        }
    }
}

/// What mosquitto's clients can say and show of MQTT 5.0: user properties, content type, response topic, expiry,
/// subscription identifiers, a session that lasts.
#[test]
fn mosquitto_clients_speak_of_properties() {
    let broker = Broker::open();
    let keeps = ["-V", "5", "-c", "-i", "keeps", "-x", "60", "-t", "room", "-q", "1"];
    let identified = [&keeps[..], &["-D", "subscribe", "subscription-identifier", "42"]].concat();
    mosquitto_sub(&broker, &[&identified[..], &["-E"]].concat());
    let mut args =
        vec!["-V", "5", "-t", "room", "-q", "1", "-m", "hello", "-D", "publish", "message-expiry-interval", "900"];
    for name in ["content-type", "response-topic", "correlation-data"] {
        args.extend(["-D", "publish", name, "text"]);
    }
    args.extend(["-D", "publish", "user-property", "b", "1", "-D", "publish", "user-property", "a", "2"]);
    mosquitto_pub(&broker, &args);
    let printed = mosquitto_sub(&broker, &[&identified[..], &["-C", "1", "-F", "%t %p %C %R %D %P %E %S"]].concat());
    assert_eq!(printed.trim_end(), "room hello text text text b:1 a:2 900 42");
}

#[test]
fn paho_asks_and_answers_with_properties() {
    run(&Broker::open(), include_bytes!("paho_5_0.py"), &[], "round");
}

/// Its properties come back as they were, and it resolves the aliases that it is sent.
#[test]
fn rumqttc_with_5_0_does_the_round() {
    let broker = Broker::open();
    let mut options = MqttOptions::new("rumqttc", "127.0.0.1", broker.port);
    options.set_topic_alias_max(Some(4)).set_receive_maximum(Some(3));
    let properties = PublishProperties {
        response_topic: Some("answers".into()),
        user_properties: vec![("b".into(), "1".into()), ("a".into(), "2".into())],
        ..PublishProperties::default()
    };
    let exchange = async {
        let (client, mut events) = AsyncClient::new(options, 100);
        client.subscribe("round", QoS::ExactlyOnce).await.expect("has room");
        let mut received = 0;
        while received < 30 {
            match events.poll().await.expect("stays connected") {
                Event::Incoming(Packet::SubAck(_)) => {
                    for number in 0..30_u8 {
                        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(number % 3)];
                        let properties = properties.clone();
                        client
                            .try_publish_with_properties("round", qos, false, vec![number], properties)
                            .expect("has room");
                    }
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    let told = publish.properties.expect("has some");
                    assert_eq!(told.response_topic.as_deref(), Some("answers"));
                    assert_eq!(told.user_properties, properties.user_properties);
                    received += 1;
                }
                _ => {}
            }
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, exchange).await }).expect("all come");
}
