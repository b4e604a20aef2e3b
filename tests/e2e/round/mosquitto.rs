use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use super::{LARGE_BYTES, TOOLS_HINT};
use crate::broker::{Broker, Setup};

/// Subscribers at once, a process each.
const PROCESSES: usize = 50;

/// `mosquitto_sub` or `mosquitto_pub`, told where the broker is.
fn mosquitto(name: &str, broker: &Broker, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &broker.port.to_string()]).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn spawn(mut command: Command) -> Child {
    command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}; {TOOLS_HINT}"))
}

fn output(child: Child) -> Output {
    let output = child.wait_with_output().expect("can wait");
    assert!(output.status.success(), "{output:?}");
    output
}

pub(super) fn mosquitto_pub(broker: &Broker, args: &[&str]) {
    output(spawn(mosquitto("mosquitto_pub", broker, args)));
}

/// A subscriber that gives up after 20 seconds.
fn subscriber(broker: &Broker, args: &[&str]) -> Child {
    let mut command = mosquitto("mosquitto_sub", broker, &["-W", "20"]);
    command.args(args);
    spawn(command)
}

/// What a subscriber prints.
pub(super) fn mosquitto_sub(broker: &Broker, args: &[&str]) -> String {
    String::from_utf8_lossy(&output(subscriber(broker, args)).stdout).into_owned()
}

#[test]
fn mosquitto_clients_talk_to_each_other() {
    // Its log says when a client is subscribed.
    let mut broker = Setup::new("plugins: [auth_anonymous, event_logger]\n").debug().start();
    for qos in ["0", "1", "2"] {
        let id = format!("sub-{qos}");
        let subscriber = subscriber(&broker, &["-i", &id, "-t", "room/#", "-q", qos, "-C", "3", "-F", "%t %q %r %p"]);
        broker.wait_for_log(&format!("client-subscribed: client \"{id}\""));
        for published in ["0", "1", "2"] {
            mosquitto_pub(&broker, &["-t", &format!("room/{published}"), "-q", published, "-m", "hello"]);
        }
        let text = String::from_utf8_lossy(&output(subscriber).stdout).into_owned();
        let expected = ["0", "1", "2"].map(|published| format!("room/{published} {} 0 hello\n", published.min(qos)));
        assert_eq!(text, expected.concat(), "QoS {qos}");
    }
}

/// `mosquitto_sub -c -E` leaves a subscription, `mosquitto_pub -l` sends a message for each line.
#[test]
fn mosquitto_messages_wait_for_a_persistent_session() {
    let broker = Broker::open();
    let keeps = ["-t", "lines", "-c", "-i", "keeps", "-q", "1"];
    mosquitto_sub(&broker, &[&keeps[..], &["-E"]].concat());
    let mut command = mosquitto("mosquitto_pub", &broker, &["-t", "lines", "-q", "1", "-l"]);
    command.stdin(Stdio::piped());
    let mut publisher = spawn(command);
    let lines: String = (0..500).map(|number| format!("line {number}\n")).collect();
    publisher.stdin.take().expect("is piped").write_all(lines.as_bytes()).expect("reads lines");
    output(publisher);
    assert_eq!(mosquitto_sub(&broker, &[&keeps[..], &["-C", "500"]].concat()), lines);
}

/// Whether or not there is a retained message, that of the other topic follows it.
#[test]
fn mosquitto_retained_messages_are_set_replaced_and_deleted() {
    let broker = Broker::open();
    mosquitto_pub(&broker, &["-t", "after", "-r", "-m", "end"]);
    let first = || mosquitto_sub(&broker, &["-t", "kept", "-t", "after", "-C", "1", "-F", "%t %r %p"]);
    for payload in ["set", "replaced"] {
        mosquitto_pub(&broker, &["-t", "kept", "-q", "1", "-r", "-m", payload]);
        assert_eq!(first(), format!("kept 1 {payload}\n"));
    }
    mosquitto_pub(&broker, &["-t", "kept", "-q", "2", "-r", "-n"]);
    assert_eq!(first(), "after 1 end\n");
}

#[test]
fn mosquitto_wills_are_sent_when_the_process_is_killed() {
    let mut broker = Broker::open();
    let will = ["--will-topic", "will", "--will-payload", "gone", "--will-qos", "2", "--will-retain"];
    let mut vanishing = subscriber(&broker, &[&["-i", "vanishing", "-t", "nothing"], &will[..]].concat());
    broker.wait_for_log("client \"vanishing\" connected");
    vanishing.kill().expect("can kill");
    vanishing.wait().expect("can wait");
    assert_eq!(mosquitto_sub(&broker, &["-t", "will", "-C", "1", "-q", "2", "-F", "%q %p"]), "2 gone\n");
}

#[test]
fn mosquitto_payloads_of_10_mib_arrive_whole() {
    let broker = Broker::open();
    let payload: Vec<u8> = (0..LARGE_BYTES).map(|index| (index % 251) as u8).collect();
    let dir = tempfile::TempDir::new().expect("a temporary folder");
    let file = dir.path().join("payload");
    std::fs::write(&file, &payload).expect("can write");
    mosquitto_pub(&broker, &["-t", "large", "-q", "2", "-r", "-f", &file.display().to_string()]);
    let received = output(subscriber(&broker, &["-t", "large", "-q", "2", "-C", "1", "-N"])).stdout;
    assert!(received == payload, "{} bytes came", received.len());
}

/// In both versions that they speak here.
#[test]
fn fifty_mosquitto_subscribers_at_once() {
    let mut broker = Broker::open();
    let subscribers: Vec<Child> = (0..PROCESSES)
        .map(|number| {
            let version = ["mqttv31", "mqttv311"][number % 2];
            let id = format!("subscriber-{number}.");
            subscriber(&broker, &["-V", version, "-i", &id, "-t", "all", "-q", "1", "-C", "1"])
        })
        .collect();
    for number in 0..PROCESSES {
        broker.wait_for_log(&format!("client \"subscriber-{number}.\" connected"));
    }
    // Retained: who is connected may not be subscribed yet.
    mosquitto_pub(&broker, &["-t", "all", "-q", "1", "-r", "-m", "hello"]);
    for subscriber in subscribers {
        assert_eq!(String::from_utf8_lossy(&output(subscriber).stdout), "hello\n");
    }
}
