//! The brokers: how each is started and set up, so that none has to drop, store or log anything.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::packets::Version;
use crate::rights::ACL;
use crate::stream::Carrier;

/// A broker to measure.
#[derive(Debug, Clone)]
pub struct Peer {
    /// What it is called in the table.
    pub name: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Amqtt {
        command: PathBuf,
        plugins: bool,
    },
    Mosquitto(PathBuf),
    Rumqttd(PathBuf),
    FlashMq(PathBuf),
    /// Words of a command line, `{port}` among them.
    Other(Vec<String>),
}

/// What a broker is started for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    pub(crate) version: Version,
    pub(crate) carrier: Carrier,
    pub(crate) port: u16,
}

/// Files of the certificate in a broker's folder.
pub(crate) const CERTIFICATE: &str = "cert.pem";
pub(crate) const KEY: &str = "key.pem";

impl Peer {
    /// This project's broker: everyone may connect, and no plugin is asked about messages.
    #[must_use]
    pub fn amqtt(command: &Path) -> Self {
        Self { name: "amqtt".to_owned(), kind: Kind::Amqtt { command: command.to_owned(), plugins: false } }
    }

    /// The same with `topic_acl`, `event_logger` and `broker_sys`.
    #[must_use]
    pub fn amqtt_with_plugins(command: &Path) -> Self {
        Self { name: "amqtt+plugins".to_owned(), kind: Kind::Amqtt { command: command.to_owned(), plugins: true } }
    }

    /// Those that are found as commands: mosquitto, rumqttd and FlashMQ.
    #[must_use]
    pub fn found() -> Vec<Self> {
        let mosquitto = find("mosquitto").map(|path| ("mosquitto", Kind::Mosquitto(path)));
        let rumqttd = find("rumqttd").map(|path| ("rumqttd", Kind::Rumqttd(path)));
        let flashmq = find("flashmq").map(|path| ("flashmq", Kind::FlashMq(path)));
        [mosquitto, rumqttd, flashmq]
            .into_iter()
            .flatten()
            .map(|(name, kind)| Self { name: name.to_owned(), kind })
            .collect()
    }

