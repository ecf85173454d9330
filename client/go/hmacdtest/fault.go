package hmacdtest

import (
	"context"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	hmacd "hmacd.dev/client/go"
)

// Fault is a fault of one attempt of a MAC call. The zero value is no fault.
type Fault struct {
	before  func(context.Context) error // runs instead of the call if it fails
	damages bool                        // the CRC32C of the answer
}

// Fail fails the attempt with a reason of the daemon, for example [hmacd.ReasonTokenUnavailable].
func Fail(reason hmacd.Reason) Fault { return FailWith(refusal(reason)) }

// FailWith fails the attempt with an error of gRPC, for example one without a reason.
func FailWith(err error) Fault {
	return Fault{before: func(context.Context) error { return err }}
}

// Late delays the answer.
func Late(delay time.Duration) Fault {
	return Fault{before: func(ctx context.Context) error { return await(ctx, time.After(delay)) }}
}

// After gives the answer when the channel is closed.
func After(released <-chan struct{}) Fault {
	return Fault{before: func(ctx context.Context) error { return await(ctx, released) }}
}

// NoAnswer gives no answer until the deadline of the attempt.
func NoAnswer() Fault { return After(nil) }

func await[T any](ctx context.Context, released <-chan T) error {
	select {
	case <-released:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// DamagedCRC32C damages the checksum of the MAC. For VerifyMac, it damages the field
// verified_message_crc32c.
func DamagedCRC32C() Fault { return Fault{damages: true} }

func (f Fault) apply(ctx context.Context) error {
	if f.before == nil {
		return nil
	}
	return f.before(ctx)
}

// refusal returns the daemon's error with a reason.
func refusal(reason hmacd.Reason) error { return refusalWith(reason, nil) }

func refusalWith(reason hmacd.Reason, metadata map[string]string) error {
	refused, err := status.New(codeOf(reason), "ordered by the test").WithDetails(
		&errdetails.ErrorInfo{Reason: string(reason), Domain: "hmacd.dev", Metadata: metadata})
	if err != nil { // An ErrorInfo is always a valid detail.
		panic(err)
	}
	return refused.Err()
}

// codeOf returns the code of a reason in error_reason.proto.
func codeOf(reason hmacd.Reason) codes.Code {
	switch reason {
	case hmacd.ReasonUnauthenticated:
		return codes.Unauthenticated
	case hmacd.ReasonAccessDenied:
		return codes.PermissionDenied
	case hmacd.ReasonKeyNotFound:
		return codes.NotFound
	case hmacd.ReasonKeyNotUsable, hmacd.ReasonDryRunOperation:
		return codes.FailedPrecondition
	case hmacd.ReasonTokenBusy, hmacd.ReasonRegistryBusy, hmacd.ReasonMemoryBusy, hmacd.ReasonRequestTooLong:
		return codes.ResourceExhausted
	case hmacd.ReasonTokenUnavailable, hmacd.ReasonKeyUnavailable, hmacd.ReasonRegistryUnavailable, hmacd.ReasonStopping:
		return codes.Unavailable
	case hmacd.ReasonDeadlineExceeded:
		return codes.DeadlineExceeded
	case hmacd.ReasonInternal:
		return codes.Internal
	default:
		return codes.InvalidArgument
	}
}
