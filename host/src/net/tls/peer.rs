//! What a handshake has shown of the client.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::{ProtocolVersion as TlsVersion, ServerConnection};
use x509_parser::parse_x509_certificate;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::types::{CertificateFacts, TlsFacts};

/// Attributes that have a name in a distinguished name: those of RFC 4514 (3), and two that OpenSSL writes.
const NAMED_ATTRIBUTES: [(&str, &str); 11] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("2.5.4.5", "serialNumber"),
];

const COMMON_NAME: &str = "2.5.4.3";

/// What is known after the handshake.
pub(in crate::net) fn facts(connection: &ServerConnection) -> TlsFacts {
    let version = match connection.protocol_version() {
        Some(TlsVersion::TLSv1_2) => "1.2",
        // The only other one that is offered.
        _ => "1.3",
    };
    let own = connection.peer_certificates().and_then(<[_]>::first);
    TlsFacts { version, certificate: own.and_then(|der| certificate(der)) }
}

/// What a certificate says; none if it cannot be read, which the handshake has ruled out.
pub(super) fn certificate(der: &[u8]) -> Option<CertificateFacts> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    let subject = certificate.subject();
    let common_name = subject
        .iter_attributes()
        .filter(|attribute| attribute.attr_type().to_id_string() == COMMON_NAME)
        .last()
        .and_then(|attribute| attribute.as_str().ok());
    let serial = certificate.raw_serial();
    // A sign is not a part of the number.
    let serial = match serial {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => serial,
    };
    Some(CertificateFacts {
        subject: distinguished_name(subject).into(),
        common_name: common_name.map(Into::into),
        serial: hex(serial).into(),
        sha256: Sha256::digest(der).into(),
    })
}

/// A name as RFC 4514 writes it: the most specific part first, and no value can pass for several parts.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let parts: Vec<String> =
        name.iter_rdn().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let id = attribute.attr_type().to_id_string();
    let name = NAMED_ATTRIBUTES.iter().find(|(known, _)| *known == id).map(|(_, name)| *name);
    match (name, attribute.as_str()) {
        (Some(name), Ok(value)) => format!("{name}={}", escaped(value)),
        // In the form for what has no text (RFC 4514, 2.4).
        (name, _) => format!("{}=#{}", name.unwrap_or(&id), hex(&encoded(attribute))),
    }
}

/// The value with its tag and length.
fn encoded(attribute: &AttributeTypeAndValue<'_>) -> Vec<u8> {
    let value = attribute.attr_value();
    let data: &[u8] = value.data;
    let length = data.len().to_be_bytes();
    let length = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1)..];
    // Tags of text are all below 31, and universal.
    let mut bytes = vec![value.tag().0 as u8];
    if data.len() >= 0x80 {
        bytes.push(0x80 | length.len() as u8);
    }
    bytes.extend_from_slice(length);
    bytes.extend_from_slice(data);
    bytes
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', c]),
            '#' if index == 0 => text.extend(['\\', c]),
            ' ' if index == 0 || index == last => text.extend(['\\', c]),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    // Writing to a string does not fail.
                    let _ = write!(text, "\\{byte:02x}");
                }
            }
            c => text.push(c),
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
