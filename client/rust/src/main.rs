//! Generates and verifies a MAC with hmacd: `hmacd-client [KEY MESSAGE]`
//!
//! Without a key, it creates one. The file "env" of hmacd dev sets the address and the certificates
//! of hmacd in the environment.

use std::{env, error::Error, time::Duration};

use hmacd_client::v1::key_service_client::KeyServiceClient;
use hmacd_client::v1::mac_service_client::MacServiceClient;
use hmacd_client::v1::{CreateKeyRequest, GenerateMacRequest, KeySpec, MacAlgorithm, VerifyMacRequest};
use hmacd_client::{connect, reason, tls_from_env};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let hmacd = connect(&env::var("HMACD_TARGET")?, tls_from_env()?, Duration::from_secs(5))?;
    let mut keys = KeyServiceClient::new(hmacd.clone());
    let mut macs = MacServiceClient::new(hmacd);

    let arguments: Vec<String> = env::args().skip(1).collect();
    let (key_id, message) = match arguments.as_slice() {
        [key_id, message] => (key_id.clone(), message.clone().into_bytes()),
        _ => {
            let request = CreateKeyRequest { key_spec: KeySpec::Hmac256.into(), ..Default::default() };
            let created = keys.create_key(request).await?.into_inner();
            let key_id = created.key_metadata.ok_or("no key in the answer")?.key_id;
            println!("key {key_id}");
            (key_id, b"pay 100 EUR to account 4711".to_vec())
        }
    };

    let generated = macs
        .generate_mac(GenerateMacRequest {
            key_id: key_id.clone(),
            message: message.clone(),
            mac_algorithm: MacAlgorithm::HmacSha256.into(),
            ..Default::default()
        })
        .await?
        .into_inner();
    let hex: String = generated.mac.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("mac {hex}");

    // An answer means that the MAC is correct. A wrong MAC is an error.
    let mut request = VerifyMacRequest {
        key_id,
        message,
        mac_algorithm: MacAlgorithm::HmacSha256.into(),
        mac: generated.mac,
        ..Default::default()
    };
    macs.verify_mac(request.clone()).await?;
    println!("verified");

    request.message.splice(..0, *b"not ");
    match macs.verify_mac(request).await {
        Ok(_) => Err("a changed message was not refused".into()),
        Err(status) if reason(&status).as_deref() == Some("KMS_INVALID_MAC") => {
            println!("refused KMS_INVALID_MAC");
            Ok(())
        }
        Err(status) => Err(status.into()), // Another error does not mean that the MAC is wrong.
    }
}
