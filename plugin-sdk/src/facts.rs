use crate::bindings::capabilities::amqtt::plugin::types as wit;

/// A name and a value that mean something to applications (MQTT 5.0). Names may repeat.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserProperty {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// What a client's certificate says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The distinguished name as RFC 4514 writes it, for example `CN=sensor-7,O=Example`.
    pub subject: String,
    /// The common name in it, if there is one.
    pub common_name: Option<String>,
    /// The serial number in lower-case hexadecimal digits.
    pub serial: String,
    /// The SHA-256 of the certificate in lower-case hexadecimal digits.
    pub sha256: String,
}

impl From<wit::UserProperty> for UserProperty {
    fn from(wit::UserProperty { name, value }: wit::UserProperty) -> Self {
        UserProperty { name, value }
    }
}
