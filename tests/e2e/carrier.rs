//! Bytes of MQTT over whatever a listener speaks.

use std::io::{Read, Write};
use std::net::TcpStream;

use tokio_rustls::rustls::{ClientConnection, StreamOwned};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::broker::Broker;
use crate::certificates::Authority;
use crate::protocol::open;
use crate::tls::session;

type Tls = StreamOwned<ClientConnection, TcpStream>;

pub(crate) enum Carrier {
    Tcp(TcpStream),
    Tls(Box<Tls>),
    Ws(Box<tungstenite::WebSocket<TcpStream>>),
    Wss(Box<tungstenite::WebSocket<Tls>>),
}

impl Carrier {
    /// Connects to a listener by its name, and by what the broker's log says of it.
    pub(crate) fn open(broker: &mut Broker, authority: &Authority, listener: &str) -> Self {
        let line = broker.wait_for_log(&format!("listener `{listener}` ("));
        broker.port = broker.port_of(listener);
        let stream = open(broker);
        if line.contains(" (tcp): ") {
            Self::Tcp(stream)
        } else if line.contains(" (ws): ") {
            Self::Ws(Box::new(websocket(stream, "/").expect("is taken")))
        } else {
            let tls = StreamOwned::new(session(authority), stream);
            if line.contains(" (tls): ") {
                Self::Tls(Box::new(tls))
            } else {
                Self::Wss(Box::new(websocket(tls, "/").expect("is taken")))
            }
        }
    }

    /// Sends packets, and returns so many bytes of what is answered.
    pub(crate) fn exchange(&mut self, packets: &[u8], answer_len: usize) -> Vec<u8> {
        let mut answer = vec![0; answer_len];
        let done = match self {
            Self::Tcp(stream) => stream.write_all(packets).and_then(|()| stream.read_exact(&mut answer)),
            Self::Tls(stream) => stream.write_all(packets).and_then(|()| stream.read_exact(&mut answer)),
            Self::Ws(socket) => return frames(socket, packets, answer_len),
            Self::Wss(socket) => return frames(socket, packets, answer_len),
        };
        done.expect("is answered");
        answer
    }
}

/// Asks for a WebSocket with MQTT; the message of the refusal, if it is refused.
pub(crate) fn websocket<S: Read + Write>(stream: S, path: &str) -> Result<tungstenite::WebSocket<S>, String> {
    let mut request = format!("ws://localhost{path}").into_client_request().expect("is a request");
    request.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().expect("is a header"));
    let (socket, response) = tungstenite::client(request, stream).map_err(|error| error.to_string())?;
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
    Ok(socket)
}

/// Bytes of MQTT in a frame.
pub(crate) fn binary(bytes: &[u8]) -> Message {
    Message::Binary(bytes.to_vec().into())
}

fn frames<S: Read + Write>(socket: &mut tungstenite::WebSocket<S>, packets: &[u8], answer_len: usize) -> Vec<u8> {
    socket.send(binary(packets)).expect("is open");
    read(socket, answer_len)
}

/// Reads so many bytes of MQTT, however they are framed.
pub(crate) fn read<S: Read + Write>(socket: &mut tungstenite::WebSocket<S>, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < len {
        match socket.read().expect("is answered") {
            Message::Binary(part) => bytes.extend_from_slice(&part),
            other => panic!("{other:?} after {bytes:?}"),
        }
    }
    bytes
}
