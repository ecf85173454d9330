use std::borrow::Cow;
use std::fmt;

/// The error of a call, or of the creation of a client.
///
/// Branch on [`kind`](Error::kind) or [`reason`](Error::reason), not on the text. The text is one
/// line, and has no message, MAC or key.
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
pub(crate) struct Parts {
    pub kind: ErrorKind,
    pub reason: Cow<'static, str>,
    /// Whether this version knows the reason. Otherwise, it is a text of the peer.
    #[cfg_attr(not(feature = "otel"), allow(dead_code))] // Only telemetry reads it.
    pub known: bool,
    pub text: Cow<'static, str>,
    pub retryable: bool,
    pub may_have_run: bool,
    pub target: String,
    pub attempts: u32,
    pub request_id: String,
}

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The MAC is wrong. No other kind is a verdict.
    InvalidMac,
    /// The message, or the request, is longer than the limit. Both numbers are in bytes.
    MessageTooLong {
        /// The maximum length of a message or request; 0 if the daemon did not report it.
        limit: usize,
        /// The length of the message. With the reason `REQUEST_TOO_LONG`, the length of the request.
        size: usize,
    },
    /// TLS to the daemon failed.
    TlsFailed(TlsFailure),
    /// The client is closed, or belongs to another process.
    Closed,
    /// The deadline of the call passed.
    DeadlineExceeded,
    /// Any other failure: see [`Error::reason`].
    Other,
}

/// Why TLS to the daemon failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// No authority of `ca` issued the daemon's certificate.
    NotTrusted,
    /// The daemon's certificate is for another name than the target's.
    WrongName,
    /// The certificate of the daemon or of its authority has expired, or is not valid yet.
    Ended,
    /// The daemon refused the client's certificate.
    ClientCertificateRefused,
    /// The peer does not speak TLS with HTTP/2.
    NotTls,
    /// Another failure of the protocol.
    Protocol,
}

impl Error {
    /// The name of an `ErrorReason` of the contract, or a local reason: `CONNECTION_FAILED`,
    /// `TLS_FAILED`, `DEADLINE_EXCEEDED`, `CLOSED`, `MESSAGE_TOO_LONG`, `INVALID_ARGUMENT`. If
    /// a peer answers without a reason of hmacd: the name of a gRPC status code.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the MAC is wrong. Any other error is no verdict.
    pub fn is_invalid_mac(&self) -> bool {
        self.0.kind == ErrorKind::InvalidMac
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// False only if the daemon certainly has not executed the call.
    pub fn may_have_run(&self) -> bool {
        self.0.may_have_run
    }

    /// The target of the last attempt; empty if there was none.
    pub fn target(&self) -> &str {
        &self.0.target
    }

    /// The number of attempts, 0 or more.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The request id of the last answer; empty if there was none.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The reason, or `UNKNOWN` for a reason that this version does not know: one of a limited number.
    #[cfg(feature = "otel")]
    pub(crate) fn known_reason(&self) -> &str {
        if self.0.known { &self.0.reason } else { "UNKNOWN" }
    }

    /// Whether this client refused an argument, without a call.
    #[cfg(feature = "webhooks")]
    pub(crate) fn is_invalid_argument(&self) -> bool {
        self.0.attempts == 0 && self.0.reason == "INVALID_ARGUMENT"
    }

    /// What is wrong, without the reason and the target.
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    pub(crate) fn new(parts: Parts) -> Error {
        Error(Box::new(parts))
    }

    fn local(kind: ErrorKind, reason: &'static str, text: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Parts {
            kind,
            reason: reason.into(),
            known: true,
            text: text.into(),
            retryable: false,
            may_have_run: false,
            target: String::new(),
            attempts: 0,
            request_id: String::new(),
        })
    }

    pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Error {
        Error::local(ErrorKind::Other, "INVALID_ARGUMENT", text)
    }

    pub(crate) fn invalid_mac(text: &'static str) -> Error {
        Error::local(ErrorKind::InvalidMac, "KMS_INVALID_MAC", text)
    }

    pub(crate) fn closed(text: &'static str) -> Error {
        Error::local(ErrorKind::Closed, "CLOSED", text)
    }

    pub(crate) fn too_long(limit: usize, size: usize) -> Error {
        let text = format!("the message has {size} bytes, at most {limit} are permitted");
        Error::local(ErrorKind::MessageTooLong { limit, size }, "MESSAGE_TOO_LONG", text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { reason, text, target, attempts, .. } = &*self.0;
        write!(f, "{reason}: {text} (")?;
        match target.as_str() {
            "" => f.write_str("no target")?,
            target => write!(f, "target {target}")?,
        }
        write!(f, ", {attempts} attempts)")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [request {:?}, may have run: {}]", self.0.request_id, self.0.may_have_run)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsFailure::NotTrusted => "the certificate of the daemon is not trusted",
            TlsFailure::WrongName => "the certificate of the daemon is for another name",
            TlsFailure::Ended => "the certificate of the daemon, or of its authority, has expired or is not valid yet",
            TlsFailure::ClientCertificateRefused => "the daemon refused the client certificate",
            TlsFailure::NotTls => "the peer does not speak TLS with HTTP/2",
            TlsFailure::Protocol => "the TLS handshake failed",
        })
    }
}