    /// `NAME=COMMAND`. mosquitto, rumqttd and flashmq are known by their names and need a path only; any other command says
    /// with `{port}` where the port goes.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((name, command)) = text.split_once('=') else {
            bail!("`{text}` is not `NAME=COMMAND`");
        };
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let kind = match (name, words.as_slice()) {
            (_, []) => bail!("`{text}` has no command"),
            ("mosquitto", [path]) => Kind::Mosquitto(path.into()),
            ("rumqttd", [path]) => Kind::Rumqttd(path.into()),
            ("flashmq", [path]) => Kind::FlashMq(path.into()),
            _ if !command.contains("{port}") => {
                bail!("`{text}` has no `{{port}}`\n  hint: write it where the command takes the port to listen on")
            }
            _ => Kind::Other(words),
        };
        Ok(Self { name: name.to_owned(), kind })
    }

    /// Whether it is this project's.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.kind, Kind::Amqtt { .. })
    }

    /// Whether it has plugins that are told of events, and says how many were not told.
    pub(crate) fn tells_events(&self) -> bool {
        matches!(self.kind, Kind::Amqtt { plugins: true, .. })
    }

    /// Whether it can be told here to listen that way.
    pub(crate) fn speaks(&self, carrier: Carrier) -> bool {
        carrier == Carrier::Tcp || matches!(self.kind, Kind::Amqtt { .. } | Kind::Mosquitto(_) | Kind::FlashMq(_))
    }

    /// Writes its configuration into `dir`: the command that starts it.
    pub(crate) fn command(&self, dir: &Path, purpose: Purpose) -> Result<Command> {
        let write = |name: &str, text: String| {
            let path = dir.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
            Ok::<_, anyhow::Error>(path)
        };
        Ok(match &self.kind {
            Kind::Amqtt { command, plugins } => {
                let config = write("amqtt.yaml", amqtt(purpose, *plugins))?;
                let mut command = Command::new(command);
                command.arg("-c").arg(config);
                command
            }
            Kind::Mosquitto(path) => {
                let config = write("mosquitto.conf", mosquitto(purpose, dir))?;
                let mut command = Command::new(path);
                command.arg("-c").arg(config);
                command
            }
            Kind::Rumqttd(path) => {
                let config = write("rumqttd.toml", rumqttd(purpose))?;
                let mut command = Command::new(path);
                command.arg("-c").arg(config);
                command
            }
            Kind::FlashMq(path) => {
                let config = write("flashmq.conf", flashmq(purpose, dir))?;
                let mut command = Command::new(path);
                command.arg("--config-file").arg(config);
                command
            }
            Kind::Other(words) => {
                let port = purpose.port.to_string();
                let mut words = words.iter().map(|word| word.replace("{port}", &port));
                let mut command = Command::new(words.next().context("there is no command")?);
                command.args(words);
                command
            }
        })
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian keeps servers where only root's PATH leads.
    let dirs = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    dirs.map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn amqtt(Purpose { carrier, port, .. }: Purpose, plugins: bool) -> String {
    let mut text = format!("listeners:\n  default:\n    bind: 127.0.0.1:{port}\n");
    match carrier {
        Carrier::Tcp => {}
        Carrier::Tls => {
            let _ = write!(text, "    ssl: on\n    certfile: {CERTIFICATE}\n    keyfile: {KEY}\n");
        }
        Carrier::Ws => text.push_str("    type: ws\n"),
    }
    // As many connections in a second as it can take, and like the others below, nothing is dropped, and as many messages
    // in flight as FlashMQ, which drops what is more.
    text.push_str("limits:\n  connect-rate-max: 1000000\n  queue-messages-max: 1000000\n  inflight-max: 65535\n");
    if plugins {
        let _ = write!(
            text,
            "sys-interval: 1\ntopic-check:\n  acl:\n{ACL}\
             plugins: [auth_anonymous, topic_acl, event_logger, broker_sys]\n",
        );
    } else {
        text.push_str("log-level: warn\nplugins: [auth_anonymous]\n");
    }
    text
}

fn mosquitto(Purpose { carrier, port, .. }: Purpose, dir: &Path) -> String {
    // 2.0 ends at once if all it listens for is WebSocket (which it opens last): hence a socket that nobody uses.
    let unused = match carrier {
        Carrier::Ws => format!("listener 0 {}/unused.sock\n", dir.display()),
        Carrier::Tcp | Carrier::Tls => String::new(),
    };
    let mut text = format!(
        "user root\n{unused}listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n\
         log_type none\nsys_interval 0\nset_tcp_nodelay true\nmax_inflight_messages 1000\nmax_queued_messages 0\n\
         max_inflight_bytes 0\nmax_queued_bytes 0\n"
    );
    match carrier {
        Carrier::Tcp => {}
        Carrier::Tls => {
            let dir = dir.display();
            let _ = write!(text, "certfile {dir}/{CERTIFICATE}\nkeyfile {dir}/{KEY}\n");
        }
        Carrier::Ws => text.push_str("protocol websockets\n"),
    }
    text
}

fn rumqttd(Purpose { version, port, .. }: Purpose) -> String {
    let table = if version == Version::V5_0 { "v5" } else { "v4" };
    format!(
        "id = 0\n[router]\nid = 0\nmax_connections = 20000\nmax_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\nmax_segment_count = 10\n\
         [{table}.1]\nname = \"bench\"\nlisten = \"127.0.0.1:{port}\"\nnext_connection_delay_ms = 0\n\
         [{table}.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 1048576\n\
         max_inflight_count = 1000\ndynamic_filters = true\n"
    )
}

fn flashmq(Purpose { carrier, port, .. }: Purpose, dir: &Path) -> String {
    // By default it delivers at most 2,048 retained messages, and drops what does not fit into its buffers.
    let mut text = "allow_anonymous true\nlog_level error\nretained_messages_delivery_limit 1000000\n\
         max_qos_msg_pending_per_client 65535\nmax_qos_bytes_pending_per_client 1073741824\n\
         client_max_write_buffer_size 1073741824\n"
        .to_owned();
    let (protocol, more) = match carrier {
        Carrier::Tcp => ("mqtt", String::new()),
        Carrier::Tls => {
            let dir = dir.display();
            ("mqtt", format!("fullchain {dir}/{CERTIFICATE}\nprivkey {dir}/{KEY}\n"))
        }
        Carrier::Ws => ("websockets", String::new()),
    };
    let _ = write!(
        text,
        "listen {{\nprotocol {protocol}\nport {port}\ninet_protocol ip4\ninet4_bind_address 127.0.0.1\n{more}}}\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_name_and_a_command() {
        let purpose = Purpose { version: Version::V5_0, carrier: Carrier::Tcp, port: 99 };
        let peer = Peer::parse("other=/opt/other --listen 127.0.0.1:{port}").expect("is right");
        let command = peer.command(Path::new("/nowhere"), purpose).expect("needs no file");
        assert_eq!(peer.name, "other");
        assert_eq!(format!("{command:?}"), r#""/opt/other" "--listen" "127.0.0.1:99""#);
        assert!(!peer.speaks(Carrier::Ws));

        assert!(Peer::parse("mosquitto=/opt/mosquitto").expect("is known").speaks(Carrier::Tls));
        for (wrong, why) in [("other", "NAME=COMMAND"), ("other=", "no command"), ("other=/opt/other", "{port}")] {
            let error = Peer::parse(wrong).expect_err(wrong).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
