//! Clients that people have: mosquitto's commands and paho.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::broker::Broker;

const HINT: &str = "install the clients with `.ci/prepare --tests true`, or run the tests with `.ci/prepare --tests`";

fn run(mut command: Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}; {HINT}"))
}

fn mosquitto_pub(broker: &Broker, args: &[&str]) {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &broker.port.to_string()]).args(args);
    let output = run(command);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn mosquitto_clients_talk_to_each_other() {
    let mut broker = Broker::open();
    for qos in ["0", "1", "2"] {
        let id = format!("sub-{qos}");
        let subscriber = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &broker.port.to_string(), "-i", &id, "-W", "20"])
            .args(["-t", "room/#", "-q", qos, "-C", "3", "-F", "%t %q %r %p"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run mosquitto_sub: {error}; {HINT}"));
        // Retained, so that it does not matter which of the two is first.
        for published in ["0", "1", "2"] {
            mosquitto_pub(&broker, &["-t", &format!("room/{published}"), "-q", published, "-r", "-m", "hello"]);
        }
        let output = subscriber.wait_with_output().expect("can wait");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        for published in ["0", "1", "2"] {
            let effective = published.min(qos);
            assert!(text.contains(&format!("room/{published} {effective} ")), "QoS {qos}: {text}");
        }
        for published in ["0", "1", "2"] {
            mosquitto_pub(&broker, &["-t", &format!("room/{published}"), "-r", "-n"]);
        }
        broker.wait_for_log(&id);
    }
}

/// `mosquitto_sub -c -E` leaves a subscription, `mosquitto_pub -l` sends a message for each line.
#[test]
fn mosquitto_messages_wait_for_a_persistent_session() {
    let broker = Broker::open();
    let subscriber = |last: &[&str]| {
        let mut command = Command::new("mosquitto_sub");
        command
            .args(["-h", "127.0.0.1", "-p", &broker.port.to_string(), "-W", "20"])
            .args(["-t", "lines", "-c", "-i", "keeps", "-q", "1"])
            .args(last);
        run(command)
    };
    assert!(subscriber(&["-E"]).status.success());
    let mut publisher = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &broker.port.to_string(), "-t", "lines", "-q", "1", "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run mosquitto_pub: {error}; {HINT}"));
    let lines: String = (0..500).map(|number| format!("line {number}\n")).collect();
    publisher.stdin.take().expect("is piped").write_all(lines.as_bytes()).expect("reads lines");
    assert!(publisher.wait().expect("can wait").success());
    let output = subscriber(&["-C", "500"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), lines);
}

const PAHO: &str = r#"
import sys, threading
import paho.mqtt.client as mqtt

port = int(sys.argv[1])
wanted = [(q, bytes([q]) * 2000) for q in (0, 1, 2)]
got, done = [], threading.Event()

def on_connect(client, userdata, flags, reason, properties):
    assert reason == 0, reason
    client.subscribe("paho/#", qos=2)

def on_subscribe(client, userdata, mid, reasons, properties):
    for qos, payload in wanted:
        client.publish(f"paho/{qos}", payload, qos=qos)

def on_message(client, userdata, message):
    got.append((message.qos, message.payload))
    if len(got) == len(wanted):
        done.set()

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="paho", protocol=mqtt.MQTTv311)
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect("127.0.0.1", port)
client.loop_start()
assert done.wait(20), got
client.disconnect()
client.loop_stop()
assert sorted(got) == wanted, got
print("round complete")
"#;

#[test]
fn paho_does_the_round() {
    let broker = Broker::open();
    let python = std::env::var("AMQTT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(&python);
    command.args(["-", &broker.port.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {python}: {error}; {HINT}"));
    child.stdin.take().expect("is piped").write_all(PAHO.as_bytes()).expect("reads its program");
    let output = child.wait_with_output().expect("can wait");
    assert!(output.status.success(), "{}\n{HINT}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "round complete\n");
}
