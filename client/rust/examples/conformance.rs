//! The program of `client/conformance`: makes one call for each line of JSON, and prints its outcome.

use std::error::Error;
use std::io::{self, BufRead};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmacd::{Algorithm, Client, ErrorKind, Settings};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Request {
    operation: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    algorithm: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    mac: String,
    timeout_ms: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut client = Client::new(Settings::from_env()?)?;
    for line in io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        if matches!(request.operation.as_str(), "open" | "close") {
            client.close().await;
        }
        if request.operation == "open" {
            client = Client::new(Settings::from_env()?)?;
        }
        let outcome = outcome(&client, &request).await.unwrap_or_else(|error| failure(&*error));
        println!("{outcome}");
    }
    client.close().await;
    Ok(())
}

async fn outcome(client: &Client, request: &Request) -> Result<Value, Box<dyn Error>> {
    let timeout = request.timeout_ms.map(Duration::from_millis);
    let client = timeout.map_or_else(|| client.clone(), |timeout| client.with_timeout(timeout));
    let (message, mac) = (STANDARD.decode(&request.message)?, STANDARD.decode(&request.mac)?);
    let key = || algorithm(&request.algorithm).map(|algorithm| client.key(&request.key, algorithm));
    Ok(match request.operation.as_str() {
        "open" | "close" => json!({"outcome": "done"}),
        "doctor" => json!({"outcome": "lines", "lines": client.doctor().await}),
        "open_key" => {
            let key = client.open_key(&request.key).await?;
            json!({"outcome": "key", "algorithm": key.algorithm().to_string(), "arn": key.arn()})
        }
        "generate" => {
            let mac = key()?.generate(message).await?;
            json!({"outcome": "mac", "mac": STANDARD.encode(mac)})
        }
        _ => {
            key()?.verify(message, mac).await?;
            json!({"outcome": "right"})
        }
    })
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    let found = Algorithm::ALL.into_iter().find(|algorithm| algorithm.to_string() == name);
    found.ok_or_else(|| format!("unknown algorithm {name}"))
}

fn failure(error: &(dyn Error + 'static)) -> Value {
    let text = error.to_string();
    let Some(error) = error.downcast_ref::<hmacd::Error>() else {
        return json!({"outcome": "error", "type": "Other", "text": text});
    };
    let (mut limit, mut size) = (None, None);
    let kind = match error.kind() {
        ErrorKind::InvalidMac => "InvalidMac",
        ErrorKind::MessageTooLong { limit: longest, size: found } => {
            (limit, size) = (Some(longest), Some(found));
            "MessageTooLong"
        }
        ErrorKind::TlsFailed(_) => "TlsFailed",
        ErrorKind::Closed => "Closed",
        ErrorKind::DeadlineExceeded => "DeadlineExceeded",
        _ => "Hmacd",
    };
    json!({
        "outcome": "error", "type": kind, "text": text, "reason": error.reason(), "retryable": error.is_retryable(),
        "may_have_run": error.may_have_run(), "target": error.target(), "attempts": error.attempts(),
        "request_id": error.request_id(), "limit": limit, "size": size,
    })
}
