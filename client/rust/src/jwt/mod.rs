//! Signs and verifies JSON Web Tokens (RFC 7519) with HS256, HS384 and HS512 under keys in the HSM.
//!
//! The traits of the crate `jsonwebtoken` for signers and verifiers are synchronous. Their only error is
//! a wrong signature, also after an outage. So this module has its own compact JWS.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let fake = hmacd::testing::Fake::start([("alias/tokens", hmacd::Algorithm::HmacSha256, b"k".as_slice())])?;
//! # let client = fake.client();
//! use hmacd::{Algorithm, jwt};
//! use serde_json::{Value, json};
//!
//! let key = client.key("alias/tokens", Algorithm::HmacSha256);
//! let token = jwt::sign(&key, "k1", &json!({"sub": "4711", "exp": 4_000_000_000_u64})).await?;
//! let claims: Value = jwt::Verifier::new([("k1", key)])?.verify(&token).await?;
//! assert_eq!("4711", claims["sub"]);
//! # Ok(())
//! # }
//! ```

mod claims;
mod verifier;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::algorithm::Algorithm;
use crate::error::Error;
use crate::key::Key;

pub use verifier::{TokenError, Verifier};

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// Signs claims. The algorithm of the key decides `alg`.
///
/// # Errors
/// `INVALID_ARGUMENT` if the key has the algorithm HMAC_SHA_224, which JWT does not have, or the claims
/// are not a JSON object. The errors of
/// [`Key::generate`], whose message is the token before its last dot.
pub async fn sign(key: &Key, kid: &str, claims: &impl Serialize) -> Result<String, Error> {
    let header = Header { alg: name(key)?, typ: "JWT", kid };
    let claims = serde_json::to_string(claims).ok().filter(|text| text.starts_with('{'));
    let claims = claims.ok_or_else(|| Error::invalid("the claims are not a JSON object"))?;
    let header = serde_json::to_string(&header).expect("the header is text");
    let signed = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let mac = key.generate(&signed).await?;
    Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac)))
}

/// Parses a JSON object. serde also accepts an array for the members of a struct.
fn object<T: DeserializeOwned>(json: &[u8]) -> Result<T, TokenError> {
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(TokenError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| TokenError::Malformed)
}

/// The name of the key's algorithm in a token.
fn name(key: &Key) -> Result<&'static str, Error> {
    match key.algorithm() {
        Algorithm::HmacSha224 => Err(Error::invalid("a key for tokens has the algorithm HMAC_SHA_224")),
        Algorithm::HmacSha256 => Ok("HS256"),
        Algorithm::HmacSha384 => Ok("HS384"),
        Algorithm::HmacSha512 => Ok("HS512"),
    }
}
