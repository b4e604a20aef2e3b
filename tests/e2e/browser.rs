//! A page in a real browser, with mqtt.js.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tempfile::TempDir;

use crate::broker::Setup;
use crate::certificates::Authority;
use crate::round::TOOLS_HINT;

/// Longer than a browser takes to start on a busy machine; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Connects, subscribes, publishes, receives; then tells what it received, or what went wrong.
const PAGE: &str = r#"<!doctype html><title>mqtt.js</title><script src="mqtt.js"></script><script>
const tell = text => fetch("result", { method: "POST", body: text });
const url = URLS;
const round = url => new Promise((done, failed) => {
    const client = mqtt.connect(url, { clientId: "browser-" + url.split(":")[0], reconnectPeriod: 0, protocolVersion: VERSION });
    const payload = "y".repeat(200000);
    client.on("error", failed);
    client.on("close", () => failed(new Error(url + " was closed")));
    client.on("message", (topic, message, packet) => {
        const whole = message.toString() === payload;
        client.removeAllListeners("close");
        client.end(false, {}, () => done(`${url.split(":")[0]} ${topic} ${packet.qos} ${whole}`));
    });
    client.on("connect", () => client.subscribe("browser/#", { qos: 2 }, error => {
        if (error) failed(error);
        client.publish("browser/" + url.split(":")[0], payload, { qos: 2 });
    }));
});
(async () => {
    const told = [];
    for (const one of url) told.push(await round(one));
    return told.join("\n");
})().then(tell, error => tell("failed: " + error + " " + (error.stack || "")));
</script>"#;

/// The web server of a page. Gives what the page tells.
fn serve(page: String, script: Vec<u8>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("has an address").port();
    let (told, result) = channel();
    // Ends with the process: a browser may keep connections that say nothing.
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (page, script, told) = (page.clone(), script.clone(), told.clone());
            std::thread::spawn(move || answer(&stream, &page, &script, &told));
        }
    });
    (port, result)
}

/// One request, one answer. A connection that is lost is the browser's to open again.
fn answer(mut stream: &TcpStream, page: &str, script: &[u8], told: &Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let request = line.clone();
    let mut length = 0;
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let (kind, body) = match request.split(' ').nth(1)? {
        "/" => ("text/html", page.as_bytes()),
        "/mqtt.js" => ("text/javascript", script),
        "/result" => {
            let mut text = vec![0; length];
            reader.read_exact(&mut text).ok()?;
            told.send(String::from_utf8_lossy(&text).into_owned()).ok()?;
            ("text/plain", &b""[..])
        }
        _ => ("text/plain", &b""[..]),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()
}

/// A browser without a window. Ended when dropped, with all its processes.
struct Browser {
    child: Child,
    _profile: TempDir,
}

impl Browser {
    fn open(url: &str) -> Self {
        let name = std::env::var("AMQTT_TEST_CHROMIUM").unwrap_or_else(|_| "chromium".into());
        let profile = TempDir::new().expect("a temporary folder");
        let mut command = Command::new(&name);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-dev-shm-usage", "--ignore-certificate-errors"]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("--remote-debugging-port=0").arg(url);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot run {name}: {error}; {TOOLS_HINT}"));
        Self { child, _profile: profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-s", "KILL", "--", &group]).status());
        drop(self.child.wait());
    }
}

fn check(version: u8) {
    let path = std::env::var("AMQTT_TEST_MQTT_JS")
        .unwrap_or_else(|_| panic!("`AMQTT_TEST_MQTT_JS` is not set: there is no mqtt.js; {TOOLS_HINT}"));
    let script = std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}; {TOOLS_HINT}"));
    let authority = Authority::new();
    let mut broker = Setup::new("plugins: [auth_anonymous]\n")
        .file("server.pem", authority.server().pem())
        .another_listener("plain: {bind: 127.0.0.1:0, type: ws}")
        .another_listener("secure: {bind: 127.0.0.1:0, type: ws, ssl: on, certfile: server.pem}")
        .start();
    let (plain, secure) = (broker.port_of("plain"), broker.port_of("secure"));
    let urls = format!("[\"ws://127.0.0.1:{plain}/mqtt\", \"wss://127.0.0.1:{secure}/mqtt\"]");
    let page = PAGE.replace("URLS", &urls).replace("VERSION", &version.to_string());
    let (port, result) = serve(page, script);
    let _browser = Browser::open(&format!("http://127.0.0.1:{port}/"));
    let told =
        result.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the page tells nothing\n{}", broker.log_so_far()));
    assert_eq!(told, "ws browser/ws 2 true\nwss browser/wss 2 true");
    // Each said that it leaves.
    for client in ["browser-ws", "browser-wss"] {
        broker.wait_for_log(&format!("client \"{client}\" disconnected: it sent DISCONNECT"));
    }
}

#[test]
fn a_page_talks_mqtt_3_1_1_over_ws_and_wss() {
    check(4);
}

#[test]
fn a_page_talks_mqtt_5_0_over_ws_and_wss() {
    check(5);
}
