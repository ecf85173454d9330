use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::TlsFailure;
use crate::target::{Address, Target};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why no connection exists. No request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectError {
    NameNotFound,
    Refused,
    SocketMissing,
    TimedOut,
    NoTlsAnswer,
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
            ConnectError::NoTlsAnswer => f.write_str("no answer to TLS"),
            ConnectError::Broken => f.write_str("the connection broke before the first request"),
            ConnectError::Tls(failure) => failure.fmt(f),
        }
    }
}

pub(crate) enum Stream {
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

/// An address of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Returns the addresses of a target: one or more.
pub(crate) async fn look_up(target: &Target) -> Result<Vec<Peer>, ConnectError> {
    match target.address() {
        Address::Unix(path) => Ok(vec![Peer::Unix(path.clone())]),
        Address::Tcp { host, port, .. } => {
            let found = lookup_host((host.as_str(), *port)).await.map_err(|_| ConnectError::NameNotFound)?;
            let peers: Vec<Peer> = found.map(Peer::Tcp).collect();
            if peers.is_empty() { Err(ConnectError::NameNotFound) } else { Ok(peers) }
        }
    }
}

/// Connects to an address of a target.
pub(crate) async fn connect(
    target: &Target,
    peer: &Peer,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Stream, ConnectError> {
    match (peer, target.address(), tls) {
        (Peer::Unix(path), ..) => UnixStream::connect(path).await.map(Stream::Unix).map_err(|error| of_io(&error)),
        (Peer::Tcp(address), Address::Tcp { name, .. }, Some(tls)) => {
            let stream = TcpStream::connect(address).await.map_err(|error| of_io(&error))?;
            // Without it, Nagle's algorithm may delay a request by 40 ms.
            let _ = stream.set_nodelay(true);
            handshake(stream, tls, name.clone()).await.map(|stream| Stream::Tls(Box::new(stream)))
        }
        (Peer::Tcp(_), ..) => unreachable!("the constructor requires TLS for host:port"),
    }
}

async fn handshake(
    stream: TcpStream,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let connecting = timeout(HANDSHAKE_TIMEOUT, TlsConnector::from(tls).connect(name, stream));
    let stream = connecting.await.map_err(|_| ConnectError::NoTlsAnswer)?.map_err(|error| of_io(&error))?;
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
}
