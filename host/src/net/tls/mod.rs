//! TLS of a listener: what its settings name is loaded, and loaded again when it changes.

mod acceptor;
mod error;
mod files;
mod peer;
mod settings;
#[cfg(test)]
mod tests;

pub use acceptor::{Reload, TlsAcceptor};
pub(super) use error::VERSION_3;
pub use error::{TlsError, TlsErrors, TlsFault, TlsWarning};
pub(super) use peer::facts;
pub use settings::TlsSettings;
