use std::fmt;
use std::io;
use std::path::PathBuf;

use tokio_rustls::rustls;

/// All that is wrong with what the settings of a listener's TLS name; at least one thing.
#[derive(Debug)]
pub struct TlsErrors(pub Vec<TlsError>);

impl TlsErrors {
    /// Whether something was not read: what it says is not known.
    pub(super) fn are_of_reading(&self) -> bool {
        self.0.iter().any(|error| matches!(error.fault, TlsFault::Unreadable { .. }))
    }
}

impl fmt::Display for TlsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TlsErrors {}

/// What is wrong with what a setting of TLS names.
#[derive(Debug, thiserror::Error)]
#[error("`{setting}`: {fault}")]
pub struct TlsError {
    /// The key in the configuration, for example `certfile`.
    pub setting: &'static str,
    /// What is wrong.
    pub fault: TlsFault,
}

/// Why a certificate, a key or the authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A file or folder cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not one that anybody keeps certificates in.
    #[error("`{}` is larger than {bytes_max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes of the largest file that is read.
        bytes_max: u64,
    },
    /// A folder holds more than anybody's authorities.
    #[error("`{}` holds more than {entries_max} files", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// Files of the largest folder that is read.
        entries_max: usize,
    },
    /// There is no certificate where one has to be.
    #[error("there is no certificate in {0}")]
    NoCertificate(Place),
    /// The text of a certificate or key is damaged.
    #[error("{place} is no valid PEM: {why}")]
    NotPem {
        /// Where it is.
        place: Place,
        /// What the reader says.
        why: String,
    },
    /// A text is no certificate in any of the forms that it may have.
    #[error("its text is neither PEM nor base64 of a certificate in DER")]
    NotText,
    /// What is marked as a certificate is none.
    #[error("certificate {number} in {place} is not valid: {why}")]
    BadCertificate {
        /// Where it is.
        place: Place,
        /// Which one it is there, counted from 1.
        number: usize,
        /// What the reader says.
        why: String,
    },
    /// A certificate is of the first version, which has no room for what says whom it is for.
    #[error("certificate 1 in {0} is X.509 version 1, where version 3 is wanted")]
    Version1(Place),
    /// There is no private key where one has to be.
    #[error("there is no private key in `{}`", .0.display())]
    NoKey(PathBuf),
    /// The private key can only be read with a password.
    #[error("the private key in `{}` is encrypted", .0.display())]
    EncryptedKey(PathBuf),
    /// The private key is damaged, or of a kind that is not supported.
    #[error("the private key in `{}` is not supported or damaged", .0.display())]
    BadKey(PathBuf),
    /// The private key is another certificate's.
    #[error("the private key in `{}` does not belong to the certificate in `{}`", key.display(), certificate.display())]
    OtherKey {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// TLS cannot be set up with what was read.
    #[error("cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// How to make a certificate of the version that is wanted.
pub(in crate::net) const VERSION_3: &str = "`openssl x509 -req` makes version 3 with `-extfile FILE`, where FILE has a \
                                            line such as `subjectAltName=DNS:HOST`; `openssl req -x509` with `-addext`";

impl TlsFault {
    /// What can be done about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotText => Some("PEM wants its lines: write `cadata: |` and indent them below"),
            Self::NoCertificate(Place::Der(_)) => {
                Some("the file is DER; make PEM of it with `openssl x509 -inform der -in FILE -out FILE.pem`")
            }
            Self::NoCertificate(_) => Some("a PEM file has a line `-----BEGIN CERTIFICATE-----`"),
            Self::Version1(_) => Some(VERSION_3),
            Self::NoKey(_) => Some("set `keyfile` to the file that has it, with a line `-----BEGIN PRIVATE KEY-----`"),
            Self::EncryptedKey(_) => {
                Some("decrypt it with `openssl pkey -in FILE -out FILE`, and keep it readable by the broker only")
            }
            Self::BadKey(_) => Some("RSA of 2048 to 8192 bits, ECDSA on P-256 or P-384, and Ed25519 are supported"),
            Self::OtherKey { .. } => Some("the first certificate in the file has to be the listener's own"),
            _ => None,
        }
    }
}

/// Where certificates were looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Place {
    /// A file.
    #[error("`{}`", .0.display())]
    File(PathBuf),
    /// A file that is DER where PEM is wanted.
    #[error("`{}`", .0.display())]
    Der(PathBuf),
    /// A folder.
    #[error("the folder `{}`", .0.display())]
    Folder(PathBuf),
    /// The text of the setting itself.
    #[error("its text")]
    Setting,
}

/// What people should know of and TLS works without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}`: {message}")]
pub struct TlsWarning {
    /// The key in the configuration.
    pub setting: &'static str,
    /// What there is to know.
    pub message: String,
}
