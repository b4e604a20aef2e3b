use std::path::{Path, PathBuf};

use super::field::Field;
use super::report::Report;
use super::section::Section;
use super::setting::{Form, Preset, Setting};
use crate::net::TlsSettings;

/// What a listener may say of TLS.
pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("ssl", Form::Switch, Preset::Value("false"), "Whether connections are encrypted with TLS."),
    Setting::new(
        "certfile",
        Form::File,
        Preset::None,
        "PEM: the listener's certificate, then those that lead from it to its authority.",
    ),
    Setting::new("keyfile", Form::File, Preset::None, "PEM: the private key, unless that is in `certfile`."),
    Setting::new("cafile", Form::File, Preset::None, "PEM: the authorities of clients' certificates."),
    Setting::new("capath", Form::File, Preset::None, "A folder of such files."),
    Setting::new("cadata", Form::Text(CERTIFICATES), Preset::None, "Such authorities as text: PEM, or base64 of DER."),
    Setting::new(
        "require-certificate",
        Form::Switch,
        Preset::Value("false"),
        "Whether a client has to have a certificate; one that it has is verified all the same.",
    ),
];

/// What `cadata` has to be.
const CERTIFICATES: &str = "certificates in PEM, or in base64 of DER";

/// What a listener says of TLS.
#[derive(Debug, Clone, Default)]
pub(super) struct Values<'a> {
    ssl: Option<Field<'a>>,
    certfile: Option<Field<'a>>,
    keyfile: Option<Field<'a>>,
    cafile: Option<Field<'a>>,
    capath: Option<Field<'a>>,
    cadata: Option<Field<'a>>,
    require_certificate: Option<Field<'a>>,
}

impl<'a> Values<'a> {
    pub(super) fn take(section: &mut Section<'a>) -> Self {
        Self {
            ssl: section.take("ssl"),
            certfile: section.take("certfile"),
            keyfile: section.take("keyfile"),
            cafile: section.take("cafile"),
            capath: section.take("capath"),
            cadata: section.take("cadata"),
            require_certificate: section.take("require-certificate"),
        }
    }

    /// The values of `default` where there are none of its own.
    pub(super) fn inherit(self, default: &Values<'a>) -> Self {
        let or = |own: Option<Field<'a>>, inherited: &Option<Field<'a>>| own.or_else(|| inherited.clone());
        Self {
            ssl: or(self.ssl, &default.ssl),
            certfile: or(self.certfile, &default.certfile),
            keyfile: or(self.keyfile, &default.keyfile),
            cafile: or(self.cafile, &default.cafile),
            capath: or(self.capath, &default.capath),
            cadata: or(self.cadata, &default.cadata),
            require_certificate: or(self.require_certificate, &default.require_certificate),
        }
    }

    /// Reads the values for their errors.
    pub(super) fn check(&self, base_dir: &Path, report: &mut Report) {
        self.ssl.as_ref().map(|field| field.switch(report));
        self.read(base_dir, report);
    }

    /// None for a listener without TLS, and after an error.
    pub(super) fn settings(&self, listener: &str, base_dir: &Path, report: &mut Report) -> Option<TlsSettings> {
        let read = self.read(base_dir, report);
        match &self.ssl {
            None => {
                self.refuse_plain(listener, report);
                return None;
            }
            Some(field) if field.switch(report)? => {}
            Some(_) => return None,
        }
        if self.certfile.is_none() {
            let ssl = self.ssl.as_ref()?;
            let message = format!("key `{}`: TLS needs a certificate, and there is no `certfile`", ssl.path());
            let hint = "add `certfile`, and `keyfile` unless the key is in the same file";
            report.error(Some(ssl.key_at()), message, Some(hint.to_owned()));
        }
        let settings = read?;
        let has_authorities = settings.cafile.is_some() || settings.capath.is_some() || settings.cadata.is_some();
        if settings.require_certificate
            && !has_authorities
            && let Some(field) = &self.require_certificate
        {
            let message = format!("key `{}`: there is nobody who could vouch for a certificate", field.path());
            let hint = "add `cafile`, `capath` or `cadata` with the authorities of clients";
            report.error(Some(field.key_at()), message, Some(hint.to_owned()));
            return None;
        }
        self.try_loading(&settings, report).then_some(settings)
    }

