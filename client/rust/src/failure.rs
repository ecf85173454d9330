use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::connect::ConnectError;
use crate::connection::Broken;
use crate::error::{Error, ErrorKind, Parts, TlsFailure};
use crate::request::Request;
use crate::retry::{Action, action};
use crate::v1::ErrorReason;

const DOMAIN: &str = "hmacd.dev";
const MAX_TEXT_CHARS: usize = 200;

/// The failure of one attempt.
pub(crate) struct Failure {
    pub action: Action,
    pub kind: ErrorKind,
    pub reason: Cow<'static, str>,
    /// Whether this version knows the reason.
    pub known: bool,
    pub text: Cow<'static, str>,
    pub retryable: bool,
    pub may_have_run: bool,
    /// Whether the daemon answered.
    pub answered: bool,
    pub request_id: String,
    pub retry_after: Option<Duration>,
    pub forbidden: bool,
}

impl Failure {
    fn local(action: Action, reason: &'static str, text: impl Into<Cow<'static, str>>, may_have_run: bool) -> Failure {
        Failure {
            action,
            kind: ErrorKind::Other,
            reason: reason.into(),
            known: true,
            text: text.into(),
            retryable: true,
            may_have_run,
            answered: false,
            request_id: String::new(),
            retry_after: None,
            forbidden: false,
        }
    }

    fn tls(failure: TlsFailure) -> Failure {
        Failure {
            kind: ErrorKind::TlsFailed(failure),
            retryable: false,
            ..Failure::local(Action::Suspend, "TLS_FAILED", failure.to_string(), false)
        }
    }

    /// The attempt got no connection.
    pub fn unconnected(error: ConnectError) -> Failure {
        match error {
            ConnectError::Tls(failure) => Failure::tls(failure),
            _ => Failure::local(Action::Suspend, "CONNECTION_FAILED", error.to_string(), false),
        }
    }

    /// The connection broke during the attempt.
    pub fn broken(broken: Broken) -> Failure {
        Failure::local(Action::Suspend, "CONNECTION_FAILED", broken.to_string(), broken == Broken::Sent)
    }

    /// The attempt timeout passed.
    pub fn attempt_timed_out(sent: bool) -> Failure {
        Failure::local(Action::Suspend, "CONNECTION_FAILED", "no answer within the attempt timeout", sent)
    }

    /// The deadline of the call passed. `cause` is the reason why no connection exists.
    pub fn deadline_exceeded(sent: bool, cause: Option<ConnectError>) -> Failure {
        if !sent && let Some(ConnectError::Tls(failure)) = cause {
            return Failure { action: Action::Fail, ..Failure::tls(failure) };
        }
        let text = match cause {
            Some(cause) if !sent => format!("no connection before the deadline: {cause}").into(),
            _ => Cow::from("no answer before the deadline"),
        };
        Failure { kind: ErrorKind::DeadlineExceeded, ..Failure::local(Action::Fail, "DEADLINE_EXCEEDED", text, sent) }
    }

    /// The client was closed during the call.
    pub fn closed(sent: bool) -> Failure {
        Failure {
            kind: ErrorKind::Closed,
            retryable: false,
            ..Failure::local(Action::Fail, "CLOSED", "the client was closed during the call", sent)
        }
    }

    /// The response was damaged in transit.
    pub fn damaged(request_id: String) -> Failure {
        Failure {
            answered: true,
            request_id,
            ..Failure::local(Action::OnceAfterDamage, "CHECKSUM_MISMATCH", "the response was damaged in transit", true)
        }
    }

