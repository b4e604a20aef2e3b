use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// What a client does that ends its WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebSocketFault {
    /// MQTT is binary `[MQTT-6.0.0-1]`.
    #[error("a text frame")]
    Text,
    /// A frame or message of more bytes than any packet may have.
    #[error("a frame or message that is too large")]
    TooLarge,
    /// What clients send is masked (RFC 6455, 5.1).
    #[error("a frame without a mask")]
    Unmasked,
    /// Bits or a kind of frame that no extension was agreed on for (5.2).
    #[error("a frame of a kind that was not agreed on")]
    Reserved,
    /// A message that begins within another, or goes on without having begun (5.4).
    #[error("fragments out of order")]
    Fragments,
    /// One that is too long or in fragments (5.5).
    #[error("a control frame that is not valid")]
    Control,
}

impl WebSocketFault {
    /// The status that tells the client (7.4.1).
    pub(super) fn close_code(self) -> CloseCode {
        match self {
            Self::Text => CloseCode::Unsupported,
            Self::TooLarge => CloseCode::Size,
            Self::Unmasked | Self::Reserved | Self::Fragments | Self::Control => CloseCode::Protocol,
        }
    }
}
