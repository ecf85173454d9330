use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::claims::Rules;
use super::{name, object};
use crate::error::Error;
use crate::key::Key;

const LEEWAY: Duration = Duration::from_secs(60);

/// Verifies tokens with a table of keys.
///
/// By default, `exp` is required, `exp` and `nbf` have a leeway of 60 s, and a token with `aud` is
/// refused.
#[derive(Clone)]
pub struct Verifier {
    keys: HashMap<String, Key>,
    rules: Rules,
}

/// Why a token is not accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TokenError {
    /// The token is not a compact JWS with a JSON object.
    Malformed,
    /// `kid` is missing, or not in the table.
    UnknownKey,
    /// `alg` is not that of the key.
    WrongAlgorithm,
    /// The signature is wrong.
    WrongSignature,
    /// `exp` has passed or is missing.
    Expired,
    /// `nbf` is in the future.
    NotYetValid,
    /// `iss` is not the expected issuer.
    WrongIssuer,
    /// `aud` does not have the expected audience.
    WrongAudience,
    /// The claims have another type than the caller's.
    WrongClaims,
    /// No verdict: the call failed. The token may be right.
    NoVerdict(Error),
}

impl TokenError {
    /// Whether the token is wrong. False without a verdict.
    pub fn is_wrong(&self) -> bool {
        !matches!(self, TokenError::NoVerdict(_))
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenError::Malformed => "the token is malformed",
            TokenError::UnknownKey => "the token has no kid of a known key",
            TokenError::WrongAlgorithm => "the alg of the token is not that of its key",
            TokenError::WrongSignature => "the signature of the token is wrong",
            TokenError::Expired => "the token has expired or has no exp",
            TokenError::NotYetValid => "the token is not valid yet",
            TokenError::WrongIssuer => "the token has another issuer",
            TokenError::WrongAudience => "the token has another audience",
            TokenError::WrongClaims => "the claims of the token have another type",
            TokenError::NoVerdict(error) => return write!(f, "the token was not verified: {error}"),
        })
    }
}

impl std::error::Error for TokenError {}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default = "yes")]
    b64: bool,
}

/// True for a member of any value, also of `null`.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

fn yes() -> bool {
    true
}

impl Verifier {
    /// A verifier with the key for each allowed `kid`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if there is no key, or a key has the algorithm HMAC_SHA_224.
    pub fn new<K: Into<String>>(keys: impl IntoIterator<Item = (K, Key)>) -> Result<Verifier, Error> {
        let keys: HashMap<String, Key> = keys.into_iter().map(|(kid, key)| (kid.into(), key)).collect();
        if keys.is_empty() {
            return Err(Error::invalid("keys: a verifier needs a key"));
        }
        keys.values().try_for_each(|key| name(key).map(drop))?;
        Ok(Verifier { keys, rules: Rules { leeway: LEEWAY, ..Rules::default() } })
    }

    /// Requires this `iss`.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Verifier {
        self.rules.issuer = Some(issuer.into());
        self
    }

    /// Requires this name in `aud`.
    pub fn audience(mut self, audience: impl Into<String>) -> Verifier {
        self.rules.audience = Some(audience.into());
        self
    }

    /// The tolerance for differences of clocks. Default: 60 s.
    pub fn leeway(mut self, leeway: Duration) -> Verifier {
        self.rules.leeway = leeway;
        self
    }

    /// Accepts tokens without `exp`.
    pub fn without_expiry(mut self) -> Verifier {
        self.rules.without_expiry = true;
        self
    }

    /// Verifies a token now, and returns its claims.
    ///
    /// # Errors
    /// If [`TokenError::is_wrong`], the token is wrong. [`TokenError::NoVerdict`] is no verdict. A token
    /// that is too long gets no verdict.
    pub async fn verify<C: DeserializeOwned>(&self, token: &str) -> Result<C, TokenError> {
        self.verify_at(token, SystemTime::now()).await
    }

    /// [`verify`](Verifier::verify) at another time.
    ///
    /// # Errors
    /// Those of [`verify`](Verifier::verify).
    pub async fn verify_at<C: DeserializeOwned>(&self, token: &str, now: SystemTime) -> Result<C, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims, signature) = (decode(header)?, decode(claims)?, decode(signature)?);
        let header: Header = object(&header)?;
        // RFC 7515: this module has no extension, also not the payload without base64url of RFC 7797.
        if header.crit || !header.b64 {
            return Err(TokenError::Malformed);
        }
        let key = header.kid.and_then(|kid| self.keys.get(&kid)).ok_or(TokenError::UnknownKey)?;
        if name(key).map_err(TokenError::NoVerdict)? != header.alg {
            return Err(TokenError::WrongAlgorithm);
        }
        key.verify(signed, signature).await.map_err(|error| match error.is_invalid_mac() {
            true => TokenError::WrongSignature,
            false => TokenError::NoVerdict(error),
        })?;
        self.rules.check(&claims, now)?;
        serde_json::from_slice(&claims).map_err(|_| TokenError::WrongClaims)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}