    /// The attempt ended with a status.
    pub fn of(status: &Status, sizes: Sizes) -> Failure {
        let source = std::error::Error::source(status);
        if let Some(broken) = source.and_then(|source| source.downcast_ref::<Broken>()) {
            return Failure::broken(*broken);
        }
        let details = status.get_error_details();
        let failure = match details.error_info().filter(|info| info.domain == DOMAIN) {
            Some(info) => {
                let retry_after = details.retry_info().map(|retry| retry.retry_delay.unwrap_or_default());
                let action = match action(&info.reason) {
                    // A newer daemon says that a retry makes sense.
                    Action::Fail if retry_after.is_some() && !is_known(&info.reason) => Action::BackOff,
                    action => action,
                };
                Failure {
                    kind: kind(&info.reason, &info.metadata, sizes),
                    reason: if is_local(&info.reason) { "UNKNOWN".into() } else { one_line(&info.reason) },
                    known: is_known(&info.reason),
                    retryable: retryable(&info.reason, action),
                    may_have_run: may_have_run(&info.reason),
                    answered: true,
                    retry_after,
                    ..Failure::local(action, "", one_line(status.message()), true)
                }
            }
            None => Failure::without_reason(status.code()),
        };
        Failure {
            request_id: request_id(status.metadata()),
            forbidden: status.metadata().get("grpc-retry-pushback-ms").is_some_and(|value| value == "-1"),
            ..failure
        }
    }

    /// A peer answered that is not hmacd, or gRPC itself refused the request.
    fn without_reason(code: Code) -> Failure {
        let (action, kind) = match code {
            Code::Unavailable => (Action::Suspend, ErrorKind::Other),
            Code::DeadlineExceeded => (Action::Fail, ErrorKind::DeadlineExceeded),
            _ => (Action::Fail, ErrorKind::Other),
        };
        Failure {
            kind,
            retryable: matches!(code, Code::Unavailable | Code::DeadlineExceeded),
            answered: action != Action::Suspend,
            ..Failure::local(action, local_reason(code), "the peer answered without a reason of hmacd", true)
        }
    }

    /// Converts the failure of the last attempt to the error of the call.
    pub fn into_error(self, target: &str, attempts: u32, may_have_run: bool) -> Error {
        Error::new(Parts {
            kind: self.kind,
            reason: self.reason,
            known: self.known,
            text: self.text,
            retryable: self.retryable,
            may_have_run,
            target: target.to_owned(),
            attempts,
            request_id: self.request_id,
        })
    }
}

/// The sizes of a request in bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sizes {
    pub message: usize,
    pub request: usize,
}

impl Sizes {
    pub fn of<R: Request>(request: &R) -> Sizes {
        Sizes { message: request.message_bytes(), request: request.encoded_len() }
    }
}

/// Whether only the client itself has the reason.
fn is_local(reason: &str) -> bool {
    matches!(reason, "CONNECTION_FAILED" | "TLS_FAILED" | "CANCELLED" | "CLOSED" | "INVALID_ARGUMENT")
}

/// The reason of an error that has none: the name of the code.
fn local_reason(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "CONNECTION_FAILED",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The id of a request, from the headers or trailers of its response; empty if there is none.
pub(crate) fn request_id(metadata: &tonic::metadata::MetadataMap) -> String {
    metadata.get("x-request-id").and_then(|id| id.to_str().ok()).map(one_line).unwrap_or_default().into_owned()
}

fn kind(reason: &str, metadata: &HashMap<String, String>, sizes: Sizes) -> ErrorKind {
    let number = |name| metadata.get(name).and_then(|number: &String| number.parse().ok());
    match reason {
        "KMS_INVALID_MAC" => ErrorKind::InvalidMac,
        "DEADLINE_EXCEEDED" => ErrorKind::DeadlineExceeded,
        "MESSAGE_TOO_LONG" => ErrorKind::MessageTooLong {
            limit: number("maximum").unwrap_or(0),
            size: number("given").unwrap_or(sizes.message),
        },
        "REQUEST_TOO_LONG" => ErrorKind::MessageTooLong { limit: number("maximum").unwrap_or(0), size: sizes.request },
        _ => ErrorKind::Other,
    }
}

/// The reasons with `[retry]` in the contract, and unknown reasons with an action.
fn retryable(reason: &str, action: Action) -> bool {
    reason == "DEADLINE_EXCEEDED" || matches!(action, Action::Suspend | Action::BackOff | Action::OnceAfterDamage)
}

/// Whether this version of the contract has the reason.
fn is_known(reason: &str) -> bool {
    ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}")).is_some_and(|known| known != ErrorReason::Unspecified)
}

