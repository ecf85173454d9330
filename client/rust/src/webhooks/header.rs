//! Parses the headers of signatures. Pure functions.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName};

use super::Format;

pub const GITHUB: HeaderName = HeaderName::from_static("x-hub-signature-256");
pub const STRIPE: HeaderName = HeaderName::from_static("stripe-signature");
pub const SLACK: HeaderName = HeaderName::from_static("x-slack-signature");
pub const SLACK_TIME: HeaderName = HeaderName::from_static("x-slack-request-timestamp");
pub const STANDARD: HeaderName = HeaderName::from_static("webhook-signature");
pub const STANDARD_ID: HeaderName = HeaderName::from_static("webhook-id");
pub const STANDARD_TIME: HeaderName = HeaderName::from_static("webhook-timestamp");

const MAC_BYTES: usize = 32;

/// The most signatures in one header: each one is a call for each key.
const MAX_MACS: usize = 8;

/// The parts of a signature's headers. It has one MAC or more.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// Empty in formats without an id.
    pub id: &'a str,
    /// Unix time in seconds, in the sender's digits. Empty in formats without a timestamp.
    pub time: &'a str,
    pub macs: Vec<Vec<u8>>,
}

impl<'a> Signed<'a> {
    /// Returns `None` if a header is missing, repeated or malformed, or has more than 8 signatures.
    pub fn parse(format: Format, headers: &'a HeaderMap) -> Option<Signed<'a>> {
        let signed = match format {
            Format::GitHub => {
                let mac = hex_mac(only(headers, &GITHUB)?.strip_prefix("sha256=")?)?;
                Signed { id: "", time: "", macs: vec![mac] }
            }
            Format::Slack => {
                let mac = hex_mac(only(headers, &SLACK)?.strip_prefix("v0=")?)?;
                Signed { id: "", time: time(only(headers, &SLACK_TIME)?)?, macs: vec![mac] }
            }
            Format::Stripe => stripe(only(headers, &STRIPE)?)?,
            Format::Standard => Signed {
                id: only(headers, &STANDARD_ID).filter(|id| is_id(id))?,
                time: time(only(headers, &STANDARD_TIME)?)?,
                macs: only(headers, &STANDARD)?
                    .split(' ')
                    .filter_map(|signature| signature.strip_prefix("v1,").map(base64_mac))
                    .collect::<Option<_>>()?,
            },
        };
        (1..=MAX_MACS).contains(&signed.macs.len()).then_some(signed)
    }

    /// Whether the timestamp differs by at most `tolerance` from now. True without a timestamp.
    pub fn is_current(&self, now: SystemTime, tolerance: Duration) -> bool {
        if self.time.is_empty() {
            return true;
        }
        let Ok(now) = now.duration_since(SystemTime::UNIX_EPOCH) else { return false };
        self.time.parse::<u64>().is_ok_and(|time| time.abs_diff(now.as_secs()) <= tolerance.as_secs())
    }
}

/// `t=1700000000,v1=hex,v1=hex`. Other schemes than `v1` are ignored. A malformed `v1` is an error.
fn stripe(value: &str) -> Option<Signed<'_>> {
    let mut stamp = None;
    let mut macs = Vec::new();
    for part in value.split(',') {
        match part.split_once('=')? {
            ("t", _) if stamp.is_some() => return None,
            ("t", text) => stamp = Some(time(text)?),
            ("v1", text) => macs.push(hex_mac(text)?),
            _ => {}
        }
    }
    Some(Signed { id: "", time: stamp?, macs })
}

/// The value of a header that occurs once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

/// Up to 12 digits, without a leading zero.
fn time(text: &str) -> Option<&str> {
    let digits = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0'))).then_some(text)
}

/// Whether a text is an id of Standard Webhooks. With a full stop, the same signed text would have
/// another id, time and body.
pub fn is_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
}

pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex_mac(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * MAC_BYTES || !text.is_ascii() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

fn base64_mac(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok().filter(|mac| mac.len() == MAC_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    const BASE64: &str = "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=";

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn parsed(format: Format, fields: &[(HeaderName, &str)]) -> bool {
        Signed::parse(format, &headers(fields)).is_some()
    }

    #[test]
    fn github_needs_one_signature_of_64_digits() {
        assert!(parsed(Format::GitHub, &[(GITHUB, &format!("sha256={HEX}"))]));
        for value in [String::new(), HEX.to_owned(), format!("sha1={HEX}"), format!("sha256={HEX}0"), "sha256=".into()]
        {
            assert!(!parsed(Format::GitHub, &[(GITHUB, &value)]), "{value}");
        }
        assert!(!parsed(Format::GitHub, &[(GITHUB, &format!("sha256=+{}", &HEX[1..]))]));
        assert!(!parsed(Format::GitHub, &[]));
        let value = format!("sha256={HEX}");
        assert!(!parsed(Format::GitHub, &[(GITHUB, &value), (GITHUB, &value)]));
    }

    #[test]
    fn stripe_needs_one_time_and_up_to_8_signatures() {
        let stripe = |value: &str| parsed(Format::Stripe, &[(STRIPE, value)]);
        assert!(stripe(&format!("t=1700000000,v1={HEX}")));
        assert!(stripe(&format!("t=1,v0=x,v1={HEX}")));
        assert!(!stripe(&format!("t=1,v1=short,v1={HEX}")));
        assert!(stripe(&format!("t=1{}", format!(",v1={HEX}").repeat(8))));
        assert!(!stripe(&format!("t=1{}", format!(",v1={HEX}").repeat(9))));
        for value in [format!("v1={HEX}"), "t=1".into(), format!("t=1,t=1,v1={HEX}"), format!("t=+1,v1={HEX}")] {
            assert!(!stripe(&value), "{value}");
        }
        assert!(!stripe(&format!("t=1,,v1={HEX}")));
    }

    #[test]
    fn slack_needs_both_headers() {
        let value = format!("v0={HEX}");
        assert!(parsed(Format::Slack, &[(SLACK, &value), (SLACK_TIME, "1700000000")]));
        assert!(!parsed(Format::Slack, &[(SLACK, &value)]));
        assert!(!parsed(Format::Slack, &[(SLACK, &value), (SLACK_TIME, "")]));
        assert!(!parsed(Format::Slack, &[(SLACK, &value), (SLACK_TIME, "-1")]));
        assert!(!parsed(Format::Slack, &[(SLACK_TIME, "1700000000")]));
    }

    #[test]
    fn standard_needs_three_headers() {
        let value = format!("v1a,xyz v1,{BASE64}");
        let all = [(STANDARD_ID, "msg_1"), (STANDARD_TIME, "1"), (STANDARD, value.as_str())];
        assert!(parsed(Format::Standard, &all));
        for missing in 0..3 {
            let rest: Vec<_> = (0..3).filter(|index| *index != missing).map(|index| all[index].clone()).collect();
            assert!(!parsed(Format::Standard, &rest));
        }
        assert!(!parsed(Format::Standard, &[all[0].clone(), all[1].clone(), (STANDARD, "v1,AAAA")]));
        assert!(!parsed(Format::Standard, &[(STANDARD_ID, ""), all[1].clone(), all[2].clone()]));
    }

    #[test]
    fn tolerance_holds_in_both_directions() {
        let signed = Signed { id: "", time: "1000", macs: vec![] };
        let current =
            |now: u64| signed.is_current(SystemTime::UNIX_EPOCH + Duration::from_secs(now), Duration::from_secs(300));
        assert_eq!([false, true, true, false], [699, 700, 1300, 1301].map(current));
    }
}
