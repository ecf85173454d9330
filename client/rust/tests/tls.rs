//! Tests of connections that fail, with servers of the test.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use hmacd::{Client, Error, ErrorKind, Settings, TlsFailure};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

/// An authority with the PEM files of a client.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Authority {
        Authority::ending(2100)
    }

    /// An authority whose certificate ends in the year `end`.
    fn ending(end: i32) -> Authority {
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(end, 1, 1);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyPair::generate().unwrap();
        let client = CertificateParams::new(["client".to_owned()]).unwrap().signed_by(&keys, &issuer).unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        fs::write(folder.path().join("client.pem"), client.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), keys.serialize_pem()).unwrap();
        Authority { issuer, folder }
    }

    fn client(&self, target: String) -> Client {
        let path = |name: &str| self.folder.path().join(name);
        let settings = Settings::new([target]).tls(path("ca.pem"), path("client.pem"), path("key.pem"));
        Client::new(settings.timeout(Duration::from_secs(5))).unwrap()
    }

    /// Starts a server with a certificate for `name` that ends in the year `end`. It speaks `protocol`.
    async fn serve(&self, name: &str, end: i32, protocol: &[u8]) -> String {
        let keys = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(end, 1, 1);
        let certificate = params.signed_by(&keys, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(keys.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                let _ = acceptor.accept(stream).await;
            }
        });
        format!("localhost:{port}")
    }
}

async fn call(client: &Client) -> Error {
    client.describe_key("alias/orders").await.unwrap_err()
}

#[track_caller]
fn assert_tls_failed(error: Error, expected: TlsFailure) {
    assert_eq!(ErrorKind::TlsFailed(expected), error.kind(), "{error:?}");
    assert_eq!("TLS_FAILED", error.reason());
    assert!(error.to_string().contains(&expected.to_string()));
    assert!(!error.may_have_run());
}

#[tokio::test]
async fn server_of_another_authority_is_not_trusted() {
    let target = Authority::new().serve("localhost", 2100, b"h2").await;
    assert_tls_failed(call(&Authority::new().client(target)).await, TlsFailure::NotTrusted);
}

#[tokio::test]
async fn server_with_another_name_is_refused() {
    let authority = Authority::new();
    let target = authority.serve("example.org", 2100, b"h2").await;
    assert_tls_failed(call(&authority.client(target)).await, TlsFailure::WrongName);
}

#[tokio::test]
async fn server_with_an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let target = authority.serve("localhost", 2001, b"h2").await;
    assert_tls_failed(call(&authority.client(target)).await, TlsFailure::Ended);
}

#[tokio::test]
async fn server_of_an_expired_authority_is_refused() {
    let authority = Authority::ending(2001);
    let target = authority.serve("localhost", 2100, b"h2").await;
    let client = authority.client(target.clone());
    assert_tls_failed(call(&client).await, TlsFailure::Ended);
    let line = client.doctor().await.remove(0);
    assert!(line.starts_with("failed: ") && line.contains("has expired"), "{line}");
}

/// The server then has another cause of a failure: it closes the connection.
#[tokio::test]
async fn expired_authority_beside_that_of_the_server_is_ignored() {
    let authority = Authority::new();
    let target = authority.serve("localhost", 2100, b"h2").await;
    let all = Authority::ending(2001).issuer.pem() + &authority.issuer.pem();
    fs::write(authority.folder.path().join("ca.pem"), all).unwrap();
    let error = call(&authority.client(target)).await;
    assert_eq!("DEADLINE_EXCEEDED", error.reason(), "{error:?}");
}

#[tokio::test]
async fn server_without_http_2_is_refused() {
    let authority = Authority::new();
    let target = authority.serve("localhost", 2100, b"http/1.1").await;
    assert_tls_failed(call(&authority.client(target)).await, TlsFailure::NotTls);
}

#[tokio::test]
async fn server_without_tls_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    assert_tls_failed(call(&Authority::new().client(target)).await, TlsFailure::NotTls);
}

#[tokio::test]
async fn call_to_a_silent_server_ends_at_its_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap().to_string();
    let client = Authority::new().client(target).with_timeout(Duration::from_millis(300));
    let error = call(&client).await;
    assert_eq!(ErrorKind::DeadlineExceeded, error.kind(), "{error:?}");
    assert!(!error.may_have_run());
}

#[test]
fn files_are_required_for_tls_only() {
    let error = Client::new(Settings::new(["localhost:8443"])).err().unwrap();
    assert!(error.to_string().contains("ca: is not set, and a target uses TLS"), "{error}");
    Client::new(Settings::new(["unix:/run/hmacd.sock"])).unwrap();
}

#[tokio::test]
async fn doctor_names_the_first_check_that_failed() {
    let authority = Authority::new();
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    for (target, expected) in [
        (refused, "the connection was refused"),
        ("name.invalid:1".to_owned(), "the name of the target is not found"),
        (Authority::new().serve("localhost", 2100, b"h2").await, "the certificate of the daemon is not trusted"),
        (authority.serve("example.org", 2100, b"h2").await, "the certificate of the daemon is for another name"),
        ("unix:/no/such/socket".to_owned(), "the Unix socket does not exist"),
    ] {
        assert_eq!(vec![format!("failed: {target}, {expected}")], authority.client(target).doctor().await);
    }
    let client = authority.client("localhost:1".to_owned());
    fs::remove_file(authority.folder.path().join("key.pem")).unwrap();
    let line = client.doctor().await.remove(0);
    assert!(
        line.starts_with("failed: localhost:1, files: private_key: ") && line.ends_with("does not exist"),
        "{line}"
    );
}
