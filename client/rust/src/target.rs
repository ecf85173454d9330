use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustls::pki_types::ServerName;

/// The address of a daemon: `host:port`, or `unix:/absolute/path`.
///
/// An IPv6 address is in brackets: `[::1]:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    text: String,
    address: Address,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp { host: String, port: u16, name: ServerName<'static> },
    Unix(PathBuf),
}

impl Target {
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether connections to this target use TLS.
    pub(crate) fn uses_tls(&self) -> bool {
        matches!(self.address, Address::Tcp { .. })
    }

    /// The value of `:authority`. A Unix socket has no name.
    pub(crate) fn authority(&self) -> &str {
        match self.address {
            Address::Tcp { .. } => &self.text,
            Address::Unix(_) => "localhost",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Target {
    /// What is wrong with the target.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Target, &'static str> {
        let address = match text.strip_prefix("unix:") {
            Some(path) => unix(Path::new(path))?,
            None => tcp(text)?,
        };
        Ok(Target { text: text.to_owned(), address })
    }
}

fn unix(path: &Path) -> Result<Address, &'static str> {
    if !path.is_absolute() {
        return Err("must be unix: and an absolute path");
    }
    Ok(Address::Unix(path.to_owned()))
}

fn tcp(text: &str) -> Result<Address, &'static str> {
    const FORM: &str = "must be host:port or unix:/absolute/path";
    let (host, port) = text.rsplit_once(':').ok_or(FORM)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or(FORM)?,
        None if host.contains(':') => return Err("must have an IPv6 address in brackets"),
        None => host,
    };
    let port = port.parse().ok().filter(|port| *port > 0).ok_or("must have a port from 1 to 65535")?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| "must have a name of DNS or an IP address")?;
    Ok(Address::Tcp { host: host.to_owned(), port, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_targets_keep_their_text() {
        for text in ["localhost:8443", "10.0.0.1:1", "[::1]:65535", "unix:/run/hmacd.sock"] {
            assert_eq!(text, text.parse::<Target>().unwrap().to_string());
        }
        assert!("localhost:8443".parse::<Target>().unwrap().uses_tls());
        assert!(!"unix:/run/hmacd.sock".parse::<Target>().unwrap().uses_tls());
    }

    #[test]
    fn invalid_targets_are_refused() {
        for text in [
            "",
            "localhost",
            "localhost:",
            "localhost:0",
            "localhost:65536",
            "localhost:+1x",
            ":8443",
            "::1:8443",
            "[::1:8443",
            "a b:8443",
            "https://localhost:8443",
            "unix:run/hmacd.sock",
            "unix:",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
