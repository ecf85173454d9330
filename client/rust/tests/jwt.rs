//! Tests of JSON Web Tokens with the fake, and with the crate `jsonwebtoken` on the other side.

mod common;

use std::sync::Once;
use std::time::Duration;

use common::{hex, vectors};
use hmac::{Hmac, KeyInit, Mac};
use hmacd::jwt::{TokenError, Verifier, sign};
use hmacd::testing::{Fake, Fault};
use hmacd::v1::ErrorReason;
use hmacd::{Algorithm, Key};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const ALGORITHMS: [(&str, Algorithm); 3] =
    [("HS256", Algorithm::HmacSha256), ("HS384", Algorithm::HmacSha384), ("HS512", Algorithm::HmacSha512)];

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Claims {
    sub: String,
    exp: u64,
}

fn secret() -> Vec<u8> {
    hex(&vectors()["key"])
}

fn fake() -> Fake {
    let secret = secret();
    Fake::start(ALGORITHMS.map(|(name, algorithm)| (name, algorithm, &*secret))).unwrap()
}

fn key(fake: &Fake, alg: &str) -> Key {
    let (name, algorithm) = ALGORITHMS.into_iter().find(|(name, _)| *name == alg).unwrap();
    fake.client().with_timeout(Duration::from_secs(60)).key(name, algorithm)
}

fn verifier(fake: &Fake, alg: &str) -> Verifier {
    Verifier::new([("k1", key(fake, alg))]).unwrap()
}

fn claims() -> Claims {
    serde_json::from_value(vectors()["jwt"]["claims"].clone()).unwrap()
}

#[tokio::test]
async fn shared_vectors_are_signed_and_verified() {
    let fake = fake();
    for vector in vectors()["jwt"]["right"].as_array().unwrap() {
        let (alg, token) = (vector["alg"].as_str().unwrap(), vector["token"].as_str().unwrap());
        assert_eq!(token, sign(&key(&fake, alg), "k1", &claims()).await.unwrap());
        assert_eq!(claims(), verifier(&fake, alg).verify(token).await.unwrap());
    }
}

#[tokio::test]
async fn wrong_shared_vectors_are_refused() {
    let fake = fake();
    for vector in vectors()["jwt"]["wrong"].as_array().unwrap() {
        let verifier = verifier(&fake, vector["alg"].as_str().unwrap());
        let before = fake.calls();
        let error = verifier.verify::<Value>(vector["token"].as_str().unwrap()).await.unwrap_err();
        assert!(error.is_wrong());
        let calls = usize::from(vector["why"] == "another key");
        assert_eq!(calls, fake.calls() - before, "{}", vector["why"]);
    }
}

#[tokio::test]
async fn accepted_shared_vectors_are_verified() {
    let fake = fake();
    for vector in vectors()["jwt"]["accepted"].as_array().unwrap() {
        let verifier = verifier(&fake, vector["alg"].as_str().unwrap());
        assert_eq!(claims(), verifier.verify(vector["token"].as_str().unwrap()).await.unwrap(), "{}", vector["why"]);
    }
}

#[tokio::test]
async fn malformed_tokens_are_refused_without_a_call() {
    let fake = fake();
    let token = sign(&key(&fake, "HS256"), "k1", &claims()).await.unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ"; // {"alg":"none","kid":"k1"}
    let critical = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwiY3JpdCI6WyJiNjQiXX0"; // "crit":["b64"]
    let not_encoded = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwiYjY0IjpmYWxzZX0"; // "b64":false
    let array = "WyJIUzI1NiIsImsxIixmYWxzZSx0cnVlXQ"; // ["HS256","k1",false,true]
    let array_of_null = "WyJIUzI1NiIsImsxIixudWxsLG51bGxd"; // ["HS256","k1",null,null]
    let encoded_null = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwiYjY0IjpudWxsfQ"; // "b64":null
    let body = signed.split_once('.').unwrap().1;
    for (token, expected) in [
        (String::new(), "Malformed"),
        (signed.to_owned(), "Malformed"),
        (format!("{token}."), "Malformed"),
        (format!("{token}="), "Malformed"),
        (format!("{signed}.{signature} "), "Malformed"),
        (format!("e30.{body}.{signature}"), "Malformed"),
        (format!("{none}.{body}."), "WrongAlgorithm"),
        (format!("{critical}.{body}.{signature}"), "Malformed"),
        (format!("{not_encoded}.{body}.{signature}"), "Malformed"),
        (format!("{encoded_null}.{body}.{signature}"), "Malformed"),
        (format!("{array}.{body}.{signature}"), "Malformed"),
        (format!("{array_of_null}.{body}.{signature}"), "Malformed"),
    ] {
        let error = verifier(&fake, "HS256").verify::<Value>(&token).await.unwrap_err();
        assert_eq!(expected, format!("{error:?}"), "{token}");
    }
    assert_eq!(1, fake.calls());
}

