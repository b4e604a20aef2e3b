use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::stream::WebSocket;

/// Bytes of the largest request: browsers send some 1 KiB, and as much again of cookies.
const REQUEST_BYTES_MAX: usize = 8 << 10;

/// How long the peer of a refused request is given to read why.
const LINGER: Duration = Duration::from_secs(1);

/// The subprotocols that stand for MQTT: the standard's `[MQTT-6.0.0-3]`, and the one of MQTT 3.1.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

const SUBPROTOCOL_HEADER: &str = "sec-websocket-protocol";

/// What a listener asks of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketSettings {
    /// The path that clients have to ask for; none for any.
    pub path: Option<String>,
    /// The origins of web pages that may connect; none for any. Clients that are no browsers name none, and may.
    pub origins: Option<Vec<String>>,
    /// Bytes of the largest message.
    pub message_bytes_max: u64,
}

/// The first byte of a client that speaks TLS: the type of a record.
const TLS_HANDSHAKE: u8 = 0x16;

/// Why a request did not become a WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection is lost, or the client has left.
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    /// What came first is no request.
    #[error("no HTTP request")]
    NotHttp,
    /// The handshake of TLS comes where a request should be.
    #[error(
        "the client speaks TLS, and this listener does not; hint: connect it with `ws://`, or set `ssl: on` for the listener"
    )]
    Tls,
    /// The request was answered with an error.
    #[error("HTTP request refused: {}", .0.why)]
    Refused(Refusal),
}

/// An answer that is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status and its name.
    status: &'static str,
    /// Headers that belong to it.
    headers: &'static str,
    /// What is wrong, for people.
    why: &'static str,
}

const TOO_LARGE: Refusal =
    Refusal { status: "431 Request Header Fields Too Large", headers: "", why: "the request is too large" };
const NOT_VALID: Refusal = Refusal { status: "400 Bad Request", headers: "", why: "the request is not valid" };
const NO_UPGRADE: Refusal = Refusal {
    status: "426 Upgrade Required",
    headers: "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    why: "it asks for no WebSocket; here is MQTT over WebSocket",
};
const NO_SUBPROTOCOL: Refusal =
    Refusal { status: "400 Bad Request", headers: "", why: "it does not offer the subprotocol `mqtt`" };
const FORBIDDEN: Refusal =
    Refusal { status: "403 Forbidden", headers: "", why: "pages of this origin may not connect" };
const NOT_FOUND: Refusal = Refusal { status: "404 Not Found", headers: "", why: "no WebSocket at this path" };

/// Shakes hands. The time for that is the caller's to bound.
pub(in crate::net) async fn accept<S>(mut io: S, settings: &WebSocketSettings) -> Result<WebSocket<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let agreed = match read_request(&mut io).await? {
        Ok(head) => agree(&head, settings),
        Err(refusal) => Err(refusal),
    };
    match agreed {
        Ok(response) => {
            io.write_all(&response).await?;
            io.flush().await?;
            Ok(WebSocket::new(io, settings.message_bytes_max))
        }
        Err(refusal) => {
            // Whether it heard us makes no difference.
            drop(timeout(LINGER, refuse(&mut io, refusal)).await);
            Err(HandshakeError::Refused(refusal))
        }
    }
}

/// Reads to the empty line that ends a request without a body.
async fn read_request<S: AsyncRead + Unpin>(io: &mut S) -> Result<Result<Vec<u8>, Refusal>, HandshakeError> {
    let mut head = Vec::with_capacity(1 << 10);
    loop {
        let before = head.len();
        if (&mut *io).take((REQUEST_BYTES_MAX - before) as u64).read_buf(&mut head).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        // Every method begins so. No other protocol that comes to a wrong port does.
        if !head[0].is_ascii_uppercase() {
            return Err(if head[0] == TLS_HANDSHAKE { HandshakeError::Tls } else { HandshakeError::NotHttp });
        }
        let new = &head[before.saturating_sub(3)..];
        if new.windows(4).any(|window| window == b"\r\n\r\n") {
            return Ok(Ok(head));
        }
        if head.len() == REQUEST_BYTES_MAX {
            return Ok(Err(TOO_LARGE));
        }
    }
}

/// The answer to a request that asks for what is here.
fn agree(head: &[u8], settings: &WebSocketSettings) -> Result<Vec<u8>, Refusal> {
    let (len, request) = match Request::try_parse(head) {
        Ok(Some(parsed)) => parsed,
        Ok(None) | Err(_) => return Err(NOT_VALID),
    };
    // A client has to wait for the answer (RFC 6455, 4.1).
    if len < head.len() {
        return Err(NOT_VALID);
    }
    let mut response = create_response(&request).map_err(|error| match error {
        Error::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        ) => NO_UPGRADE,
        _ => NOT_VALID,
    })?;
    if settings.path.as_ref().is_some_and(|path| path != request.uri().path()) {
        return Err(NOT_FOUND);
    }
    if settings.origins.as_ref().is_some_and(|origins| !is_from(&request, origins)) {
        return Err(FORBIDDEN);
    }
    let subprotocol = subprotocol(&request).ok_or(NO_SUBPROTOCOL)?;
    response.headers_mut().insert(SUBPROTOCOL_HEADER, HeaderValue::from_static(subprotocol));
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).map_err(|_| NOT_VALID)?;
    Ok(bytes)
}

/// Whether all that a request says of the page that it is from is among these (RFC 6455, 10.2).
fn is_from(request: &Request, origins: &[String]) -> bool {
    let is_known = |origin: &str| origins.iter().any(|known| known.eq_ignore_ascii_case(origin));
    request.headers().get_all("origin").iter().all(|value| value.to_str().is_ok_and(is_known))
}

/// The first offered subprotocol that stands for MQTT.
fn subprotocol(request: &Request) -> Option<&'static str> {
    let offered = request.headers().get_all(SUBPROTOCOL_HEADER).into_iter().filter_map(|value| value.to_str().ok());
    let mut names = offered.flat_map(|value| value.split(',')).map(str::trim);
    names.find_map(|name| SUBPROTOCOLS.into_iter().find(|known| *known == name))
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S, refusal: Refusal) -> io::Result<()> {
    let Refusal { status, headers, why } = refusal;
    let length = why.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{why}\n"
    );
    io.write_all(answer.as_bytes()).await?;
    io.shutdown().await?;
    // Closing with unread bytes would reset the connection, and the answer with it.
    let mut ignored = [0; 512];
    while io.read(&mut ignored).await? > 0 {}
    Ok(())
}
