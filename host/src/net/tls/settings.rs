use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig};
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

use super::error::{Place, TlsError, TlsErrors, TlsFault, TlsWarning};
use super::files::{self, Authorities};

/// What rustls has all its algorithms from. Its suites all have forward secrecy and authenticated encryption.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(ring::default_provider()));

/// What a listener says of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// A PEM file: the listener's certificate, then those that lead from it to its authority.
    pub certfile: PathBuf,
    /// A PEM file with the private key; none: it is in `certfile`.
    pub keyfile: Option<PathBuf>,
    /// A PEM file with the authorities of clients' certificates.
    pub cafile: Option<PathBuf>,
    /// A folder of such files.
    pub capath: Option<PathBuf>,
    /// Such authorities as text: PEM, or base64 of DER.
    pub cadata: Option<String>,
    /// Whether a client has to have a certificate. One that it has is verified in any case, where there are authorities.
    pub require_certificate: bool,
}

impl TlsSettings {
    /// Loads what the settings name, for clients that speak `protocol` within TLS.
    ///
    /// # Errors
    /// When files cannot be used: all of them.
    pub fn load(&self, protocol: &[u8]) -> Result<(Arc<ServerConfig>, Vec<TlsWarning>), TlsErrors> {
        let mut findings = Findings::default();
        let own = self.own_key(&mut findings);
        let verifier = self.verifier(&mut findings);
        let (Some(own), Some(verifier)) = (own, verifier) else {
            return Err(TlsErrors(findings.errors));
        };
        let config = config(own, verifier, protocol)
            .map_err(|error| TlsErrors(vec![TlsError { setting: "certfile", fault: error.into() }]))?;
        Ok((Arc::new(config), findings.warnings))
    }

    /// The listener's certificate with its key.
    fn own_key(&self, findings: &mut Findings) -> Option<CertifiedKey> {
        let place = Place::File(self.certfile.clone());
        let chain = findings.error("certfile", files::certificates(&self.certfile));
        if let Some(chain) = &chain {
            findings.check_validity("certfile", chain, &place);
        }
        let (setting, path) = match &self.keyfile {
            Some(path) => ("keyfile", path),
            // What is wrong with the file has been said.
            None if chain.is_none() => return None,
            None => ("certfile", &self.certfile),
        };
        if chain.as_ref().and_then(|chain| chain.first()).is_some_and(|own| files::is_version_1(own)) {
            return findings.error("certfile", Err(TlsFault::Version1(place)));
        }
        let key = findings.error(setting, files::private_key(path))?;
        let key = PROVIDER.key_provider.load_private_key(key).map_err(|_| TlsFault::BadKey(path.clone()));
        let certified = CertifiedKey::new(chain?, findings.error(setting, key)?);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Some(certified),
            Err(rustls::Error::InconsistentKeys(_)) => {
                let fault = TlsFault::OtherKey { key: path.clone(), certificate: self.certfile.clone() };
                findings.error(setting, Err(fault))
            }
            Err(error) => {
                let fault = TlsFault::BadCertificate { place, number: 1, why: error.to_string() };
                findings.error("certfile", Err(fault))
            }
        }
    }

    /// Who looks at clients' certificates.
    fn verifier(&self, findings: &mut Findings) -> Option<Arc<dyn ClientCertVerifier>> {
        let Self { cafile, capath, cadata, .. } = self;
        if cafile.is_none() && capath.is_none() && cadata.is_none() {
            return Some(WebPkiClientVerifier::no_client_auth());
        }
        let mut authorities = Authorities::none();
        let of_file = cafile.as_ref().map_or(Ok(()), |path| authorities.add_file(path));
        let of_file = findings.error("cafile", of_file);
        let of_folder = capath.as_ref().map_or(Ok(Vec::new()), |path| authorities.add_folder(path, "capath"));
        let of_folder = findings.error("capath", of_folder);
        let of_text = cadata.as_ref().map_or(Ok(()), |text| authorities.add_text(text));
        findings.error("cadata", of_text).and(of_file)?;
        findings.warnings.extend(of_folder?);
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities.store), Arc::clone(&PROVIDER));
        let builder = if self.require_certificate { builder } else { builder.allow_unauthenticated() };
        let verifier = builder.build().map_err(|error| rustls::Error::General(error.to_string()).into());
        findings.error("cafile", verifier)
    }
}

fn config(
    own: CertifiedKey,
    verifier: Arc<dyn ClientCertVerifier>,
    protocol: &[u8],
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols = vec![protocol.to_vec()];
    // What a client resumes with, it keeps itself: nothing here grows with their number. The key of these tickets goes
    // with this configuration, and with it what its authorities have vouched for.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// What is found while everything is looked at.
#[derive(Default)]
struct Findings {
    errors: Vec<TlsError>,
    warnings: Vec<TlsWarning>,
}

impl Findings {
    /// Keeps what is wrong with a setting.
    fn error<T>(&mut self, setting: &'static str, result: Result<T, TlsFault>) -> Option<T> {
        result.map_err(|fault| self.errors.push(TlsError { setting, fault })).ok()
    }

    /// Warns of certificates that clients will not take.
    fn check_validity(&mut self, setting: &'static str, chain: &[CertificateDer<'_>], place: &Place) {
        for certificate in chain {
            // Whether it can be read has been checked.
            let Ok((_, certificate)) = parse_x509_certificate(certificate) else { continue };
            let (validity, now) = (certificate.validity(), ASN1Time::now());
            let what = if validity.not_after < now {
                format!("has expired: it was valid until {}", validity.not_after)
            } else if validity.not_before > now {
                format!("is not valid before {}", validity.not_before)
            } else {
                continue;
            };
            let message = format!("the certificate of {:?} in {place} {what}", certificate.subject().to_string());
            self.warnings.push(TlsWarning { setting, message });
        }
    }
}
