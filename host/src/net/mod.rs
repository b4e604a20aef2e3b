//! Where clients come in: listeners, and connections as streams of bytes.

mod bind;
mod listener;
mod places;
mod seldom;
mod tls;
mod transport;
mod upgrade;
mod websocket;

pub use bind::{BindAddress, BindError};
pub use listener::{Accepted, Admission, Gate, Listener, Terms, TurnedAway};
pub use tls::{Reload, TlsAcceptor, TlsError, TlsErrors, TlsFault, TlsSettings, TlsWarning};
pub use transport::Transport;
pub use upgrade::{Placed, Upgrade, UpgradeError, Upgraded};
pub use websocket::{Ending, HandshakeError, WebSocket, WebSocketFault, WebSocketSettings};
