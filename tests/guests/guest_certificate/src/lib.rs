//! Lets in the holder of one certificate, and logs what the broker knows of everybody's TLS.

use amqtt_plugin_sdk::{Auth, Client, Decision, NoSettings, Plugin, log, plugin};

struct ByCertificate;

impl Plugin for ByCertificate {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(ByCertificate)
    }
}

impl Auth for ByCertificate {
    fn authenticate(&mut self, client: &Client, _: Option<&str>, _: Option<&[u8]>) -> Decision {
        let (transport, version) = (client.transport(), client.tls_version());
        let Some(certificate) = client.certificate() else {
            log::info(format_args!("by {transport} {version:?} without a certificate"));
            return Decision::Deny;
        };
        log::info(format_args!("by {transport} {version:?} with {} {}", certificate.subject, certificate.sha256));
        if certificate.subject == "CN=sensor,O=Example" { Decision::Allow } else { Decision::Deny }
    }
}

plugin!(ByCertificate: Auth);
