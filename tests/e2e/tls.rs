//! TLS as clients see it, and what is no TLS.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::broker::{Broker, Setup};
use crate::certificates::{Authority, Identity};

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
fn mosquitto_speaks_either_version() {
    let tls = Tls::start(&[]);
    for version in ["tlsv1.2", "tlsv1.3"] {
        let output = tls.publish(&["--tls-version", version]);
        assert!(output.status.success(), "{version}: {output:?}");
        let output = tls.publish(&["--tls-version", version, "--tls-alpn", "mqtt"]);
        assert!(output.status.success(), "{version} with ALPN: {output:?}");
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
}