    /// What the values say; none after an error, and without a certificate.
    fn read(&self, base_dir: &Path, report: &mut Report) -> Option<TlsSettings> {
        let mut file = |field: &Option<Field<'_>>| match field {
            None => Some(None),
            Some(field) => field.file(base_dir, report).map(|path| Some(PathBuf::from(path))),
        };
        let [certfile, keyfile, cafile, capath] =
            [&self.certfile, &self.keyfile, &self.cafile, &self.capath].map(&mut file);
        let cadata = match &self.cadata {
            None => Some(None),
            Some(field) => field.text(CERTIFICATES, report).map(|text| Some(text.to_owned())),
        };
        let require_certificate = match &self.require_certificate {
            None => Some(false),
            Some(field) => field.switch(report),
        };
        Some(TlsSettings {
            certfile: certfile??,
            keyfile: keyfile?,
            cafile: cafile?,
            capath: capath?,
            cadata: cadata?,
            require_certificate: require_certificate?,
        })
    }

    /// Whether the broker could start with it.
    fn try_loading(&self, settings: &TlsSettings, report: &mut Report) -> bool {
        let place = |setting| self.field(setting).map(|field| (field.at(), field.path()));
        match settings.load(b"") {
            Ok((_, warnings)) => {
                for warning in warnings {
                    let Some((at, path)) = place(warning.setting) else { continue };
                    let message = self.as_written(settings, warning.message);
                    report.warning(Some(at), format!("key `{path}`: {message}"), None);
                }
                true
            }
            Err(errors) => {
                for error in errors.0 {
                    let (at, path) = place(error.setting).unzip();
                    let fault = self.as_written(settings, error.fault.to_string());
                    let message = format!("key `{}`: {fault}", path.unwrap_or(error.setting));
                    report.error(at, message, error.fault.hint().map(ToOwned::to_owned));
                }
                false
            }
        }
    }

    /// A message with paths as they stand in the file, where they come from the environment.
    fn as_written(&self, settings: &TlsSettings, message: String) -> String {
        let paths = [
            (&self.certfile, Some(&settings.certfile)),
            (&self.keyfile, settings.keyfile.as_ref()),
            (&self.cafile, settings.cafile.as_ref()),
            (&self.capath, settings.capath.as_ref()),
        ];
        let hidden = paths.into_iter().filter_map(|(field, path)| {
            let field = field.as_ref().filter(|field| field.is_from_environment())?;
            Some((path?.display().to_string(), field.written()?))
        });
        hidden.fold(message, |message, (path, written)| message.replace(&path, written))
    }

    fn field(&self, setting: &str) -> Option<&Field<'a>> {
        let field = match setting {
            "certfile" => &self.certfile,
            "keyfile" => &self.keyfile,
            "cafile" => &self.cafile,
            "capath" => &self.capath,
            "cadata" => &self.cadata,
            _ => &None,
        };
        field.as_ref()
    }

    /// A listener that has settings of TLS and no `ssl` was meant to be encrypted.
    fn refuse_plain(&self, listener: &str, report: &mut Report) {
        let Some(field) = self.wants_tls() else { return };
        let message = format!("listener `{listener}` is not encrypted: `{}` needs `ssl: on`", field.path());
        let hint = "say `ssl: on`, or `ssl: off` if it is meant to be plain";
        report.error(Some(field.key_at()), message, Some(hint.to_owned()));
    }

    /// Whether it is said that connections are not encrypted.
    pub(super) fn is_off(&self) -> bool {
        self.ssl.as_ref().is_some_and(|field| field.switch(&mut Report::default()) == Some(false))
    }

    /// A listener is plain, and has settings of TLS of its own.
    pub(super) fn warn_of_no_effect(&self, report: &mut Report) {
        let Some(field) = self.wants_tls() else { return };
        report.warning(Some(field.key_at()), format!("key `{}` has no effect with `ssl: off`", field.path()), None);
    }

    /// The first setting that only makes sense with TLS.
    fn wants_tls(&self) -> Option<&Field<'a>> {
        let required = self.require_certificate.as_ref();
        let required = required.filter(|field| field.switch(&mut Report::default()) != Some(false));
        let files = [&self.certfile, &self.keyfile, &self.cafile, &self.capath, &self.cadata];
        files.into_iter().flatten().next().or(required)
    }
}
