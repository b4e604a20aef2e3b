//! What can be loaded, and what is said of what cannot. The keys in `testdata` are made by OpenSSL and used for nothing else.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::peer;
use super::*;

const RSA_PKCS8: &str = include_str!("testdata/rsa-pkcs8.pem");
const RSA_PKCS1: &str = include_str!("testdata/rsa-pkcs1.pem");
const EC_PKCS8: &str = include_str!("testdata/ec-pkcs8.pem");
/// With the section of parameters that OpenSSL writes before it.
const EC_SEC1: &str = include_str!("testdata/ec-sec1.pem");
const ENCRYPTED_PKCS8: &str = include_str!("testdata/encrypted-pkcs8.pem");
const ENCRYPTED_PKCS1: &str = include_str!("testdata/encrypted-pkcs1.pem");
const P521: &str = include_str!("testdata/p521.pem");

/// A folder with the files of a listener.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        for (name, content) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("is in the folder")).expect("can make folders");
            std::fs::write(path, content).expect("can write");
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Settings whose certificate and key are in one file.
    fn settings(&self) -> TlsSettings {
        let (keyfile, cafile, capath, cadata) = (None, None, None, None);
        TlsSettings { certfile: self.path("cert.pem"), keyfile, cafile, capath, cadata, require_certificate: false }
    }

    /// The message about settings that cannot be loaded, with the folder left out.
    fn error(&self, settings: &TlsSettings) -> String {
        let errors = settings.load(b"mqtt").expect_err("is wrong");
        let hint = errors.0[0].fault.hint().map_or(String::new(), |hint| format!("; hint: {hint}"));
        format!("{errors}{hint}").replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn certificate(key: &KeyPair) -> String {
    named("localhost", key)
}

fn named(name: &str, key: &KeyPair) -> String {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a host name");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(key).expect("can sign").pem()
}

fn key(pem: &str) -> KeyPair {
    KeyPair::from_pem(pem).expect("a key")
}

#[test]
fn keys_of_every_kind_and_form_are_loaded_from_either_file() {
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
    for (name, signer, pem) in [
        ("RSA in PKCS#8", &key(RSA_PKCS8), RSA_PKCS8),
        ("RSA in PKCS#1", &key(RSA_PKCS8), RSA_PKCS1),
        ("P-256 in PKCS#8", &key(EC_PKCS8), EC_PKCS8),
        ("P-256 in SEC1", &key(EC_PKCS8), EC_SEC1),
        ("P-384", &p384, p384.serialize_pem().as_str()),
        ("Ed25519", &ed25519, ed25519.serialize_pem().as_str()),
    ] {
        let certificate = certificate(signer);
        let files = Files::new(&[
            ("cert.pem", &format!("{certificate}{pem}")),
            ("key-first.pem", &format!("{pem}{certificate}")),
            ("bare.pem", &certificate),
            ("key.pem", &format!("a comment\n{pem}")),
        ]);
        for (certfile, keyfile) in [("cert.pem", None), ("key-first.pem", None), ("bare.pem", Some("key.pem"))] {
            let keyfile = keyfile.map(|keyfile| files.path(keyfile));
            let settings = TlsSettings { certfile: files.path(certfile), keyfile, ..files.settings() };
            let (_, warnings) = settings.load(b"mqtt").unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(warnings, []);
        }
    }
}

#[test]
fn a_certificate_or_key_that_cannot_be_used_is_named() {
    let own = certificate(&key(EC_PKCS8));
    let der = parse_pem(&own);
    let files = Files::new(&[
        ("bare.pem", &own),
        ("empty.pem", ""),
        ("damaged.pem", &own.replacen("MII", "M!!", 1)),
        ("cut.pem", &own[..own.len() / 2]),
        ("none.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"),
        ("ec.pem", EC_PKCS8),
        ("rsa.pem", RSA_PKCS8),
        ("encrypted8.pem", ENCRYPTED_PKCS8),
        ("encrypted1.pem", ENCRYPTED_PKCS1),
        ("p521.pem", P521),
        ("version-1.pem", include_str!("testdata/version-1.pem")),
    ]);
    std::fs::write(files.path("cert.der"), der).expect("can write");
    std::fs::File::create(files.path("huge.pem")).and_then(|file| file.set_len(5 << 20)).expect("can write");
    let check = |certfile: &str, keyfile: Option<&str>, expected: &str| {
        let keyfile = keyfile.map(|keyfile| files.path(keyfile));
        let settings = TlsSettings { certfile: files.path(certfile), keyfile, ..files.settings() };
        assert_eq!(files.error(&settings), expected, "{certfile} {settings:?}");
    };
    let pem = "hint: a PEM file has a line `-----BEGIN CERTIFICATE-----`";
    check("gone.pem", None, "`certfile`: cannot read `gone.pem`: No such file or directory (os error 2)");
    check("empty.pem", None, &format!("`certfile`: there is no certificate in `empty.pem`; {pem}"));
    check("ec.pem", None, &format!("`certfile`: there is no certificate in `ec.pem`; {pem}"));
    check(
        "cert.der",
        None,
        "`certfile`: there is no certificate in `cert.der`; hint: the file is DER; make PEM of it with `openssl x509 \
         -inform der -in FILE -out FILE.pem`",
    );
    check("huge.pem", None, "`certfile`: `huge.pem` is larger than 4194304 bytes");
    check(
        "cut.pem",
        None,
        "`certfile`: `cut.pem` is no valid PEM: `-----BEGIN CERTIFICATE-----` has no `-----END CERTIFICATE-----`",
    );
    for certfile in ["damaged.pem", "none.pem"] {
        let settings = TlsSettings { certfile: files.path(certfile), ..files.settings() };
        let error = files.error(&settings);
        assert!(error.starts_with("`certfile`: ") && error.contains(certfile), "{error}");
    }
    let no_key = "set `keyfile` to the file that has it, with a line `-----BEGIN PRIVATE KEY-----`";
    check("bare.pem", None, &format!("`certfile`: there is no private key in `bare.pem`; hint: {no_key}"));
    check("bare.pem", Some("empty.pem"), &format!("`keyfile`: there is no private key in `empty.pem`; hint: {no_key}"));
    check(
        "bare.pem",
        Some("rsa.pem"),
        "`keyfile`: the private key in `rsa.pem` does not belong to the certificate in `bare.pem`; hint: the first \
         certificate in the file has to be the listener's own",
    );
    check(
        "version-1.pem",
        Some("ec.pem"),
        "`certfile`: certificate 1 in `version-1.pem` is X.509 version 1, where version 3 is wanted; hint: `openssl x509 \
         -req` makes version 3 with `-extfile FILE`, where FILE has a line such as `subjectAltName=DNS:HOST`; `openssl \
         req -x509` with `-addext`",
    );
    for keyfile in ["encrypted8.pem", "encrypted1.pem"] {
        check(
            "bare.pem",
            Some(keyfile),
            &format!(
                "`keyfile`: the private key in `{keyfile}` is encrypted; hint: decrypt it with `openssl pkey -in FILE \
                 -out FILE`, and keep it readable by the broker only"
            ),
        );
    }
    check(
        "bare.pem",
        Some("p521.pem"),
        "`keyfile`: the private key in `p521.pem` is not supported or damaged; hint: RSA of 2048 to 8192 bits, ECDSA \
         on P-256 or P-384, and Ed25519 are supported",
    );
}

/// One look tells all that is wrong.
#[test]
fn every_file_that_cannot_be_used_is_named() {
    let files = Files::new(&[]);
    let path = |name: &str| Some(files.path(name));
    let settings = TlsSettings { keyfile: path("key"), cafile: path("ca"), capath: path("cas"), ..files.settings() };
    let errors = settings.load(b"mqtt").expect_err("nothing is there");
    let named: Vec<_> = errors.0.iter().map(|error| error.setting).collect();
    assert_eq!(named, ["certfile", "keyfile", "cafile", "capath"]);
}

#[test]
fn a_certificate_out_of_its_time_is_a_warning() {
    let key = key(EC_PKCS8);
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a host name");
    (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    let expired = params.self_signed(&key).expect("can sign").pem();
    (params.not_before, params.not_after) = (date_time_ymd(2101, 1, 1), date_time_ymd(2102, 1, 1));
    let early = params.self_signed(&key).expect("can sign").pem();
    for (pem, expected) in [
        (expired, "has expired: it was valid until Jan  1 00:00:00 2002"),
        (early, "is not valid before Jan  1 00:00:00 2101"),
    ] {
        let files = Files::new(&[("cert.pem", &format!("{pem}{EC_PKCS8}"))]);
        let (_, warnings) = files.settings().load(b"mqtt").expect("can be used");
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        assert!(warning.setting == "certfile" && warning.message.contains(expected), "{warning}");
    }
}

/// Files, folders with OpenSSL's names and links, and text: each certificate once.
#[test]
fn authorities_come_from_everywhere() {
    let key = key(EC_PKCS8);
    let [one, two, three] = ["one", "two", "three"].map(|name| named(name, &key));
    let own = format!("{}{EC_PKCS8}", certificate(&key));
    let files = Files::new(&[
        ("cert.pem", &own),
        ("ca.pem", &format!("{one}{two}")),
        ("folder/a5b7ff12.0", &two),
        ("folder/a5b7ff12.1", &three),
        ("folder/README", "no certificate"),
        ("folder/.hidden", "-----BEGIN CERTIFICATE-----\nno\n"),
        ("folder/sub/x.pem", "-----BEGIN CERTIFICATE-----\nno\n"),
        ("empty/README", "no certificate"),
    ]);
    std::os::unix::fs::symlink("a5b7ff12.1", files.path("folder/three.pem")).expect("can link");
    std::os::unix::fs::symlink("nowhere", files.path("folder/dangling.0")).expect("can link");
    let count = |settings: &TlsSettings| {
        let mut found = files::Authorities::none();
        if let Some(file) = &settings.cafile {
            found.add_file(file).expect("is read");
        }
        if let Some(folder) = &settings.capath {
            assert_eq!(found.add_folder(folder, "capath").expect("is read"), []);
        }
        if let Some(text) = &settings.cadata {
            found.add_text(text).expect("is read");
        }
        settings.load(b"mqtt").expect("is loaded");
        found.store.len()
    };
    let none = files.settings();
    let (cafile, capath) = (Some(files.path("ca.pem")), Some(files.path("folder")));
    assert_eq!(count(&TlsSettings { cafile: cafile.clone(), ..none.clone() }), 2);
    assert_eq!(count(&TlsSettings { capath: capath.clone(), ..none.clone() }), 2);
    assert_eq!(count(&TlsSettings { cafile, capath, cadata: Some(one.clone()), ..none.clone() }), 3);
    // DER in base64, of two certificates in a row, with the line ends that an editor leaves.
    let der = [parse_pem(&one), parse_pem(&three)].concat();
    let cadata = Some(base64_lines(&der));
    assert_eq!(count(&TlsSettings { cadata, ..none.clone() }), 2);
    let check = |settings: TlsSettings, expected: &str| assert_eq!(files.error(&settings), expected);
    check(
        TlsSettings { capath: Some(files.path("empty")), ..none.clone() },
        "`capath`: there is no certificate in the folder `empty`; hint: a PEM file has a line `-----BEGIN CERTIFICATE-----`",
    );
    check(
        TlsSettings { capath: Some(files.path("gone")), ..none.clone() },
        "`capath`: cannot read `gone`: No such file or directory (os error 2)",
    );
    check(
        TlsSettings { cadata: Some("certificate data".to_owned()), ..none.clone() },
        "`cadata`: its text is neither PEM nor base64 of a certificate in DER; hint: PEM wants its lines: write `cadata: \
         |` and indent them below",
    );
}

#[test]
fn a_file_that_cannot_be_used_in_a_folder_of_authorities_is_a_warning() {
    let key = key(EC_PKCS8);
    let own = format!("{}{EC_PKCS8}", certificate(&key));
    let files = Files::new(&[
        ("cert.pem", &own),
        ("folder/good.pem", &named("one", &key)),
        ("folder/bad.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"),
    ]);
    let settings = TlsSettings { capath: Some(files.path("folder")), ..files.settings() };
    let (_, warnings) = settings.load(b"mqtt").expect("can be used");
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(warning.setting == "capath" && warning.message.contains("folder/bad.pem"), "{warning}");
}

#[test]
fn files_that_change_are_loaded_again_and_broken_ones_are_not_put_in_force() {
    let (first, second) = (key(EC_PKCS8), key(RSA_PKCS8));
    let files = Files::new(&[("cert.pem", &certificate(&first)), ("key.pem", EC_PKCS8)]);
    let settings = TlsSettings { keyfile: Some(files.path("key.pem")), ..files.settings() };
    let (acceptor, _) = TlsAcceptor::load(settings, b"mqtt").expect("can be used");
    let before = acceptor.config();
    assert_eq!(acceptor.reload_if_changed().expect("is in order"), Reload::Unchanged);
    // As tools write them: the certificate first, and between the two nothing fits.
    write(&files.path("cert.pem"), &certificate(&second));
    assert_eq!(acceptor.reload_if_changed().expect("may not be all"), Reload::Unchanged);
    let errors = acceptor.reload_if_changed().expect_err("the key is another's");
    assert_eq!(errors.0[0].setting, "keyfile");
    assert!(std::sync::Arc::ptr_eq(&before, &acceptor.config()), "what was in force stays so");
    // It is told once.
    assert_eq!(acceptor.reload_if_changed().expect("has not changed since"), Reload::Unchanged);
    write(&files.path("key.pem"), RSA_PKCS8);
    assert_eq!(acceptor.reload_if_changed().expect("may not be all"), Reload::Unchanged);
    assert_eq!(acceptor.reload_if_changed().expect("fits again"), Reload::Reloaded(Vec::new()));
    assert!(!std::sync::Arc::ptr_eq(&before, &acceptor.config()));
}

/// The authority's files count as well, and one that is new in a folder.
#[test]
fn a_folder_of_authorities_is_watched() {
    let key = key(EC_PKCS8);
    let own = format!("{}{EC_PKCS8}", certificate(&key));
    let files = Files::new(&[("cert.pem", &own), ("folder/one.pem", &named("one", &key))]);
    let settings = TlsSettings { capath: Some(files.path("folder")), ..files.settings() };
    let (acceptor, _) = TlsAcceptor::load(settings, b"mqtt").expect("can be used");
    write(&files.path("folder/two.pem"), &named("two", &key));
    assert_eq!(acceptor.reload_if_changed().expect("may not be all"), Reload::Unchanged);
    assert_eq!(acceptor.reload_if_changed().expect("is in order"), Reload::Reloaded(Vec::new()));
    assert_eq!(acceptor.reload_if_changed().expect("is in order"), Reload::Unchanged);
    std::fs::remove_file(files.path("cert.pem")).expect("is there");
    assert_eq!(acceptor.reload_if_changed().expect("may come back"), Reload::Unchanged);
    assert_eq!(acceptor.reload_if_changed().expect_err("is gone").0[0].setting, "certfile");
    // It is told once.
    assert_eq!(acceptor.reload_if_changed().expect("has been told"), Reload::Unchanged);
}

/// By a new file in its place, so that it is told however coarse the clock of the file system is.
fn write(path: &Path, content: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).expect("can write");
    std::fs::rename(&new, path).expect("can rename");
}

/// No value of a certificate can pass for another part of the name.
#[test]
fn a_subject_is_written_as_rfc_4514_has_it() {
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.serial_number = Some(0x00_8a_01_u64.into());
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in [
        (DnType::CountryName, "DE"),
        (DnType::OrganizationName, " Example, Inc. "),
        (DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99_999, 1]), "x"),
        (DnType::CommonName, "#sensor+7,CN=admin\n"),
    ] {
        params.distinguished_name.push(kind, value);
    }
    let certificate = params.signed_by(&key, &issuer).expect("can sign");
    let facts = peer::certificate(certificate.der()).expect("can be read");
    assert_eq!(&*facts.subject, r"CN=\#sensor\+7\,CN=admin\0a,1.3.6.1.4.1.99999.1=#0c0178,O=\ Example\, Inc.\ ,C=DE");
    assert_eq!(facts.common_name.as_deref(), Some("#sensor+7,CN=admin\n"));
    assert_eq!(&*facts.serial, "8a01");
    let fingerprint: String = facts.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(fingerprint.len(), 64);
    assert_eq!(peer::certificate(b"no certificate"), None);
}

fn parse_pem(pem: &str) -> Vec<u8> {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("is PEM").to_vec()
}

/// Base64 in lines of 64.
fn base64_lines(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (index, chunk) in bytes.chunks(3).enumerate() {
        let group = chunk.iter().enumerate().fold(0, |group, (i, byte)| group | u32::from(*byte) << (16 - 8 * i));
        for digit in 0..4 {
            text.push(match digit <= chunk.len() {
                true => char::from(DIGITS[(group >> (18 - 6 * digit)) as usize & 63]),
                false => '=',
            });
        }
        if index % 16 == 15 {
            text.push('\n');
        }
    }
    text
}
