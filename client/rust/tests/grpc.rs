//! Tests of the client, with the daemon in the environment.

use std::env;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use hmacd_client::v1::key_service_client::KeyServiceClient;
use hmacd_client::v1::mac_service_client::MacServiceClient;
use hmacd_client::v1::{
    CreateKeyRequest, GenerateMacRequest, KeySpec, ListKeysRequest, MacAlgorithm, VerifyMacRequest,
};
use hmacd_client::{Hmacd, connect, reason, tls_from_env, trust_from_env};
use tonic::{Code, Status};

const TIMEOUT: Duration = Duration::from_secs(5);

/// A connection with a new key.
struct Calls {
    macs: MacServiceClient<Hmacd>,
    key_id: String,
}

impl Calls {
    async fn start() -> Calls {
        let hmacd = connect(&target(), tls_from_env().unwrap(), TIMEOUT).unwrap();
        let request = CreateKeyRequest { key_spec: KeySpec::Hmac256.into(), ..Default::default() };
        let created = KeyServiceClient::new(hmacd.clone()).create_key(request).await.unwrap().into_inner();
        Calls { macs: MacServiceClient::new(hmacd), key_id: created.key_metadata.unwrap().key_id }
    }

    fn request(&self) -> GenerateMacRequest {
        GenerateMacRequest {
            key_id: self.key_id.clone(),
            message: b"hello".to_vec(),
            mac_algorithm: MacAlgorithm::HmacSha256.into(),
            ..Default::default()
        }
    }

    async fn generate(&mut self, request: GenerateMacRequest) -> Result<Vec<u8>, Status> {
        Ok(self.macs.generate_mac(request).await?.into_inner().mac)
    }

    async fn verify(&mut self, mac: Vec<u8>) -> Result<bool, Status> {
        let GenerateMacRequest { key_id, message, mac_algorithm, .. } = self.request();
        let request = VerifyMacRequest { key_id, message, mac_algorithm, mac, ..Default::default() };
        Ok(self.macs.verify_mac(request).await?.into_inner().mac_valid)
    }
}

fn target() -> String {
    env::var("HMACD_TARGET").unwrap()
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, expected: Option<&str>) {
    let status = result.unwrap_err();
    assert_eq!((code, expected), (status.code(), reason(&status).as_deref()), "{status}");
}

#[tokio::test]
async fn mac_is_verified() {
    let mut hmacd = Calls::start().await;
    let mac = hmacd.generate(hmacd.request()).await.unwrap();
    assert_eq!(32, mac.len());
    assert!(hmacd.verify(mac).await.unwrap());
}

#[tokio::test]
async fn wrong_mac_is_refused() {
    let mut hmacd = Calls::start().await;
    let mut mac = hmacd.generate(hmacd.request()).await.unwrap();
    mac[31] ^= 1;
    assert_refused(hmacd.verify(mac).await, Code::InvalidArgument, Some("KMS_INVALID_MAC"));
}

#[tokio::test]
async fn unknown_key_is_refused() {
    let mut hmacd = Calls::start().await;
    let request = GenerateMacRequest { key_id: "00000000-0000-4000-8000-000000000000".into(), ..hmacd.request() };
    assert_refused(hmacd.generate(request).await, Code::NotFound, Some("KEY_NOT_FOUND"));
}

#[tokio::test]
async fn algorithm_of_another_spec_is_refused() {
    let mut hmacd = Calls::start().await;
    let request = GenerateMacRequest { mac_algorithm: MacAlgorithm::HmacSha512.into(), ..hmacd.request() };
    assert_refused(hmacd.generate(request).await, Code::InvalidArgument, Some("INVALID_KEY_USAGE"));
}

#[tokio::test]
async fn message_of_65537_bytes_is_refused() {
    let mut hmacd = Calls::start().await;
    let request = GenerateMacRequest { message: vec![0; 65537], ..hmacd.request() };
    assert_refused(hmacd.generate(request).await, Code::InvalidArgument, Some("MESSAGE_TOO_LONG"));
}

#[tokio::test]
async fn caller_without_certificate_is_refused() {
    let nobody = connect(&target(), trust_from_env().unwrap(), TIMEOUT).unwrap();
    let listed = KeyServiceClient::new(nobody).list_keys(ListKeysRequest::default()).await;
    assert_refused(listed, Code::Unavailable, None);
}

#[tokio::test]
async fn call_to_a_silent_server_ends_at_its_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let timeout = Duration::from_millis(300);
    let patient = connect(&silent.local_addr().unwrap().to_string(), tls_from_env().unwrap(), timeout).unwrap();
    let start = Instant::now();
    let listed = KeyServiceClient::new(patient).list_keys(ListKeysRequest::default()).await;
    assert_refused(listed, Code::DeadlineExceeded, None);
    assert!(start.elapsed() >= timeout);
}
