use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::authorities::Authorities;
use crate::der;
use crate::error::Error;
use crate::settings::Settings;

const MAX_FILE_BYTES: usize = 1 << 20;

/// The paths of the PEM files.
#[derive(Clone)]
pub(crate) struct Files {
    ca: PathBuf,
    certificate: PathBuf,
    private_key: PathBuf,
}

/// The content of the PEM files, read together. Has no `Debug`, because it has the private key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    ca: Vec<u8>,
    certificate: Vec<u8>,
    private_key: Vec<u8>,
}

impl Contents {
    #[cfg(test)]
    pub fn of(ca: &str, certificate: &str, private_key: &str) -> Contents {
        Contents { ca: ca.into(), certificate: certificate.into(), private_key: private_key.into() }
    }
}

impl Files {
    /// The paths of the settings. `None` if no target uses TLS.
    pub fn of(settings: &Settings, tls: bool) -> Result<Option<Files>, Error> {
        if !tls {
            return Ok(None);
        }
        let path = |name: &str, path: &Option<PathBuf>| {
            path.clone().ok_or_else(|| Error::invalid(format!("{name}: is not set, and a target uses TLS")))
        };
        Ok(Some(Files {
            ca: path("ca", &settings.ca)?,
            certificate: path("certificate", &settings.certificate)?,
            private_key: path("private_key", &settings.private_key)?,
        }))
    }

    /// Reads the three files. Blocks.
    pub fn read(&self) -> Result<Contents, Error> {
        Ok(Contents {
            ca: read("ca", &self.ca)?,
            certificate: read("certificate", &self.certificate)?,
            private_key: read("private_key", &self.private_key)?,
        })
    }

    /// Checks a set of contents, and makes the configuration of TLS.
    pub fn config(&self, contents: &Contents, now: SystemTime) -> Result<Arc<ClientConfig>, Error> {
        let provider = Arc::new(ring::default_provider());
        let key = certified_key(&provider, contents).map_err(|(setting, problem)| {
            let path = if setting == "certificate" { &self.certificate } else { &self.private_key };
            bad(setting, path, problem)
        })?;
        let end = key.cert.first().and_then(|leaf| der::not_after(leaf));
        if end.is_none_or(|end| end < now) {
            return Err(bad("certificate", &self.certificate, "the certificate has expired"));
        }
        let authorities = certificates(&contents.ca)
            .and_then(|certificates| Authorities::new(certificates, provider.clone()))
            .map_err(|problem| bad("ca", &self.ca, problem))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::invalid("tls: no usable protocol version"))?
            .dangerous() // `Authorities` checks more than the default.
            .with_custom_certificate_verifier(Arc::new(authorities))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would keep the identity of an older certificate.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

fn bad(setting: &str, path: &Path, problem: impl std::fmt::Display) -> Error {
    Error::invalid(format!("{setting}: {path:?}: {problem}"))
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>, Error> {
    let text = path.to_string_lossy();
    if text.contains(['\n', '\r']) || text.contains("-----BEGIN") {
        // The content can be a private key.
        return Err(Error::invalid(format!("{setting}: the value is the content of a file, must be its path")));
    }
    read_regular(path).map_err(|problem| bad(setting, path, problem))
}

/// Reads a regular file. A FIFO or a terminal could block for ever.
fn read_regular(path: &Path) -> Result<Vec<u8>, &'static str> {
    let problem = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "the file does not exist",
        io::ErrorKind::PermissionDenied => "no permission to read the file",
        _ => "the file cannot be read",
    };
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY; // The open itself also could block.
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(problem)?;
    if !file.metadata().map_err(problem)?.is_file() {
        return Err("not a regular file");
    }
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut content).map_err(problem)?;
    if content.len() > MAX_FILE_BYTES { Err("the file is longer than 1 MiB") } else { Ok(content) }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| "the file is not PEM")?;
    if certificates.is_empty() {
        return Err("the file has no certificate");
    }
    Ok(certificates)
}

