//! TLS as clients see it, and what is no TLS.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Instant;

use amqtt_tests::guests;
use rumqttc::QoS::AtLeastOnce;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::bounds::wait_for_counter;
use crate::broker::{Broker, PATIENCE, Setup};
use crate::certificates::{Authority, Identity};
use crate::client::Client;
use crate::protocol::{CONNACK, CONNECT, answer_until_close, open};

/// A broker whose one listener has TLS, its authority, and a folder for clients' files.
pub(crate) struct Tls {
    pub(crate) broker: Broker,
    pub(crate) authority: Authority,
}

/// The configuration of a broker with TLS that lets everyone in, for the clients of its authority.
pub(crate) fn setup(authority: &Authority, config: &str) -> Setup {
    Setup::new(config)
        .file("server.pem", authority.server().pem())
        .file("ca.pem", &authority.pem)
        .listener("ssl: on")
        .listener("certfile: server.pem")
}

pub(crate) const OPEN: &str = "plugins: [auth_anonymous]\n";

impl Tls {
    fn start(settings: &[&str]) -> Self {
        let authority = Authority::new();
        let setup = settings.iter().fold(setup(&authority, OPEN), |setup, setting| setup.listener(setting));
        Self { broker: setup.start(), authority }
    }

    /// Writes a file for a client to read.
    fn file(&self, name: &str, content: &str) -> String {
        let path: PathBuf = self.broker.dir().join(name);
        std::fs::write(&path, content).expect("can write");
        path.display().to_string()
    }

    /// Publishes once; `args` are those of `mosquitto_pub` beside the broker and its authority.
    fn publish(&self, args: &[&str]) -> Output {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "localhost", "-p", &self.broker.port.to_string(), "-t", "a", "-m", "x", "-q", "1"]);
        command.args(["--cafile", &self.file("ca-of-server.pem", &self.authority.pem)]).args(args);
        command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}; {}", crate::round::TOOLS_HINT))
    }

    fn publish_as(&self, client: &Identity) -> Output {
        let certificate = self.file("client.pem", &client.certificate);
        let key = self.file("client-key.pem", &client.key);
        self.publish(&["--cert", &certificate, "--key", &key])
    }
}

#[test]
fn mosquitto_publishes() {
    let tls = Tls::start(&[]);
    for args in [&[][..], &["--tls-alpn", "mqtt"]] {
        let output = tls.publish(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
    assert!(!tls.publish(&["--tls-alpn", "h2"]).status.success(), "what is spoken is not HTTP");
}

#[test]
fn a_client_needs_no_certificate_and_not_a_strangers() {
    let tls = Tls::start(&["cafile: ca.pem"]);
    assert!(tls.publish(&[]).status.success());
    assert!(tls.publish_as(&tls.authority.client("sensor")).status.success());
    assert!(!tls.publish_as(&Authority::new().client("sensor")).status.success());
}

#[test]
fn a_certificate_may_be_required() {
    let mut tls = Tls::start(&["cafile: ca.pem", "require-certificate: on"]);
    assert!(!tls.publish(&[]).status.success());
    assert!(tls.publish_as(&tls.authority.client("sensor")).status.success());
    // One that is made for servers is none for clients.
    assert!(!tls.publish_as(&tls.authority.server()).status.success());
    tls.broker.wait_for_log("TLS handshake: peer sent no certificates");
    // As `openssl x509 -req` makes one unless told otherwise.
    let certificate = include_str!("../../host/src/net/tls/testdata/version-1.pem").to_owned();
    let key = include_str!("../../host/src/net/tls/testdata/ec-pkcs8.pem").to_owned();
    assert!(!tls.publish_as(&Identity { certificate, key }).status.success());
    let line = tls.broker.wait_for_log("is X.509 version 1, where version 3 is wanted");
    assert!(line.contains("hint: `openssl x509 -req`"), "{line}");
}

/// A client of rustls, which trusts the authority.
pub(crate) fn session(authority: &Authority) -> ClientConnection {
    session_of(authority, &[&TLS12, &TLS13])
}

fn session_of(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("is PEM")).expect("is an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("are there")
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name")).expect("can begin")
}

/// A TLS connection with an accepted CONNECT, of a client that nobody else is.
fn connect(broker: &Broker, authority: &Authority) -> StreamOwned<ClientConnection, TcpStream> {
    let mut stream = StreamOwned::new(session(authority), open(broker));
    stream.write_all(b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0").expect("is open");
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).expect("is answered");
    assert_eq!(connack, CONNACK);
    stream
}

fn ping(stream: &mut StreamOwned<ClientConnection, TcpStream>) {
    stream.write_all(&[0xc0, 0]).expect("is open");
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).expect("is answered");
    assert_eq!(pong, [0xd0, 0]);
}

/// The first bytes of a handshake.
fn client_hello(authority: &Authority) -> Vec<u8> {
    let mut hello = Vec::new();
    session(authority).write_tls(&mut hello).expect("has room");
    hello
}

#[test]
fn either_version_is_spoken() {
    let authority = Authority::new();
    let broker = setup(&authority, OPEN).start();
    for version in [&TLS12, &TLS13] {
        let mut stream = StreamOwned::new(session_of(&authority, &[version]), open(&broker));
        stream.write_all(&[CONNECT, &[0xc0, 0]].concat()).expect("is open");
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).expect("is answered");
        assert_eq!(stream.conn.protocol_version(), Some(version.version));
    }
}

