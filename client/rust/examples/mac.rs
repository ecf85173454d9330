//! Generates and verifies a MAC with hmacd: `mac [KEY MESSAGE]`
//!
//! Without a key, it creates one. The file "env" of hmacd dev sets the address and the certificates
//! of hmacd in the environment.

use std::{env, error::Error};

use hmacd::v1::{CreateKeyRequest, KeySpec};
use hmacd::{Algorithm, Client, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::new(Settings::from_env()?)?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (name, message) = match arguments.as_slice() {
        [name, message] => (name.clone(), message.clone()),
        _ => (create_key(&client).await?, "pay 100 EUR to account 4711".to_owned()),
    };

    let key = client.key(name, Algorithm::HmacSha256);
    let mac = key.generate(&message).await?;
    println!("mac {}", mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    key.verify(&message, &mac).await?;
    println!("verified");

    match key.verify(format!("not {message}"), &mac).await {
        Ok(()) => return Err("a changed message was not refused".into()),
        Err(error) if error.is_invalid_mac() => println!("refused {}", error.reason()),
        Err(error) => return Err(error.into()), // No verdict.
    }
    client.close().await;
    Ok(())
}

async fn create_key(client: &Client) -> Result<String, Box<dyn Error>> {
    let created = client.call(CreateKeyRequest { key_spec: KeySpec::Hmac256.into(), ..Default::default() }).await?;
    let name = created.key_metadata.ok_or("no key in the answer")?.key_id;
    println!("key {name}");
    Ok(name)
}