/// Returns the certificate with its key, or the setting that is wrong and the reason.
fn certified_key(provider: &CryptoProvider, contents: &Contents) -> Result<CertifiedKey, (&'static str, &'static str)> {
    let chain = certificates(&contents.certificate).map_err(|problem| ("certificate", problem))?;
    let encrypted = [b"ENCRYPTED PRIVATE KEY-----".as_slice(), b"Proc-Type: 4,ENCRYPTED"];
    if encrypted.iter().any(|mark| contents.private_key.windows(mark.len()).any(|window| window == *mark)) {
        return Err(("private_key", "the key is encrypted: store it without a passphrase"));
    }
    let key = PrivateKeyDer::from_pem_slice(&contents.private_key)
        .map_err(|_| ("private_key", "the file has no private key in PEM"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => ("private_key", "the key does not belong to the certificate"),
        rustls::Error::InvalidCertificate(_) => ("certificate", "the certificate is malformed"),
        _ => ("private_key", "the key is malformed, or its algorithm is not supported"),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD as STANDARD;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn files() -> Files {
        Files { ca: "ca.pem".into(), certificate: "client.pem".into(), private_key: "key.pem".into() }
    }

    fn contents(end: i32) -> Contents {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["client".to_owned()]).unwrap();
        params.not_after = date_time_ymd(end, 1, 1);
        let certificate = params.self_signed(&key).unwrap().pem().into_bytes();
        Contents { ca: certificate.clone(), certificate, private_key: key.serialize_pem().into_bytes() }
    }

    fn refusal(contents: &Contents) -> String {
        files().config(contents, SystemTime::now()).unwrap_err().to_string()
    }

    #[test]
    fn good_set_is_accepted() {
        files().config(&contents(2100), SystemTime::now()).unwrap();
    }

    /// A PKCS#8 key has the SEC1 key at its end, as an OCTET STRING.
    #[test]
    fn sec1_key_is_accepted() {
        let set = contents(2100);
        let pkcs8 = PrivateKeyDer::from_pem_slice(&set.private_key).unwrap();
        let der = pkcs8.secret_der();
        let start = der.windows(5).position(|window| window[0] == 0x30 && window[2..] == [2, 1, 1]).unwrap();
        let text = to_pem("EC PRIVATE KEY", &der[start..]);
        files().config(&Contents { private_key: text, ..set }, SystemTime::now()).unwrap();
    }

    #[test]
    fn expired_certificate_is_refused() {
        assert!(refusal(&contents(2001)).contains("certificate: \"client.pem\": the certificate has expired"));
        let at_end = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_102_444_800);
        files().config(&contents(2100), at_end).unwrap();
        assert!(files().config(&contents(2100), at_end + std::time::Duration::from_secs(1)).is_err());
    }

    #[test]
    fn key_of_another_certificate_is_refused() {
        let other = Contents { private_key: contents(2100).private_key, ..contents(2100) };
        assert!(refusal(&other).contains("private_key: \"key.pem\": the key does not belong to the certificate"));
    }

    #[test]
    fn encrypted_key_is_refused_with_this_reason() {
        for text in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        ] {
            let encrypted = Contents { private_key: text.into(), ..contents(2100) };
            assert!(refusal(&encrypted).contains("the key is encrypted"));
        }
    }

    #[test]
    fn files_without_their_content_are_refused() {
        let good = contents(2100);
        assert!(refusal(&Contents { ca: vec![], ..good.clone() }).contains("ca: \"ca.pem\": the file has no cert"));
        assert!(refusal(&Contents { certificate: b"x".to_vec(), ..good.clone() }).contains("certificate: "));
        assert!(refusal(&Contents { private_key: vec![], ..good }).contains("no private key in PEM"));
    }

    #[test]
    fn missing_file_is_refused_with_its_name() {
        let files = Files { ca: "/no/such/file".into(), ..files() };
        let error = files.read().err().unwrap().to_string();
        assert!(error.contains("ca: \"/no/such/file\": the file does not exist"), "{error}");
    }

    #[test]
    fn only_regular_files_of_at_most_1_mib_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let refusal = || read("ca", &path).err().map(|error| error.text().to_owned());
        make_fifo(&path);
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn({
            let path = path.clone();
            move || sender.send(read("ca", &path).is_err())
        });
        assert_eq!(Ok(true), receiver.recv_timeout(std::time::Duration::from_secs(60)));
        assert!(refusal().unwrap().ends_with("not a regular file"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(refusal().unwrap().ends_with("not a regular file"));
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, vec![b'x'; MAX_FILE_BYTES + 1]).unwrap();
        assert!(refusal().unwrap().ends_with("the file is longer than 1 MiB"));
        std::fs::write(&path, vec![b'x'; MAX_FILE_BYTES]).unwrap();
        assert_eq!(None, refusal());
    }

    #[test]
    fn content_in_the_place_of_a_path_is_not_shown() {
        for content in ["-----BEGIN PRIVATE KEY----- secret", "secret\nsecret", "secret\r"] {
            let files = Files { private_key: content.into(), ..files() };
            let text = read("private_key", &files.private_key).err().unwrap().to_string();
            assert!(text.contains("private_key: the value is the content of a file") && !text.contains("secret"));
        }
    }

    pub fn make_fifo(path: &Path) {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    fn to_pem(label: &str, der: &[u8]) -> Vec<u8> {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der)).into_bytes()
    }
}
