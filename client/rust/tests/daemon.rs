//! Tests of the client with the daemon in the environment.

use std::fs;
use std::time::Duration;

use hmacd::v1::{CreateKeyRequest, GenerateMacRequest, KeySpec, MacAlgorithm};
use hmacd::{Algorithm, Client, Error, ErrorKind, Key, Settings, TlsFailure};
use rcgen::{CertificateParams, KeyPair};

/// A busy machine may need more than the default of 5 s.
const TIMEOUT: Duration = Duration::from_secs(60);

fn settings() -> Settings {
    Settings::from_env().unwrap().timeout(TIMEOUT)
}

fn client() -> Client {
    Client::new(settings()).unwrap()
}

async fn new_key(client: &Client, spec: KeySpec) -> String {
    let request = CreateKeyRequest { key_spec: spec.into(), ..Default::default() };
    client.call(request).await.unwrap().key_metadata.unwrap().key_id
}

async fn key() -> Key {
    let client = client();
    client.key(new_key(&client, KeySpec::Hmac256).await, Algorithm::HmacSha256)
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>, reason: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!(reason, error.reason(), "{error:?}");
    error
}

#[tokio::test]
async fn mac_of_each_algorithm_is_verified() {
    let client = client();
    for (algorithm, spec) in
        Algorithm::ALL.into_iter().zip([KeySpec::Hmac224, KeySpec::Hmac256, KeySpec::Hmac384, KeySpec::Hmac512])
    {
        let key = client.key(new_key(&client, spec).await, algorithm);
        let mac = key.generate("hello").await.unwrap();
        assert_eq!(algorithm.mac_bytes(), mac.len());
        key.verify("hello", &mac).await.unwrap();
    }
}

#[tokio::test]
async fn wrong_mac_is_refused() {
    let key = key().await;
    let mut mac = key.generate("hello").await.unwrap();
    assert!(key.verify("Hello", &mac).await.unwrap_err().is_invalid_mac());
    mac[31] ^= 1;
    let error = assert_refused(key.verify("hello", mac).await, "KMS_INVALID_MAC");
    assert!(error.is_invalid_mac());
    assert_eq!(36, error.request_id().len());
}

#[tokio::test]
async fn opened_key_has_its_algorithm_and_arn() {
    let client = client();
    let name = new_key(&client, KeySpec::Hmac384).await;
    let key = client.open_key(&name).await.unwrap();
    assert_eq!(Algorithm::HmacSha384, key.algorithm());
    let arn = key.arn().unwrap();
    assert!(arn.ends_with(&name), "{arn}");
    key.generate("hello").await.unwrap();
    assert_eq!(Some(arn), key.arn());
}

#[tokio::test]
async fn unknown_key_is_refused() {
    let key = client().key("00000000-0000-4000-8000-000000000000", Algorithm::HmacSha256);
    assert_refused(key.generate("hello").await, "KEY_NOT_FOUND");
}

#[tokio::test]
async fn algorithm_of_another_spec_is_refused() {
    let key = client().key(key().await.name(), Algorithm::HmacSha512);
    assert_refused(key.generate("hello").await, "INVALID_KEY_USAGE");
}

#[tokio::test]
async fn limit_of_the_daemon_is_the_authority() {
    let client = Client::new(settings().max_message_bytes(1 << 20)).unwrap();
    let key = client.key(key().await.name(), Algorithm::HmacSha256);
    let error = assert_refused(key.generate(vec![0; 65_537]).await, "MESSAGE_TOO_LONG");
    assert_eq!(ErrorKind::MessageTooLong { limit: 65_536, size: 65_537 }, error.kind());
    let error = assert_refused(key.generate(vec![0; 1 << 20]).await, "REQUEST_TOO_LONG");
    assert!(matches!(error.kind(), ErrorKind::MessageTooLong { limit: 1.., size: 0x10_0001.. }), "{error:?}");
}

#[tokio::test]
async fn dry_run_is_not_reported_as_success() {
    let request = GenerateMacRequest {
        key_id: key().await.name().to_owned(),
        message: b"hello".to_vec(),
        mac_algorithm: MacAlgorithm::HmacSha256.into(),
        dry_run: true,
        ..Default::default()
    };
    assert_refused(client().call(request).await, "DRY_RUN_OPERATION");
}

#[tokio::test]
async fn random_bytes_have_their_number() {
    assert_eq!(1024, client().generate_random(1024).await.unwrap().len());
    assert_refused(client().generate_random(0).await, "INVALID_FIELD");
}

#[tokio::test]
async fn client_certificate_of_another_authority_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["client".to_owned()]).unwrap().self_signed(&keys).unwrap();
    let (pem, key) = (folder.path().join("client.pem"), folder.path().join("key.pem"));
    fs::write(&pem, certificate.pem()).unwrap();
    fs::write(&key, keys.serialize_pem()).unwrap();
    let ca = std::env::var("HMACD_CA").unwrap();
    let client = Client::new(settings().tls(ca, pem, key).timeout(Duration::from_secs(10))).unwrap();
    let error = assert_refused(client.describe_key("alias/orders").await, "TLS_FAILED");
    assert_eq!(ErrorKind::TlsFailed(TlsFailure::ClientCertificateRefused), error.kind());
    assert!(!error.may_have_run());
}

#[tokio::test]
async fn many_calls_share_a_client() {
    let key = key().await;
    let expected = key.generate("hello").await.unwrap();
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let key = key.clone();
            tokio::spawn(async move { key.generate("hello").await.unwrap() })
        })
        .collect();
    for call in calls {
        assert_eq!(expected, call.await.unwrap());
    }
}

#[tokio::test]
async fn doctor_finds_the_daemon_healthy() {
    let lines = client().doctor().await;
    let target = std::env::var("HMACD_TARGET").unwrap();
    assert_eq!(vec![format!("ok: {target}, SERVING over mutual TLS, 1 addresses")], lines);
}
