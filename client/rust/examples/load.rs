//! The caller of `client/events`: makes calls at a fixed rate, and prints their outcomes as JSON: `load KEY`

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};
use std::{env, fmt::Write as _, io};

use hmacd::{Algorithm, Client, Settings};

const MESSAGE: &[u8] = b"events";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let rate: u32 = env::var("HMACD_LOAD_RATE")?.parse()?;
    let seconds: f64 = env::var("HMACD_LOAD_SECONDS")?.parse()?;
    let name = env::args().nth(1).ok_or("load KEY")?;
    let client = Client::new(Settings::from_env()?)?;
    // The first call may be slower than the timeout of the load: it connects.
    let mut key = client.key(name, Algorithm::HmacSha256);
    let mut right = key.generate(MESSAGE).await?;
    if let Ok(calls) = env::var("HMACD_LOAD_WARM_UP") {
        for _ in 1..calls.parse::<u32>()? {
            right = key.generate(MESSAGE).await?;
        }
    }
    if let Ok(millis) = env::var("HMACD_LOAD_TIMEOUT_MS") {
        key = key.with_timeout(Duration::from_millis(millis.parse()?));
    }
    println!("ready");
    io::stdin().read_line(&mut String::new())?; // The start of the load.

    let start = Instant::now();
    if let Ok(seconds) = env::var("HMACD_LOAD_CLOSE_AFTER") {
        let (client, after) = (client.clone(), Duration::from_secs_f64(seconds.parse()?));
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            client.close().await;
        });
    }
    let mut calls = Vec::new();
    for i in 0..(f64::from(rate) * seconds) as u32 {
        let planned = start + Duration::from_secs(1) * i / rate;
        tokio::time::sleep_until(planned.into()).await;
        let key = key.clone();
        calls.push(tokio::spawn(async move {
            let outcome = key.generate(MESSAGE).await;
            (outcome, planned.elapsed())
        }));
    }

    let (mut count_right, mut wrong, mut errors, mut times) = (0, 0, BTreeMap::<String, u32>::new(), Vec::new());
    for call in calls {
        let (outcome, took) = call.await?;
        match outcome {
            Ok(mac) if mac == right => count_right += 1,
            Ok(_) => wrong += 1,
            Err(error) => *errors.entry(error.reason().to_owned()).or_default() += 1,
        }
        times.push(took.as_secs_f64() * 1000.0);
    }
    client.close().await;

    times.sort_by(f64::total_cmp);
    let quantile = |q: f64| times[(q * (times.len() - 1) as f64) as usize];
    let mut reasons = String::new();
    for (reason, count) in &errors {
        write!(reasons, "{}\"{reason}\":{count}", if reasons.is_empty() { "" } else { "," })?;
    }
    println!(
        "{{\"calls\":{},\"right\":{count_right},\"wrong\":{wrong},\"errors\":{{{reasons}}},\"p50_ms\":{},\"p99_ms\":{},\"max_ms\":{}}}",
        times.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
    );
    Ok(())
}
