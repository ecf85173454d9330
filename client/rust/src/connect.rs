use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::TlsFailure;
use crate::target::{Address, Target};

/// The time after which the next address of a name is tried, too (RFC 8305).
const NEXT_ADDRESS_DELAY: Duration = Duration::from_millis(250);

/// Why no connection exists. No request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectError {
    NameNotFound,
    Refused,
    SocketMissing,
    TimedOut,
    Broken,
    Tls(TlsFailure),
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConnectError::NameNotFound => f.write_str("the name of the target is not found"),
            ConnectError::Refused => f.write_str("the connection was refused"),
            ConnectError::SocketMissing => f.write_str("the Unix socket does not exist"),
            ConnectError::TimedOut => f.write_str("no connection in time"),
            ConnectError::Broken => f.write_str("the connection broke before the first request"),
            ConnectError::Tls(failure) => failure.fmt(f),
        }
    }
}

pub(crate) enum Stream {
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

/// Connects to a target. `turn` selects the address of the name that is tried first.
pub(crate) async fn connect(
    target: &Target,
    tls: Option<Arc<ClientConfig>>,
    turn: usize,
) -> Result<Stream, ConnectError> {
    match (target.address(), tls) {
        (Address::Unix(path), _) => unix(path).await.map(Stream::Unix),
        (Address::Tcp { host, port, name }, Some(tls)) => {
            let stream = tcp(host, *port, turn).await?;
            handshake(stream, tls, name.clone()).await.map(|stream| Stream::Tls(Box::new(stream)))
        }
        (Address::Tcp { .. }, None) => unreachable!("the constructor requires TLS for host:port"),
    }
}

async fn unix(path: &Path) -> Result<UnixStream, ConnectError> {
    UnixStream::connect(path).await.map_err(|error| of_io(&error))
}

async fn tcp(host: &str, port: u16, turn: usize) -> Result<TcpStream, ConnectError> {
    let mut addresses: Vec<SocketAddr> =
        tokio::net::lookup_host((host, port)).await.map_err(|_| ConnectError::NameNotFound)?.collect();
    if addresses.is_empty() {
        return Err(ConnectError::NameNotFound);
    }
    addresses.sort();
    let first_index = turn % addresses.len();
    addresses.rotate_left(first_index);
    first(addresses).await
}

/// Returns the first connection. The others are aborted.
async fn first(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
    let mut attempts = JoinSet::new();
    let mut rest = addresses.into_iter();
    let mut error = ConnectError::Refused;
    loop {
        match rest.next() {
            Some(address) => {
                attempts.spawn(TcpStream::connect(address));
            }
            None if attempts.is_empty() => return Err(error),
            None => {}
        }
        tokio::select! {
            Some(Ok(result)) = attempts.join_next() => match result {
                Ok(stream) => {
                    // Without it, Nagle's algorithm may delay a request by 40 ms.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(failed) => error = of_io(&failed),
            },
            () = sleep(NEXT_ADDRESS_DELAY), if rest.len() > 0 => {}
        }
    }
}

async fn handshake(
    stream: TcpStream,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let stream = TlsConnector::from(tls).connect(name, stream).await.map_err(|error| of_io(&error))?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(ConnectError::Tls(TlsFailure::NotTls));
    }
    Ok(stream)
}

fn of_io(error: &io::Error) -> ConnectError {
    if let Some(failure) = tls_failure(error) {
        return ConnectError::Tls(failure);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectError::Refused,
        io::ErrorKind::NotFound => ConnectError::SocketMissing,
        io::ErrorKind::TimedOut => ConnectError::TimedOut,
        _ => ConnectError::Broken,
    }
}

/// Returns the failure of TLS in an error of a TLS stream.
pub(crate) fn tls_failure(error: &io::Error) -> Option<TlsFailure> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFailure::WrongName
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFailure::Ended,
            _ => TlsFailure::NotTrusted,
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => TlsFailure::ClientCertificateRefused,
        rustls::Error::InvalidMessage(_)
        | rustls::Error::NoApplicationProtocol
        | rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => TlsFailure::NotTls,
        _ => TlsFailure::Protocol,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: rustls::Error) -> Option<TlsFailure> {
        tls_failure(&io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn failures_of_tls_are_distinguished() {
        assert_eq!(Some(TlsFailure::NotTrusted), of(CertificateError::UnknownIssuer.into()));
        assert_eq!(Some(TlsFailure::WrongName), of(CertificateError::NotValidForName.into()));
        assert_eq!(Some(TlsFailure::Ended), of(CertificateError::Expired.into()));
        assert_eq!(Some(TlsFailure::NotTls), of(rustls::Error::NoApplicationProtocol));
        let refused = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        assert_eq!(Some(TlsFailure::ClientCertificateRefused), of(refused));
        assert_eq!(Some(TlsFailure::Protocol), of(rustls::Error::DecryptError));
        assert_eq!(None, tls_failure(&io::Error::from(io::ErrorKind::UnexpectedEof)));
    }

    #[tokio::test]
    async fn next_address_is_used_if_one_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        assert_eq!(good, first(vec![closed, good]).await.unwrap().peer_addr().unwrap());
        assert_eq!(ConnectError::Refused, first(vec![closed, closed]).await.unwrap_err());
    }
}