#[test]
fn plugins_see_the_certificate() {
    let authority = Authority::new();
    let setup = setup(&authority, "plugins: [guest_certificate]\n").plugin_dir_with(guests::CERTIFICATE);
    let broker = setup.listener("cafile: ca.pem").start();
    let mut tls = Tls { broker, authority };
    let sensor = tls.authority.client("sensor");
    assert!(tls.publish_as(&sensor).status.success());
    let der = CertificateDer::from_pem_slice(sensor.certificate.as_bytes()).expect("is PEM");
    let digest: String = sha2::Digest::finalize(sha2::Digest::chain_update(sha2::Sha256::default(), &der))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    tls.broker.wait_for_log(&format!("by tls Some(\"1.3\") with CN=sensor,O=Example {digest}"));
    assert!(!tls.publish_as(&tls.authority.client("sensor,O=Example")).status.success());
    tls.broker.wait_for_log("with CN=sensor\\,O\\=Example,O=Example ".replace("\\=", "=").as_str());
    let mut stream = StreamOwned::new(session_of(&tls.authority, &[&TLS12]), open(&tls.broker));
    stream.write_all(CONNECT).expect("is open");
    tls.broker.wait_for_log("by tls Some(\"1.2\") without a certificate");
}

/// Messages of every size come whole, in both directions, and 300 packets in one record as well.
#[test]
fn any_bytes_go_through() {
    let authority = Authority::new();
    let broker = setup(&authority, OPEN).start();
    let mut stream = connect(&broker, &authority);
    stream.write_all(b"\x82\x06\0\x01\0\x01a\0").expect("is open");
    stream.read_exact(&mut [0; 5]).expect("is answered");
    for len in [0, 1, 16_383, 16_384, 100_000, 3_000_000_u32] {
        let mut packet = vec![0x30];
        let mut rest = len + 3;
        while rest >= 0x80 {
            packet.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        packet.push(rest as u8);
        packet.extend(b"\0\x01a");
        packet.extend((0..len).map(|number| number as u8));
        stream.write_all(&packet).expect("is open");
        let mut echo = vec![0; packet.len()];
        stream.read_exact(&mut echo).expect("comes back");
        assert!(echo == packet, "{len} bytes");
    }
    let many = b"\x30\x05\0\x01ahi".repeat(300);
    stream.write_all(&many).expect("is open");
    let mut echo = vec![0; many.len()];
    stream.read_exact(&mut echo).expect("comes back");
    assert!(echo == many);
}

#[test]
fn what_is_no_tls_and_what_should_be_none_end_at_once() {
    let authority = Authority::new();
    let mut broker = setup(&authority, OPEN).another_listener("plain: {bind: 127.0.0.1:0, ssl: off}").start();
    let (plain, tls) = (broker.port_of("plain"), broker.port_of("default"));
    broker.port = tls;
    for bytes in [CONNECT, b"GET / HTTP/1.1\r\n\r\n", &[0; 100]] {
        let answer = answer_until_close(&mut open(&broker), bytes);
        assert!(!answer.starts_with(CONNACK), "{answer:?}");
    }
    broker.wait_for_log("refused: TLS handshake: the client does not speak TLS");
    broker.port = plain;
    assert!(answer_until_close(&mut open(&broker), &client_hello(&authority)).is_empty());
    ping_plain(&broker);
    broker.port = tls;
    ping(&mut connect(&broker, &authority));
}

fn ping_plain(broker: &Broker) {
    let mut stream = open(broker);
    let mut answer = [0; 6];
    stream.write_all(&[CONNECT, &[0xc0, 0]].concat()).expect("is open");
    stream.read_exact(&mut answer).expect("is answered");
}

#[test]
fn handshakes_that_fail_are_counted() {
    let authority = Authority::new();
    let config = "sys_interval: 1\nplugins: [auth_anonymous, broker_sys]\n";
    let setup = setup(&authority, config).another_listener("plain: {bind: 127.0.0.1:0, ssl: off}");
    let mut broker = setup.start();
    let plain = broker.port_of("plain");
    broker.port = broker.port_of("default");
    for _ in 0..3 {
        answer_until_close(&mut open(&broker), CONNECT);
    }
    broker.port = plain;
    wait_for_counter(&broker, "counters/handshakes-failed", 3);
}

#[test]
fn a_handshake_may_end_after_any_byte() {
    let authority = Authority::new();
    let mut broker = setup(&authority, OPEN).start();
    let mut talking = connect(&broker, &authority);
    let hello = client_hello(&authority);
    for len in 0..hello.len() {
        let mut stream = open(&broker);
        stream.write_all(&hello[..len]).expect("is open");
        stream.shutdown(Shutdown::Write).expect("is open");
        // It is closed at once: the time for a CONNECT is longer than a test of all this may take.
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
    }
    ping(&mut talking);
    ping(&mut connect(&broker, &authority));
    assert!(broker.is_running());
}

/// Each byte of a hello that is another one: an answer, an alert or the end, and in time.
#[test]
fn a_handshake_may_be_damaged_at_any_byte() {
    let authority = Authority::new();
    let mut broker = setup(&authority, OPEN).start();
    let hello = client_hello(&authority);
    for at in 0..hello.len() {
        let mut stream = open(&broker);
        let mut damaged = hello.clone();
        damaged[at] ^= 0xff;
        stream.write_all(&damaged).expect("is open");
        stream.shutdown(Shutdown::Write).expect("is open");
        drop(stream.read_to_end(&mut Vec::new()));
    }
    ping(&mut connect(&broker, &authority));
    assert!(broker.is_running());
}

#[test]
fn slow_handshakes_end_in_time_and_block_nobody() {
    let authority = Authority::new();
    let config = "plugins: [auth_anonymous]\nlimits: {connect-timeout-secs: 1}\n";
    let mut broker = setup(&authority, config).start();
    let hello = client_hello(&authority);
    let begun = Instant::now();
    let slow: Vec<TcpStream> = (0..100)
        .map(|number| {
            let mut stream = open(&broker);
            stream.write_all(&hello[..number]).expect("is open");
            stream
        })
        .collect();
    ping(&mut connect(&broker, &authority));
    for mut stream in slow {
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        assert!(answer.is_empty());
    }
    assert!(begun.elapsed() < PATIENCE);
    // A handshake that is complete buys no time either.
    let mut stream = StreamOwned::new(session(&authority), open(&broker));
    stream.conn.complete_io(&mut stream.sock).expect("shakes hands");
    assert_eq!(stream.read_to_end(&mut Vec::new()).ok(), Some(0), "with a close_notify");
    broker.wait_for_log("no CONNECT in time");
}

#[test]
fn certificates_are_reloaded_when_their_files_change() {
    let (first, second) = (Authority::new(), Authority::new());
    let mut broker = setup(&first, OPEN).start();
    let mut stays = connect(&broker, &first);
    broker.replace_file("server.pem", second.server().pem());
    broker.wait_for_log("listener `default`: certificates reloaded");
    ping(&mut connect(&broker, &second));
    let refused = StreamOwned::new(session(&first), open(&broker)).write_all(CONNECT);
    assert!(refused.is_err(), "another authority's certificate is there");
    // What is broken changes nothing.
    broker.replace_file("server.pem", first.server().certificate);
    broker.wait_for_log("the certificates before the change stay in force: `certfile`: there is no private key");
    ping(&mut connect(&broker, &second));
    ping(&mut stays);
}

/// The certificates of SIGHUP do not wait for anybody to look at the files.
#[test]
fn sighup_changes_listeners_and_certificates_and_connections_stay() {
    let (first, second) = (Authority::new(), Authority::new());
    let mut broker = setup(&first, OPEN).another_listener("gone: {bind: 127.0.0.1:0, ssl: off}").start();
    let (gone, tls) = (broker.port_of("gone"), broker.port_of("default"));
    broker.port = gone;
    let mut on_gone = Client::connect(&broker, "on-gone");
    broker.port = tls;
    let mut stays = connect(&broker, &first);
    let config = broker.config();
    // One that cannot be had: nothing changes, not even what could.
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = busy.local_addr().expect("has an address");
    broker.rewrite("server.pem", second.server().pem());
    broker.rewrite(
        "broker.yaml",
        config.replace("gone: {bind: 127.0.0.1:0, ssl: off}", &format!("new: {{bind: {taken}, ssl: off}}")),
    );
    broker.signal("HUP");
    broker.wait_for_log(&format!("everything stays as it was: listener `new`: cannot listen on `{taken}`"));
    broker.port = gone;
    drop(Client::connect(&broker, "still-listens"));
    // One that can, in place of another, and one that gets a limit.
    let config = config.replace("gone: {", "new: {").replace("    ssl: on", "    max-connections: 1\n    ssl: on");
    broker.rewrite("broker.yaml", config);
    broker.signal("HUP");
    broker.wait_for_log("listener `gone`: no longer listens");
    broker.wait_for_log("the configuration was taken anew");
    broker.port = broker.port_of("new");
    drop(Client::connect(&broker, "on-new"));
    assert!(TcpStream::connect(("127.0.0.1", gone)).is_err(), "nobody listens there");
    on_gone.subscribe("a", AtLeastOnce);
    on_gone.publish("a", AtLeastOnce, false, "b");
    assert_eq!(on_gone.receive_words(), "a b");
    broker.port = tls;
    // The place that the limit leaves is taken by a connection from before it.
    assert!(StreamOwned::new(session(&second), open(&broker)).write_all(CONNECT).is_err());
    ping(&mut stays);
    drop(stays);
    let deadline = Instant::now() + PATIENCE;
    while StreamOwned::new(session(&second), open(&broker)).write_all(CONNECT).is_err() {
        assert!(Instant::now() < deadline, "the place is not given back");
    }
}

#[test]
fn a_listener_without_a_usable_certificate_opens_nothing() {
    let authority = Authority::new();
    let check = |setting: &str, expected: &str| {
        let setup = setup(&authority, OPEN).another_listener("plain: {bind: 127.0.0.1:0, ssl: off}");
        let (status, stderr) = setup.file("other.pem", authority.server().key).listener(setting).fail();
        assert_eq!(status.code(), Some(1));
        assert!(stderr.contains(expected) && !stderr.contains("listening"), "{stderr}");
    };
    check("keyfile: other.pem", "broker.yaml:4:14: key `listeners.default.keyfile`: the private key in `");
    check("cafile: nowhere.pem", "broker.yaml:4:13: key `listeners.default.cafile`: cannot read `");
    check("require-certificate: on", "key `listeners.default.require-certificate`: there is nobody who could vouch");
}

/// What people check a server with: no old protocol, no weak cipher, no renegotiation.
#[test]
fn sslscan_finds_nothing_weak() {
    let authority = Authority::new();
    let broker = setup(&authority, OPEN).start();
    let mut command = Command::new("sslscan");
    command.args(["--no-colour", &format!("127.0.0.1:{}", broker.port)]);
    let output =
        command.output().unwrap_or_else(|error| panic!("cannot run sslscan: {error}; {}", crate::round::TOOLS_HINT));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    for (what, expected) in [
        ("SSLv2", "disabled"),
        ("SSLv3", "disabled"),
        ("TLSv1.0", "disabled"),
        ("TLSv1.1", "disabled"),
        ("TLSv1.2", "enabled"),
        ("TLSv1.3", "enabled"),
    ] {
        let line = text.lines().find(|line| line.starts_with(what)).unwrap_or_else(|| panic!("no {what}:\n{text}"));
        assert!(line.ends_with(expected), "{line}");
    }
    assert!(text.contains("Session renegotiation not supported"), "{text}");
    let vulnerable = |line: &str| line.contains("vulnerable") && !line.contains("not vulnerable");
    assert!(!text.lines().any(vulnerable), "{text}");
    let ciphers: Vec<_> =
        text.lines().filter(|line| line.starts_with("Preferred") || line.starts_with("Accepted")).collect();
    assert!(ciphers.len() >= 4, "{text}");
    for line in ciphers {
        let name = line.split_whitespace().find(|word| word.contains("AES") || word.contains("CHACHA20"));
        let name = name.unwrap_or_else(|| panic!("an unknown cipher: {line}"));
        let authenticated = name.contains("GCM") || name.contains("POLY1305");
        assert!(authenticated && (name.starts_with("TLS_") || name.starts_with("ECDHE-")), "{line}");
    }
}
