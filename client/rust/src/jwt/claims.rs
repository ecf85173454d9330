//! Validates the registered claims of a token. A pure function of the time.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer};

use super::{TokenError, object};

/// What a verifier requires of the claims.
#[derive(Clone, Default)]
pub struct Rules {
    pub issuer: Option<String>,
    pub audience: Option<String>,
    pub leeway: Duration,
    pub without_expiry: bool,
}

#[derive(Deserialize)]
struct Registered {
    #[serde(default, deserialize_with = "not_null")]
    exp: Option<f64>,
    #[serde(default, deserialize_with = "not_null")]
    nbf: Option<f64>,
    #[serde(default, deserialize_with = "not_null")]
    iss: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    aud: Option<Audience>,
}

/// A claim of `null` is malformed: it is not a missing one.
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Rules {
    pub fn check(&self, claims: &[u8], now: SystemTime) -> Result<(), TokenError> {
        let claims: Registered = object(claims)?;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let leeway = self.leeway.as_secs_f64();
        match claims.exp {
            Some(end) if now >= end + leeway => return Err(TokenError::Expired),
            None if !self.without_expiry => return Err(TokenError::Expired),
            _ => {}
        }
        if claims.nbf.is_some_and(|begin| now < begin - leeway) {
            return Err(TokenError::NotYetValid);
        }
        if self.issuer.is_some() && self.issuer != claims.iss {
            return Err(TokenError::WrongIssuer);
        }
        // RFC 7519: a token with an audience is refused by a party that is not in it.
        let audience = match (&self.audience, claims.aud) {
            (None, None) => true,
            (Some(expected), Some(Audience::One(name))) => *expected == name,
            (Some(expected), Some(Audience::Many(names))) => names.contains(expected),
            _ => false,
        };
        if audience { Ok(()) } else { Err(TokenError::WrongAudience) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &Rules, claims: &str, now: u64) -> Option<String> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        rules.check(claims.as_bytes(), now).err().map(|error| format!("{error:?}"))
    }

    #[track_caller]
    fn assert_refused(rules: &Rules, claims: &str, now: u64, expected: &str) {
        assert_eq!(Some(expected), check(rules, claims, now).as_deref(), "{claims}");
    }

    #[test]
    fn expiry_is_required_and_has_leeway() {
        let rules = Rules { leeway: Duration::from_secs(60), ..Rules::default() };
        assert_eq!(None, check(&rules, r#"{"exp":1000.5}"#, 1060));
        assert_refused(&rules, r#"{"exp":1000}"#, 1060, "Expired");
        assert_refused(&rules, "{}", 0, "Expired");
        assert_refused(&rules, r#"{"exp":"1000"}"#, 0, "Malformed");
        assert_eq!(None, check(&Rules { without_expiry: true, ..rules.clone() }, "{}", 0));
        assert_refused(&Rules { without_expiry: true, ..rules }, r#"{"exp":1}"#, 100, "Expired");
    }

    #[test]
    fn token_is_refused_before_its_begin() {
        let rules = Rules { leeway: Duration::from_secs(10), ..Rules::default() };
        assert_eq!(None, check(&rules, r#"{"exp":9999,"nbf":1000}"#, 990));
        assert_refused(&rules, r#"{"exp":9999,"nbf":1000}"#, 989, "NotYetValid");
    }

    #[test]
    fn issuer_and_audience_must_match() {
        let rules = Rules { issuer: Some("a".into()), audience: Some("b".into()), ..Rules::default() };
        assert_eq!(None, check(&rules, r#"{"exp":9,"iss":"a","aud":"b"}"#, 0));
        assert_eq!(None, check(&rules, r#"{"exp":9,"iss":"a","aud":["x","b"]}"#, 0));
        assert_refused(&rules, r#"{"exp":9,"aud":"b"}"#, 0, "WrongIssuer");
        assert_refused(&rules, r#"{"exp":9,"iss":"x","aud":"b"}"#, 0, "WrongIssuer");
        assert_refused(&rules, r#"{"exp":9,"iss":"a"}"#, 0, "WrongAudience");
        assert_refused(&rules, r#"{"exp":9,"iss":"a","aud":["x"]}"#, 0, "WrongAudience");
        assert_refused(&Rules::default(), r#"{"exp":9,"aud":"b"}"#, 0, "WrongAudience");
    }

    #[test]
    fn claims_of_null_are_malformed() {
        let rules = Rules { without_expiry: true, ..Rules::default() };
        for name in ["exp", "nbf", "iss", "aud"] {
            assert_refused(&rules, &format!(r#"{{"{name}":null}}"#), 0, "Malformed");
        }
    }

    #[test]
    fn repeated_claims_and_other_json_are_malformed() {
        for claims in [r#"{"exp":9,"exp":9}"#, "[]", "1", "", "{", r#"{"exp":9}x"#] {
            assert_refused(&Rules::default(), claims, 0, "Malformed");
        }
    }
}
