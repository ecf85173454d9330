//! Signs and verifies webhooks under keys in the HSM.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let fake = hmacd::testing::Fake::start([("alias/webhooks", hmacd::Algorithm::HmacSha256, b"k".as_slice())])?;
//! # let client = fake.client();
//! use hmacd::Algorithm;
//! use hmacd::webhooks::{Format, Verifier, sign};
//!
//! let key = client.key("alias/webhooks", Algorithm::HmacSha256);
//! let headers = sign(Format::GitHub, &key, br#"{"event":"paid"}"#).await?;
//! Verifier::new(Format::GitHub, [key])?.verify(&headers, br#"{"event":"paid"}"#).await?;
//! # Ok(())
//! # }
//! ```

mod header;
mod layer;

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::algorithm::Algorithm;
use crate::error::Error;
use crate::key::Key;
use header::Signed;

pub use layer::{VerifyLayer, VerifyService};

/// The largest difference between a timestamp and now, in both directions.
const TOLERANCE: Duration = Duration::from_secs(300);

/// The format of the signature's headers. All formats use HMAC with SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `X-Hub-Signature-256`. It has no timestamp: a webhook can be replayed.
    GitHub,
    /// `Stripe-Signature`.
    Stripe,
    /// `X-Slack-Signature` and `X-Slack-Request-Timestamp`.
    Slack,
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`.
    Standard,
}

/// Signs a webhook now, and returns its headers. Standard Webhooks gets a new random id.
///
/// # Errors
/// Those of [`sign_as`].
pub async fn sign(format: Format, key: &Key, body: &[u8]) -> Result<HeaderMap, Error> {
    sign_as(format, key, &format!("msg_{:032x}", fastrand::u128(..)), SystemTime::now(), body).await
}

/// Signs a webhook with its id and its time, and returns its headers. Only Standard Webhooks uses the
/// id. Use the same id if you send a webhook again.
///
/// # Errors
/// `INVALID_ARGUMENT` if the key has another algorithm than HMAC_SHA_256, the id does not have 1 to 256
/// visible characters of ASCII or has a full stop, or the time is before 1970. Those of [`Key::generate`].
pub async fn sign_as(format: Format, key: &Key, id: &str, time: SystemTime, body: &[u8]) -> Result<HeaderMap, Error> {
    check_algorithm(key)?;
    if !header::is_id(id) {
        return Err(Error::invalid(
            "the id of a webhook must have 1 to 256 visible characters of ASCII, without a dot",
        ));
    }
    let time = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| Error::invalid("the time is before 1970"))?;
    let time = time.as_secs().to_string();
    let mac = key.generate(message(format, id, &time, body)).await?;
    let headers = match format {
        Format::GitHub => vec![(header::GITHUB, format!("sha256={}", header::to_hex(&mac)))],
        Format::Stripe => vec![(header::STRIPE, format!("t={time},v1={}", header::to_hex(&mac)))],
        Format::Slack => vec![(header::SLACK, format!("v0={}", header::to_hex(&mac))), (header::SLACK_TIME, time)],
        Format::Standard => vec![
            (header::STANDARD_ID, id.to_owned()),
            (header::STANDARD_TIME, time),
            (header::STANDARD, format!("v1,{}", BASE64_STANDARD.encode(&mac))),
        ],
    };
    let value = |text: String| HeaderValue::try_from(text).expect("the parts are checked and are ASCII");
    Ok(headers.into_iter().map(|(name, text)| (name, value(text))).collect())
}

/// Returns the bytes under the MAC.
fn message(format: Format, id: &str, time: &str, body: &[u8]) -> Vec<u8> {
    let prefix = match format {
        Format::GitHub => String::new(),
        Format::Stripe => format!("{time}."),
        Format::Slack => format!("v0:{time}:"),
        Format::Standard => format!("{id}.{time}."),
    };
    [prefix.as_bytes(), body].concat()
}

fn check_algorithm(key: &Key) -> Result<(), Error> {
    match key.algorithm() {
        Algorithm::HmacSha256 => Ok(()),
        other => Err(Error::invalid(format!("a key for webhooks has the algorithm {other}, must be HMAC_SHA_256"))),
    }
}

/// Verifies webhooks of one format with one or more keys. Clones share the keys' client.
#[derive(Clone)]
pub struct Verifier {
    format: Format,
    keys: Vec<Key>,
}

impl Verifier {
    /// A verifier that accepts a signature of any of the keys.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no key, or a key has another algorithm than HMAC_SHA_256.
    pub fn new(format: Format, keys: impl IntoIterator<Item = Key>) -> Result<Verifier, Error> {
        let keys: Vec<Key> = keys.into_iter().collect();
        if keys.is_empty() {
            return Err(Error::invalid("keys: a verifier needs a key"));
        }
        keys.iter().try_for_each(check_algorithm)?;
        Ok(Verifier { format, keys })
    }

    /// The longest body that a key can verify.
    fn max_body_bytes(&self) -> usize {
        self.keys.iter().map(Key::max_message_bytes).max().unwrap_or(0)
    }

    /// Verifies the received bytes of a body now. Returns only if a signature is right. All calls
    /// together end at the deadline of a key, or after its timeout.
    ///
    /// # Errors
    /// If [`Error::is_invalid_mac`], the webhook is wrong: a header is missing or malformed, the
    /// timestamp differs from now by more than 300 s, or no key has made a signature. Any other error is
    /// no verdict.
    pub async fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Error> {
        self.verify_at(headers, body, SystemTime::now()).await
    }

    /// [`verify`](Verifier::verify) at another time.
    ///
    /// # Errors
    /// Those of [`verify`](Verifier::verify).
    pub async fn verify_at(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<(), Error> {
        let signed = Signed::parse(self.format, headers).ok_or_else(|| wrong("a header is missing or malformed"))?;
        if !signed.is_current(now, TOLERANCE) {
            return Err(wrong("the time stamp differs by more than 300 s from now"));
        }
        let message = message(self.format, signed.id, signed.time, body);
        let start = Instant::now();
        let mut no_verdict = None;
        for key in self.keys.iter().map(|key| key.with_start(start)) {
            for mac in &signed.macs {
                match key.verify(&message, mac).await {
                    Ok(()) => return Ok(()),
                    Err(error) if error.is_invalid_mac() => {}
                    // The daemon makes no MAC of such a message: the signature is not one of the key.
                    Err(error) if error.reason() == "RESERVED_MESSAGE" => {}
                    // After the deadline, the first error has the cause.
                    Err(error) => no_verdict = no_verdict.or(Some(error)),
                }
            }
        }
        Err(no_verdict.unwrap_or_else(|| wrong("no key has a signature of the webhook")))
    }
}

fn wrong(text: &'static str) -> Error {
    Error::invalid_mac(text)
}