#[tokio::test]
async fn outage_is_no_verdict() {
    let fake = fake();
    let token = sign(&key(&fake, "HS256"), "k1", &claims()).await.unwrap();
    fake.order(1, Fault::Fails(ErrorReason::Internal));
    let error = verifier(&fake, "HS256").verify::<Value>(&token).await.unwrap_err();
    assert!(!error.is_wrong());
    assert!(matches!(error, TokenError::NoVerdict(error) if error.reason() == "INTERNAL"));
    let long = sign(&key(&fake, "HS256"), "k1", &json!({"exp": 4_000_000_000_u64, "text": "x".repeat(65_536)})).await;
    assert_eq!("MESSAGE_TOO_LONG", long.unwrap_err().reason());
}

#[tokio::test]
async fn claims_are_validated_after_the_signature() {
    let fake = fake();
    let key = key(&fake, "HS256");
    let token = sign(&key, "k1", &json!({"exp": 1, "aud": "a"})).await.unwrap();
    let error = verifier(&fake, "HS256").verify::<Value>(&token).await.unwrap_err();
    assert!(matches!(error, TokenError::Expired));
    let token = sign(&key, "k1", &json!({"iss": "i", "aud": ["a"], "sub": 1})).await.unwrap();
    let verifier = verifier(&fake, "HS256").issuer("i").audience("a").without_expiry();
    verifier.verify::<Value>(&token).await.unwrap();
    assert!(matches!(verifier.verify::<Claims>(&token).await.unwrap_err(), TokenError::WrongClaims));
}

#[tokio::test]
async fn keys_and_claims_of_another_form_are_refused() {
    let fake = fake();
    let short = fake.client().key("k", Algorithm::HmacSha224);
    assert!(Verifier::new([("k1", short.clone())]).is_err());
    assert!(Verifier::new::<String>([]).is_err());
    assert_eq!("INVALID_ARGUMENT", sign(&short, "k1", &claims()).await.unwrap_err().reason());
    assert_eq!("INVALID_ARGUMENT", sign(&key(&fake, "HS256"), "k1", &json!([1])).await.unwrap_err().reason());
}

#[tokio::test]
async fn jsonwebtoken_accepts_tokens_of_hmacd_and_the_reverse() {
    install();
    let fake = fake();
    for (alg, _) in ALGORITHMS {
        let algorithm: jsonwebtoken::Algorithm = alg.parse().unwrap();
        let token = sign(&key(&fake, alg), "k1", &claims()).await.unwrap();
        let decoding = DecodingKey::from_secret(&secret()).unwrap();
        let decoded = jsonwebtoken::decode::<Claims>(&token, &decoding, &Validation::new(algorithm)).unwrap();
        assert_eq!((claims(), Some("k1")), (decoded.claims, decoded.header.kid.as_deref()));

        let header = Header { kid: Some("k1".to_owned()), ..Header::new(algorithm) };
        let theirs = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret()).unwrap()).unwrap();
        assert_eq!(claims(), verifier(&fake, alg).verify(&theirs).await.unwrap());
        let wrong = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&[1; 64]).unwrap()).unwrap();
        assert!(verifier(&fake, alg).verify::<Claims>(&wrong).await.unwrap_err().is_wrong());
    }
}

/// HMAC for jsonwebtoken, whose own providers need many more crates.
struct Secret(jsonwebtoken::Algorithm, Vec<u8>);

impl Secret {
    fn mac(&self, message: &[u8]) -> Vec<u8> {
        fn mac<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Vec<u8> {
            <M as KeyInit>::new_from_slice(secret).unwrap().chain_update(message).finalize().into_bytes().to_vec()
        }
        match self.0 {
            jsonwebtoken::Algorithm::HS256 => mac::<Hmac<sha2::Sha256>>(&self.1, message),
            jsonwebtoken::Algorithm::HS384 => mac::<Hmac<sha2::Sha384>>(&self.1, message),
            _ => mac::<Hmac<sha2::Sha512>>(&self.1, message),
        }
    }
}

impl jsonwebtoken::signature::Signer<Vec<u8>> for Secret {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, jsonwebtoken::signature::Error> {
        Ok(self.mac(message))
    }
}

impl jsonwebtoken::signature::Verifier<Vec<u8>> for Secret {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), jsonwebtoken::signature::Error> {
        if self.mac(message) == *signature { Ok(()) } else { Err(jsonwebtoken::signature::Error::new()) }
    }
}

impl JwtSigner for Secret {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        self.0
    }
}

impl JwtVerifier for Secret {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        self.0
    }
}

fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Secret(*algorithm, key.as_bytes().to_vec()))),
        verifier_factory: |algorithm, key| Ok(Box::new(Secret(*algorithm, key.try_get_as_bytes()?.to_vec()))),
        key_utils: KeyUtils::new_unimplemented(),
    };
    static ONCE: Once = Once::new();
    ONCE.call_once(|| PROVIDER.install_default().unwrap());
}
