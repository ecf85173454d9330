use std::fmt;

use crate::v1::MacAlgorithm;

/// An algorithm of MACs: HMAC (RFC 2104) with a hash of the SHA-2 family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-224, 28 bytes.
    HmacSha224,
    /// HMAC with SHA-256, 32 bytes.
    HmacSha256,
    /// HMAC with SHA-384, 48 bytes.
    HmacSha384,
    /// HMAC with SHA-512, 64 bytes.
    HmacSha512,
}

impl Algorithm {
    /// All algorithms, from the shortest MAC to the longest.
    pub const ALL: [Algorithm; 4] =
        [Algorithm::HmacSha224, Algorithm::HmacSha256, Algorithm::HmacSha384, Algorithm::HmacSha512];

    /// The length of a MAC in bytes.
    pub const fn mac_bytes(self) -> usize {
        match self {
            Algorithm::HmacSha224 => 28,
            Algorithm::HmacSha256 => 32,
            Algorithm::HmacSha384 => 48,
            Algorithm::HmacSha512 => 64,
        }
    }

    /// The algorithm of the contract. `None` if it is unspecified.
    pub(crate) fn of(algorithm: MacAlgorithm) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|known| MacAlgorithm::from(*known) == algorithm)
    }
}

impl From<Algorithm> for MacAlgorithm {
    fn from(algorithm: Algorithm) -> MacAlgorithm {
        match algorithm {
            Algorithm::HmacSha224 => MacAlgorithm::HmacSha224,
            Algorithm::HmacSha256 => MacAlgorithm::HmacSha256,
            Algorithm::HmacSha384 => MacAlgorithm::HmacSha384,
            Algorithm::HmacSha512 => MacAlgorithm::HmacSha512,
        }
    }
}

/// Formats the name of hmacd, for example `HMAC_SHA_256`.
impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::HmacSha224 => "HMAC_SHA_224",
            Algorithm::HmacSha256 => "HMAC_SHA_256",
            Algorithm::HmacSha384 => "HMAC_SHA_384",
            Algorithm::HmacSha512 => "HMAC_SHA_512",
        })
    }
}
