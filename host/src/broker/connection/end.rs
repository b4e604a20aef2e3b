use crate::broker::session::Displaced;
use crate::codec::Disconnect;
use crate::net::{Ending, WebSocketFault};
use crate::protocol::Violation;
use crate::types::{Capabilities, ReasonCode};

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::broker) enum End {
    #[error("it sent DISCONNECT")]
    Disconnect,
    #[error("it sent DISCONNECT to have its will published ({0:?})")]
    DisconnectWithWill(ReasonCode),
    #[error("it closed the connection without DISCONNECT")]
    Eof,
    #[error("connection lost: {0}")]
    Io(std::io::ErrorKind),
    #[error("WebSocket violation: {0}")]
    WebSocket(#[from] WebSocketFault),
    #[error("protocol violation: {0}")]
    Violation(#[from] Violation),
    #[error("another connection uses its client identifier")]
    Displaced,
    #[error("the broker is shutting down")]
    Shutdown,
    #[error("it has not proved again who it is ({0:?})")]
    NotProven(ReasonCode),
    #[error("an answer would be larger than what it takes")]
    AnswerTooLarge,
    #[error("a fault of the broker, see above: please report it")]
    Panic,
}

impl End {
    /// What the client is told, if its version of the protocol has words for that and it can be heard.
    pub(super) fn farewell(&self, capabilities: &Capabilities) -> Option<ReasonCode> {
        match self {
            Self::Disconnect | Self::DisconnectWithWill(_) | Self::Eof | Self::Io(_) | Self::WebSocket(_) => None,
            Self::Violation(violation) => Some(violation.reason_code()),
            Self::NotProven(reason) => Some(*reason),
            Self::Displaced => Some(ReasonCode::SessionTakenOver),
            Self::Shutdown => Some(capabilities.farewell()),
            Self::AnswerTooLarge => Some(ReasonCode::PacketTooLarge),
            Self::Panic => Some(ReasonCode::UnspecifiedError),
        }
    }

    /// What the client has said or is told, in a number: none where the connection just broke.
    pub(super) fn reason_code(&self, capabilities: &Capabilities) -> Option<ReasonCode> {
        match self {
            Self::Disconnect => Some(ReasonCode::Success),
            Self::DisconnectWithWill(reason) => Some(*reason),
            end => end.farewell(capabilities),
        }
    }
}

impl From<Disconnect<'_>> for End {
    fn from(disconnect: Disconnect<'_>) -> Self {
        match disconnect.reason {
            ReasonCode::Success => Self::Disconnect,
            reason => Self::DisconnectWithWill(reason),
        }
    }
}

impl From<Displaced> for End {
    fn from(_: Displaced) -> Self {
        Self::Displaced
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<WebSocketFault>());
        fault.map_or(Self::Io(error.kind()), |fault| Self::WebSocket(*fault))
    }
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        match end {
            End::Disconnect | End::DisconnectWithWill(_) | End::Eof | End::Io(_) => Self::Normal,
            End::WebSocket(_) | End::Violation(_) => Self::Violation,
            End::Displaced | End::NotProven(_) | End::AnswerTooLarge | End::Panic => Self::Refused,
            End::Shutdown => Self::GoingAway,
        }
    }
}
