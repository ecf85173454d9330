package hmacd

import hmacdv1 "hmacd.dev/client/go/hmacd/v1"

// Reason is the reason of an error: a value of ErrorReason in error_reason.proto without the prefix
// ERROR_REASON_, or a local reason. A newer daemon may send other reasons.
type Reason string

// reasonUnknown stands for a local reason in the answer of a daemon.
const reasonUnknown Reason = "UNKNOWN"

// Reasons of the client itself.
const (
	// ReasonConnectionFailed: the connection failed, or the peer answered without a reason of hmacd.
	ReasonConnectionFailed Reason = "CONNECTION_FAILED"
	// ReasonTLSFailed: the TLS handshake failed. The text of the error has the cause.
	ReasonTLSFailed Reason = "TLS_FAILED"
	// ReasonCancelled: the caller cancelled the call.
	ReasonCancelled Reason = "CANCELLED"
	// ReasonClosed: the client is closed.
	ReasonClosed Reason = "CLOSED"
	// ReasonInvalidArgument: a setting or an argument is not valid.
	ReasonInvalidArgument Reason = "INVALID_ARGUMENT"
)

// Reasons of the daemon. error_reason.proto has their meaning. ReasonDeadlineExceeded and
// ReasonMessageTooLong are also local reasons.
const (
	ReasonUnauthenticated         Reason = "UNAUTHENTICATED"
	ReasonAccessDenied            Reason = "ACCESS_DENIED"
	ReasonInvalidField            Reason = "INVALID_FIELD"
	ReasonUnknownField            Reason = "UNKNOWN_FIELD"
	ReasonGrantTokensNotSupported Reason = "GRANT_TOKENS_NOT_SUPPORTED"
	ReasonKeyVersionNotSupported  Reason = "KEY_VERSION_NOT_SUPPORTED"
	ReasonChecksumMismatch        Reason = "CHECKSUM_MISMATCH"
	ReasonInvalidPageToken        Reason = "INVALID_PAGE_TOKEN"
	ReasonInvalidKeyID            Reason = "INVALID_KEY_ID"
	ReasonKeyNotFound             Reason = "KEY_NOT_FOUND"
	ReasonAliasNotFound           Reason = "ALIAS_NOT_FOUND"
	ReasonAliasAlreadyExists      Reason = "ALIAS_ALREADY_EXISTS"
	ReasonLimitExceeded           Reason = "LIMIT_EXCEEDED"
	ReasonKeyNotUsable            Reason = "KEY_NOT_USABLE"
	ReasonInvalidKeyUsage         Reason = "INVALID_KEY_USAGE"
	ReasonKMSInvalidMAC           Reason = "KMS_INVALID_MAC"
	ReasonDryRunOperation         Reason = "DRY_RUN_OPERATION"
	ReasonTokenObjectNotFound     Reason = "TOKEN_OBJECT_NOT_FOUND"
	ReasonTokenObjectAmbiguous    Reason = "TOKEN_OBJECT_AMBIGUOUS"
	ReasonTokenObjectUnfit        Reason = "TOKEN_OBJECT_UNFIT"
	ReasonTokenObjectTaken        Reason = "TOKEN_OBJECT_TAKEN"
	ReasonTokenObjectReserved     Reason = "TOKEN_OBJECT_RESERVED"
	ReasonMechanismNotSupported   Reason = "MECHANISM_NOT_SUPPORTED"
	ReasonTokenBusy               Reason = "TOKEN_BUSY"
	ReasonRegistryBusy            Reason = "REGISTRY_BUSY"
	ReasonDeadlineExceeded        Reason = "DEADLINE_EXCEEDED"
	ReasonTokenUnavailable        Reason = "TOKEN_UNAVAILABLE"
	ReasonKeyUnavailable          Reason = "KEY_UNAVAILABLE"
	ReasonRegistryUnavailable     Reason = "REGISTRY_UNAVAILABLE"
	ReasonStopping                Reason = "STOPPING"
	ReasonInternal                Reason = "INTERNAL"
	ReasonKeyNotPendingDeletion   Reason = "KEY_NOT_PENDING_DELETION"
	ReasonInvalidTag              Reason = "INVALID_TAG"
	ReasonAccessKeyNotFound       Reason = "ACCESS_KEY_NOT_FOUND"
	ReasonRequestTooLong          Reason = "REQUEST_TOO_LONG"
	ReasonMemoryBusy              Reason = "MEMORY_BUSY"
	ReasonMethodNotFound          Reason = "METHOD_NOT_FOUND"
	ReasonServiceNotFound         Reason = "SERVICE_NOT_FOUND"
	ReasonReservedMessage         Reason = "RESERVED_MESSAGE"
	ReasonMessageTooLong          Reason = "MESSAGE_TOO_LONG"
)

// retryable returns whether the same call may succeed later: error_reason.proto marks it with [retry],
// except for the local reasons and DEADLINE_EXCEEDED.
func (r Reason) retryable() bool {
	switch r {
	case ReasonChecksumMismatch, ReasonTokenBusy, ReasonRegistryBusy, ReasonMemoryBusy,
		ReasonDeadlineExceeded, ReasonTokenUnavailable, ReasonKeyUnavailable,
		ReasonRegistryUnavailable, ReasonStopping, ReasonConnectionFailed:
		return true
	default:
		return false
	}
}

// mayHaveRun returns whether the daemon may have executed a call that it refused with this reason.
// It is false only for a check before the execution. A reason of a newer daemon is not certain.
func (r Reason) mayHaveRun() bool {
	switch r {
	case ReasonKMSInvalidMAC, ReasonDryRunOperation, ReasonDeadlineExceeded, ReasonTokenUnavailable,
		ReasonKeyUnavailable, ReasonRegistryUnavailable, ReasonStopping, ReasonInternal,
		ReasonMemoryBusy:
		return true
	default:
		return !r.known()
	}
}

// Known returns whether this version of the client knows the reason.
func (r Reason) Known() bool { return r.isLocal() || r.known() }

// isLocal returns whether only the client itself has the reason.
func (r Reason) isLocal() bool {
	switch r {
	case ReasonConnectionFailed, ReasonTLSFailed, ReasonCancelled, ReasonClosed, ReasonInvalidArgument:
		return true
	default:
		return false
	}
}

// known returns whether it is a reason of the daemon.
func (r Reason) known() bool {
	number, found := hmacdv1.ErrorReason_value["ERROR_REASON_"+string(r)]
	return found && number != 0
}
