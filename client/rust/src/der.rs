//! Reads the end of the validity of a certificate (RFC 5280). rustls does not show it.

use std::time::{Duration, SystemTime};

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Returns `notAfter` of a certificate in DER. `None` if the certificate is malformed, or ends before
/// 1970.
pub(crate) fn not_after(certificate: &[u8]) -> Option<SystemTime> {
    let mut certificate = Reader(Reader(certificate).value(SEQUENCE)?);
    let mut fields = Reader(certificate.value(SEQUENCE)?);
    if fields.0.first() == Some(&VERSION) {
        fields.next()?;
    }
    for _serial_algorithm_issuer in 0..3 {
        fields.next()?;
    }
    let mut validity = Reader(fields.value(SEQUENCE)?);
    validity.next()?;
    let (tag, time) = validity.next()?;
    let text = std::str::from_utf8(time).ok()?;
    match tag {
        UTC_TIME => {
            let year = number(text, 0, 2)?;
            at(if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        GENERALIZED_TIME => at(number(text, 0, 4)?, text.get(4..)?),
        _ => None,
    }
}

/// The rest of a DER encoding.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads an element: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk::<2>()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let (bytes, after) = rest.split_at_checked(length - 0x80)?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = after;
        }
        let (content, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, content))
    }

    fn value(&mut self, expected: u8) -> Option<&'a [u8]> {
        self.next().and_then(|(tag, content)| (tag == expected).then_some(content))
    }
}

fn number(text: &str, from: usize, digits: usize) -> Option<u64> {
    let text = text.get(from..from + digits)?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The time `MMDDHHMMSSZ` of a year.
fn at(year: u64, rest: &str) -> Option<SystemTime> {
    if rest.len() != 11 || !rest.ends_with('Z') {
        return None;
    }
    let part = |index: usize| number(rest, 2 * index, 2);
    let days = days_since_1970(year, part(0)?, part(1)?)?;
    let seconds = ((days * 24 + part(2)?) * 60 + part(3)?) * 60 + part(4)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Days of the Gregorian calendar. The year begins in March, so that a leap day is its last day.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn ends(year: i32, month: u8, day: u8) -> Option<u64> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1960, 1, 1);
        params.not_after = date_time_ymd(year, month, day);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        not_after(certificate.der()).map(|end| end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn both_forms_of_time_are_read() {
        assert_eq!(Some(0), ends(1970, 1, 1));
        assert_eq!(Some(951_782_400), ends(2000, 2, 29));
        assert_eq!(Some(2_524_521_600), ends(2049, 12, 31)); // UTCTime
        assert_eq!(Some(2_524_608_000), ends(2050, 1, 1)); // GeneralizedTime
        assert_eq!(Some(253_402_214_400), ends(9999, 12, 31));
    }

    #[test]
    fn time_before_1970_and_malformed_certificates_are_none() {
        assert_eq!(None, ends(1969, 12, 31));
        let certificate = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap().cert;
        for length in 0..60 {
            assert_eq!(None, not_after(&certificate.der()[..length]));
        }
        assert_eq!(None, not_after(&[SEQUENCE, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
    }
}
