package hmacd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Errors for errors.Is. Each error of a [Client] that matches one of them is also an [*Error].
var (
	// ErrInvalidMAC matches if the MAC is wrong. It is the only error that is a verdict.
	ErrInvalidMAC = errors.New("hmacd: the MAC is wrong")
	// ErrTLSFailed matches if the TLS handshake failed.
	ErrTLSFailed = errors.New("hmacd: the TLS handshake failed")
	// ErrClosed matches if the client is closed.
	ErrClosed = errors.New("hmacd: the client is closed")
	// ErrDeadlineExceeded matches if the deadline of the call passed. [context.DeadlineExceeded]
	// also matches.
	ErrDeadlineExceeded = errors.New("hmacd: the deadline passed")
)

// NoVerdict returns whether err is, or wraps, an [*Error] that is no verdict about a MAC, for
// example after an outage. A server answers such an error with 503, not with 401.
func NoVerdict(err error) bool {
	var failed *Error
	return errors.As(err, &failed) && failed.Reason != ReasonKMSInvalidMAC
}

// Error is the error of all calls and of [New]. Branch on Reason, not on the text.
type Error struct {
	// Reason is the daemon's reason or a local reason.
	Reason Reason
	// Text says what is wrong. It has no message, no MAC and no key.
	Text string
	// Retryable is whether the same call may succeed later.
	Retryable bool
	// MayHaveRun is false only if the daemon certainly has not executed the call.
	MayHaveRun bool
	// Target is the target of the last attempt. It is empty if there was none.
	Target string
	// Attempts is the number of attempts, 0 or more.
	Attempts int
	// RequestID is the request id of the last answer. It is empty if there was none.
	RequestID string

	cause error
}

// Error returns one line with the reason, the text, the target and the number of attempts.
func (e *Error) Error() string {
	target := "no target"
	if e.Target != "" {
		target = "target " + e.Target
	}
	return fmt.Sprintf("%s: %s (%s, %d attempts)", e.Reason, e.Text, target, e.Attempts)
}

// Is compares the reason with the errors of this package.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrInvalidMAC:
		return e.Reason == ReasonKMSInvalidMAC
	case ErrTLSFailed:
		return e.Reason == ReasonTLSFailed
	case ErrClosed:
		return e.Reason == ReasonClosed
	case ErrDeadlineExceeded, context.DeadlineExceeded:
		return e.Reason == ReasonDeadlineExceeded
	case context.Canceled:
		return e.Reason == ReasonCancelled
	default:
		return false
	}
}

// Unwrap returns the [*MessageTooLongError], or the error of the context that ended the call.
func (e *Error) Unwrap() error { return e.cause }

// MessageTooLongError has the maximum length and the length of a message that is too long, or with
// REQUEST_TOO_LONG those of the request. Find it with errors.As.
type MessageTooLongError struct {
	// Limit is the maximum length in bytes. It is 0 if the daemon did not report it.
	Limit int
	// Size is the length in bytes. It is 0 if the daemon did not report it.
	Size int
}

// Error returns both sizes.
func (e *MessageTooLongError) Error() string {
	return fmt.Sprintf("%d bytes are longer than %d bytes", e.Size, e.Limit)
}

func invalidArgument(format string, arguments ...any) *Error {
	return &Error{Reason: ReasonInvalidArgument, Text: oneLine(fmt.Sprintf(format, arguments...))}
}

// oneLine replaces control characters and separators of lines, and limits the length. So a peer's text cannot forge a line of
// a log.
func oneLine(text string) string {
	const limit = 500
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return ' '
		}
		return r
	}, text)
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return text
}
