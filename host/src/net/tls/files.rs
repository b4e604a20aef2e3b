//! Certificates and keys as people keep them: files of PEM, folders of such files, text.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::{PemObject, SectionKind};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::parse_x509_certificate;
use x509_parser::x509::X509Version;

use super::error::{Place, TlsFault, TlsWarning};
use crate::regular_file;

/// Bytes of the largest file that is read: some ten times all authorities that a browser knows.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Files of the largest folder of authorities.
const FOLDER_ENTRIES_MAX: usize = 10_000;

/// The first byte of DER, which is what people take for PEM most.
const DER_SEQUENCE: u8 = 0x30;

/// The certificates of a file: at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let bytes = read(path)?;
    let found = pem_certificates(&bytes, &Place::File(path.to_owned()))?;
    if found.is_empty() {
        let place = if bytes.first() == Some(&DER_SEQUENCE) { Place::Der } else { Place::File };
        return Err(TlsFault::NoCertificate(place(path.to_owned())));
    }
    Ok(found)
}

/// Whether a certificate is of the first version, which TLS takes of authorities only.
pub(super) fn is_version_1(certificate: &CertificateDer<'_>) -> bool {
    parse_x509_certificate(certificate).is_ok_and(|(_, certificate)| certificate.version() == X509Version::V1)
}

/// The first private key of a file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFault> {
    let bytes = read(path)?;
    // The older kind of encryption is a header within the section.
    if contains(&bytes, b"Proc-Type: 4,ENCRYPTED") {
        return Err(TlsFault::EncryptedKey(path.to_owned()));
    }
    match PrivateKeyDer::pem_slice_iter(&bytes).next() {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(not_pem(Place::File(path.to_owned()), &error)),
        None if contains(&bytes, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") => {
            Err(TlsFault::EncryptedKey(path.to_owned()))
        }
        None => Err(TlsFault::NoKey(path.to_owned())),
    }
}

/// Those who may vouch for clients. Each certificate counts once, however many files have it.
pub(super) struct Authorities {
    pub(super) store: RootCertStore,
    seen: HashSet<CertificateDer<'static>>,
}

impl Authorities {
    /// Nobody.
    pub(super) fn none() -> Self {
        Self { store: RootCertStore::empty(), seen: HashSet::new() }
    }

    /// Adds all certificates of a PEM file.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), TlsFault> {
        self.add_all(certificates(path)?, &Place::File(path.to_owned()))
    }

    /// Adds the certificates of all PEM files of a folder, whatever their names are: OpenSSL's hashes too.
    ///
    /// What is no certificate is passed over. A file that cannot be used lacks afterwards, which is a warning.
    pub(super) fn add_folder(&mut self, path: &Path, setting: &'static str) -> Result<Vec<TlsWarning>, TlsFault> {
        let mut warnings = Vec::new();
        let mut found = false;
        for file in folder(path)? {
            match self.add_file_of_folder(&file) {
                Ok(some) => found |= some,
                // It is the system that lacks something, and may have it at the next look.
                Err(TlsFault::Unreadable { path, source }) if is_short(&source) => {
                    return Err(TlsFault::Unreadable { path, source });
                }
                Err(fault) => warnings.push(TlsWarning { setting, message: format!("left out: {fault}") }),
            }
        }
        if !found {
            return Err(TlsFault::NoCertificate(Place::Folder(path.to_owned())));
        }
        Ok(warnings)
    }

    /// Whether there was a certificate in it.
    fn add_file_of_folder(&mut self, path: &Path) -> Result<bool, TlsFault> {
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            // A link that leads nowhere, as packages leave them behind.
            Err(TlsFault::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(false),
            Err(fault) => return Err(fault),
        };
        if !contains(&bytes, b"-----BEGIN CERTIFICATE-----") {
            return Ok(false);
        }
        let place = Place::File(path.to_owned());
        self.add_all(pem_certificates(&bytes, &place)?, &place)?;
        Ok(true)
    }

    /// Adds the certificates of a text: PEM, or base64 of one or more certificates in DER.
    pub(super) fn add_text(&mut self, text: &str) -> Result<(), TlsFault> {
        let place = Place::Setting;
        let found = if text.contains("-----BEGIN") {
            pem_certificates(text.as_bytes(), &place)?
        } else {
            der_certificates(text).ok_or(TlsFault::NotText)?
        };
        if found.is_empty() {
            return Err(TlsFault::NoCertificate(place));
        }
        self.add_all(found, &place)
    }

    fn add_all(&mut self, found: Vec<CertificateDer<'static>>, place: &Place) -> Result<(), TlsFault> {
        for (index, certificate) in found.into_iter().enumerate() {
            if self.seen.contains(&certificate) {
                continue;
            }
            self.store.add(certificate.clone()).map_err(|error| TlsFault::BadCertificate {
                place: place.clone(),
                number: index + 1,
                why: error.to_string(),
            })?;
            self.seen.insert(certificate);
        }
        Ok(())
    }
}