/// Whether the daemon may have executed a call with this reason, or the client does not know the reason.
fn may_have_run(reason: &str) -> bool {
    matches!(
        reason,
        "KMS_INVALID_MAC"
            | "DRY_RUN_OPERATION"
            | "MEMORY_BUSY"
            | "DEADLINE_EXCEEDED"
            | "TOKEN_UNAVAILABLE"
            | "KEY_UNAVAILABLE"
            | "REGISTRY_UNAVAILABLE"
            | "STOPPING"
            | "INTERNAL"
    ) || !is_known(reason)
}

/// Removes line breaks and other control characters, and shortens the text.
fn one_line(text: &str) -> Cow<'static, str> {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT_CHARS).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn status(code: Code, reason: &str, domain: &str) -> Status {
        let details = ErrorDetails::with_error_info(reason, domain, HashMap::new());
        Status::with_error_details(code, "line 1\nline 2", details)
    }

    const SIZES: Sizes = Sizes { message: 9, request: 20 };

    fn of(reason: &str) -> Failure {
        Failure::of(&status(Code::Unavailable, reason, DOMAIN), SIZES)
    }

    #[test]
    fn reason_of_hmacd_decides() {
        let failure = of("KMS_INVALID_MAC");
        assert_eq!((ErrorKind::InvalidMac, "KMS_INVALID_MAC"), (failure.kind, &*failure.reason));
        assert_eq!("line 1 line 2", failure.text);
        assert!(failure.answered && !failure.retryable && failure.may_have_run);
        assert_eq!(Action::BackOff, of("TOKEN_BUSY").action);
        assert!(of("TOKEN_BUSY").retryable && !of("TOKEN_BUSY").may_have_run);
        assert!(of("MEMORY_BUSY").may_have_run);
    }

    #[test]
    fn unknown_reason_with_retry_info_is_retried() {
        let of = |reason, delay| {
            let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
            details.set_retry_info(delay);
            Failure::of(&Status::with_error_details(Code::ResourceExhausted, "", details), SIZES)
        };
        let second = Some(Duration::from_secs(1));
        let failure = of("NEW_REASON", second);
        assert_eq!((Action::BackOff, second), (failure.action, failure.retry_after));
        assert!(failure.retryable && failure.may_have_run);
        assert_eq!((Action::BackOff, Some(Duration::ZERO)), (of("NEW_REASON", None).action, of("", None).retry_after));
        let known = of("KEY_NOT_USABLE", second);
        assert_eq!((Action::Fail, false), (known.action, known.retryable));
    }

    #[test]
    fn unknown_reason_without_retry_info_is_final() {
        let failure = of("NEW_REASON");
        assert_eq!((Action::Fail, false), (failure.action, failure.retryable));
        assert!(failure.may_have_run);
    }

    #[test]
    fn local_reason_of_the_daemon_is_an_unknown_reason() {
        for reason in ["CONNECTION_FAILED", "TLS_FAILED", "CANCELLED", "CLOSED", "INVALID_ARGUMENT", "UNSPECIFIED"] {
            let failure = of(reason);
            assert_eq!((Action::Fail, ErrorKind::Other), (failure.action, failure.kind), "{reason}");
            let expected = if reason == "UNSPECIFIED" { reason } else { "UNKNOWN" };
            assert_eq!(expected, failure.reason);
            assert!(!failure.known && !failure.retryable && failure.may_have_run && failure.answered, "{reason}");
            let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
            details.set_retry_info(None);
            let failure = Failure::of(&Status::with_error_details(Code::Unavailable, "", details), SIZES);
            assert_eq!((Action::BackOff, true), (failure.action, failure.retryable), "{reason}");
        }
        for reason in ["MESSAGE_TOO_LONG", "DEADLINE_EXCEEDED"] {
            assert!(of(reason).known && of(reason).kind != ErrorKind::Other, "{reason}");
        }
    }

    #[test]
    fn closed_call_may_have_run_if_it_was_sent() {
        for sent in [false, true] {
            let failure = Failure::closed(sent);
            assert_eq!((ErrorKind::Closed, "CLOSED"), (failure.kind, &*failure.reason));
            assert_eq!((Action::Fail, false, sent), (failure.action, failure.retryable, failure.may_have_run));
        }
    }

    #[test]
    fn only_waiting_can_repair_a_retryable_failure() {
        assert!(!Failure::unconnected(ConnectError::Tls(TlsFailure::NotTls)).retryable);
        assert!(Failure::unconnected(ConnectError::Refused).retryable);
        assert!(Failure::broken(Broken::Sent).retryable);
        assert!(Failure::deadline_exceeded(true, None).retryable);
        assert!(!Failure::of(&Status::cancelled(""), SIZES).retryable);
    }

    #[test]
    fn reason_of_another_domain_is_no_verdict() {
        let failure = Failure::of(&status(Code::InvalidArgument, "KMS_INVALID_MAC", "example.org"), SIZES);
        assert_eq!((ErrorKind::Other, "INVALID_ARGUMENT"), (failure.kind, &*failure.reason));
    }

    #[test]
    fn unavailable_without_reason_suspends() {
        let failure = Failure::of(&Status::unavailable("down"), SIZES);
        assert_eq!((Action::Suspend, "CONNECTION_FAILED"), (failure.action, &*failure.reason));
        assert!(!failure.answered && failure.may_have_run);
    }

    #[test]
    fn message_too_long_has_the_sizes_of_the_daemon() {
        let metadata = [("maximum", "64"), ("given", "65")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let details = ErrorDetails::with_error_info("MESSAGE_TOO_LONG", DOMAIN, metadata);
        let failure = Failure::of(&Status::with_error_details(Code::InvalidArgument, "", details), SIZES);
        assert_eq!(ErrorKind::MessageTooLong { limit: 64, size: 65 }, failure.kind);
        assert_eq!(("MESSAGE_TOO_LONG", Action::Fail), (&*failure.reason, failure.action));
        assert!(failure.answered && !failure.retryable && !failure.may_have_run);
        assert_eq!(ErrorKind::MessageTooLong { limit: 0, size: 9 }, of("MESSAGE_TOO_LONG").kind);
    }

    #[test]
    fn request_too_long_has_the_length_of_the_request() {
        let failure = of("REQUEST_TOO_LONG");
        assert_eq!(ErrorKind::MessageTooLong { limit: 0, size: 20 }, failure.kind);
        assert_eq!("REQUEST_TOO_LONG", failure.reason);
        assert!(!failure.retryable && !failure.may_have_run);
    }

    #[test]
    fn reason_is_one_line() {
        let failure = of("TOKEN_BUSY\nforged");
        assert_eq!(("TOKEN_BUSY forged", Action::Fail), (&*failure.reason, failure.action));
    }

    #[test]
    fn peer_without_a_reason_can_forbid_a_retry() {
        let mut metadata = tonic::metadata::MetadataMap::new();
        metadata.insert("grpc-retry-pushback-ms", "-1".parse().unwrap());
        metadata.insert("x-request-id", "id".parse().unwrap());
        let failure = Failure::of(&Status::with_metadata(Code::Unavailable, "down", metadata), SIZES);
        assert_eq!((true, "id"), (failure.forbidden, &*failure.request_id));
    }

    #[test]
    fn peer_without_a_reason_gets_no_other_attempt() {
        for code in (0..17).map(Code::from_i32).filter(|code| *code != Code::Unavailable) {
            assert_eq!(Action::Fail, Failure::of(&Status::new(code, ""), SIZES).action, "{code:?}");
        }
    }

    #[test]
    fn broken_connection_is_found_in_the_status() {
        for (broken, may_have_run) in [(Broken::Unsent, false), (Broken::Sent, true)] {
            let failure = Failure::of(&Status::from_error(Box::new(broken)), SIZES);
            assert_eq!((Action::Suspend, may_have_run), (failure.action, failure.may_have_run));
        }
    }

    #[test]
    fn deadline_while_tls_fails_is_the_failure_of_tls() {
        let cause = Some(ConnectError::Tls(TlsFailure::NotTrusted));
        assert_eq!("TLS_FAILED", Failure::deadline_exceeded(false, cause).reason);
        assert_eq!("DEADLINE_EXCEEDED", Failure::deadline_exceeded(true, cause).reason);
        assert!(Failure::deadline_exceeded(false, Some(ConnectError::Refused)).text.ends_with("was refused"));
    }
}
