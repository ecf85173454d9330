package hmacd

import (
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// errorDomain is the domain of the ErrorInfo of hmacd.
const errorDomain = "hmacd.dev"

// failure is the failure of one attempt.
type failure struct {
	reason     Reason
	text       string
	transport  bool           // suspends the target
	reached    bool           // the daemon may have received the attempt
	mayHaveRun bool           // the daemon may have executed the attempt
	answered   bool           // the error is the peer's answer
	retryDelay *time.Duration // google.rpc.RetryInfo of the daemon, 0 or more; nil if there is none
	forbidden  bool           // the peer forbids a retry
	requestID  string
	cause      error
}

// failureOf classifies the error of an attempt. sent is whether gRPC may have sent the request.
func failureOf(err error, trailer metadata.MD, sent bool) failure {
	answer := status.Convert(err)
	f := failure{text: oneLine(answer.Message()), reached: sent, mayHaveRun: sent, requestID: requestIDOf(trailer)}
	if pushback := trailer.Get("grpc-retry-pushback-ms"); len(pushback) > 0 {
		f.forbidden = pushback[0] == "-1"
	}
	var info *errdetails.ErrorInfo
	var retryDelay *time.Duration
	for _, detail := range answer.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == errorDomain {
				info = detail
			}
		case *errdetails.RetryInfo:
			if delay := detail.GetRetryDelay(); delay != nil {
				wait := max(delay.AsDuration(), 0)
				retryDelay = &wait
			}
		}
	}
	if info != nil {
		f.retryDelay = retryDelay
		return f.ofDaemon(info)
	}
	switch answer.Code() {
	case codes.Unavailable:
		f.reason, f.transport = ReasonConnectionFailed, true
	case codes.DeadlineExceeded:
		f.reason = ReasonDeadlineExceeded
	case codes.Canceled:
		f.reason = ReasonCancelled
	default:
		f.reason, f.answered = ReasonConnectionFailed, true
		f.text = fmt.Sprintf("the peer answered %v without a reason of hmacd", answer.Code())
	}
	return f
}

func (f failure) ofDaemon(info *errdetails.ErrorInfo) failure {
	f.reason, f.answered, f.reached = Reason(oneLine(info.GetReason())), true, true
	if f.reason.isLocal() {
		f.reason = reasonUnknown
	}
	f.transport = f.reason == ReasonStopping
	f.mayHaveRun = f.reason.mayHaveRun()
	if f.reason == ReasonMessageTooLong || f.reason == ReasonRequestTooLong {
		f.cause = &MessageTooLongError{Limit: bytesOf(info, "maximum"), Size: bytesOf(info, "given")}
	}
	return f
}

// bytesOf returns a number of bytes in the metadata, or 0 if there is no valid one.
func bytesOf(info *errdetails.ErrorInfo, name string) int {
	number, err := strconv.Atoi(info.GetMetadata()[name])
	if err != nil || number < 0 {
		return 0
	}
	return number
}

// damage is the failure of an attempt whose answer was damaged in transit.
func damage(trailer metadata.MD) failure {
	return failure{
		reason: ReasonChecksumMismatch, text: "the answer was damaged in transit",
		reached: true, mayHaveRun: true, answered: true, requestID: requestIDOf(trailer),
	}
}

func (f failure) verdict() verdict {
	switch {
	case f.transport:
		return failed
	case f.answered:
		return answered
	default:
		return unknown
	}
}

// isMarkedUnknown returns whether a newer daemon marked its reason for a retry.
func (f failure) isMarkedUnknown() bool { return f.retryDelay != nil && !f.reason.known() }

// error returns the error of a call that ends with this failure.
func (f failure) error(target string, attempts int, mayHaveRun bool) *Error {
	return &Error{
		Reason: f.reason, Text: f.text, Retryable: f.reason.retryable() || f.isMarkedUnknown(),
		MayHaveRun: mayHaveRun, Target: target, Attempts: attempts, RequestID: f.requestID, cause: f.cause,
	}
}

func requestIDOf(trailer metadata.MD) string {
	if ids := trailer.Get("x-request-id"); len(ids) > 0 {
		return oneLine(ids[0])
	}
	return ""
}