/// The files of a folder in order, without those that are hidden, and without folders.
pub(super) fn folder(path: &Path) -> Result<Vec<PathBuf>, TlsFault> {
    let unreadable = |source| TlsFault::Unreadable { path: path.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") || entry.path().is_dir() {
            continue;
        }
        if files.len() == FOLDER_ENTRIES_MAX {
            return Err(TlsFault::TooMany { path: path.to_owned(), entries_max: FOLDER_ENTRIES_MAX });
        }
        files.push(entry.path());
    }
    files.sort_unstable();
    Ok(files)
}

/// Whether the system could not read a file because it has no room for one more, whatever the file is.
fn is_short(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    use rustix::io::Errno;
    matches!(code, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFault> {
    regular_file::read(path, FILE_BYTES_MAX).map_err(|source| match source.kind() {
        ErrorKind::FileTooLarge => TlsFault::TooLarge { path: path.to_owned(), bytes_max: FILE_BYTES_MAX },
        _ => TlsFault::Unreadable { path: path.to_owned(), source },
    })
}

fn pem_certificates(bytes: &[u8], place: &Place) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        match section {
            Ok((SectionKind::Certificate, der)) => found.push(checked(der, place, found.len() + 1)?),
            Ok(_) => {}
            Err(error) => return Err(not_pem(place.clone(), &error)),
        }
    }
    Ok(found)
}

/// Base64 that is no PEM yet is made PEM: that is what there is a reader for.
fn der_certificates(base64: &str) -> Option<Vec<CertificateDer<'static>>> {
    let base64: String = base64.split_whitespace().collect();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
    let all = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let mut rest: &[u8] = &all;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (after, _) = parse_x509_certificate(rest).ok()?;
        found.push(CertificateDer::from(rest[..rest.len() - after.len()].to_vec()));
        rest = after;
    }
    Some(found)
}

/// A certificate that can be read, whatever else may be wrong with it.
fn checked(der: Vec<u8>, place: &Place, number: usize) -> Result<CertificateDer<'static>, TlsFault> {
    parse_x509_certificate(&der).map_err(|error| bad(place, number, &error))?;
    Ok(der.into())
}

fn bad(place: &Place, number: usize, why: &impl ToString) -> TlsFault {
    TlsFault::BadCertificate { place: place.clone(), number, why: why.to_string() }
}

fn not_pem(place: Place, error: &tokio_rustls::rustls::pki_types::pem::Error) -> TlsFault {
    use tokio_rustls::rustls::pki_types::pem::Error;
    let why = match error {
        Error::MissingSectionEnd { end_marker } => {
            format!("`-----BEGIN {0}-----` has no `-----END {0}-----`", String::from_utf8_lossy(end_marker))
        }
        Error::IllegalSectionStart { line } => format!("`{}` begins nothing", String::from_utf8_lossy(line)),
        other => other.to_string(),
    };
    TlsFault::NotPem { place, why }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
