//! The plugins that come with the broker, as their users meet them: each setting of their READMEs.

mod auth_file;
mod broker_sys;
mod event_logger;
mod packet_logger;
mod revocation;
mod topic_acl;
mod topic_taboo;

use rumqttc::ConnectReturnCode;

use crate::broker::Broker;
use crate::client::{Client, options};

/// Connects under a user name, which is the client identifier as well.
pub(crate) fn connect_as(broker: &Broker, username: &str, password: &str) -> Result<Client, ConnectReturnCode> {
    let mut options = options(broker, username);
    options.set_credentials(username, password);
    Client::connect_with(options)
}

/// Connects under a user name with a session that outlives the connection.
fn resume_as(broker: &Broker, username: &str) -> Client {
    let mut options = options(broker, username);
    options.set_credentials(username, "").set_clean_session(false);
    Client::connect_with(options).expect("accepted")
}
