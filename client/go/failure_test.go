package hmacd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

func answerOf(t *testing.T, code codes.Code, details ...protoadapt.MessageV1) error {
	t.Helper()
	answer, err := status.New(code, "text").WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Err()
}

func TestReasonIsThatOfHmacdOnly(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want Reason
	}{
		"hmacd":          {answerOf(t, codes.InvalidArgument, &errdetails.ErrorInfo{Reason: "KMS_INVALID_MAC", Domain: "hmacd.dev"}), ReasonKMSInvalidMAC},
		"another domain": {answerOf(t, codes.InvalidArgument, &errdetails.ErrorInfo{Reason: "KMS_INVALID_MAC", Domain: "example.org"}), ReasonConnectionFailed},
		"code only":      {status.Error(codes.InvalidArgument, "KMS_INVALID_MAC"), ReasonConnectionFailed},
		"no status":      {errors.New("KMS_INVALID_MAC"), ReasonConnectionFailed},
		"unavailable":    {status.Error(codes.Unavailable, ""), ReasonConnectionFailed},
	} {
		if got := failureOf(test.err, nil, true); got.reason != test.want {
			t.Errorf("%s: want %s, got %s", name, test.want, got.reason)
		}
	}
}

func TestTransportFailures(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want verdict
	}{
		"no reason":   {status.Error(codes.Unavailable, ""), failed},
		"stopping":    {answerOf(t, codes.Unavailable, &errdetails.ErrorInfo{Reason: "STOPPING", Domain: "hmacd.dev"}), failed},
		"token":       {answerOf(t, codes.Unavailable, &errdetails.ErrorInfo{Reason: "TOKEN_UNAVAILABLE", Domain: "hmacd.dev"}), answered},
		"wrong MAC":   {answerOf(t, codes.InvalidArgument, &errdetails.ErrorInfo{Reason: "KMS_INVALID_MAC", Domain: "hmacd.dev"}), answered},
		"cancelled":   {status.Error(codes.Canceled, ""), unknown},
		"not a hmacd": {status.Error(codes.Unimplemented, ""), answered},
	} {
		f := failureOf(test.err, nil, true)
		if got := f.verdict(); got != test.want {
			t.Errorf("%s: want %d, got %d", name, test.want, got)
		}
	}
}

func TestDetailsAndTrailersAreRead(t *testing.T) {
	err := answerOf(t, codes.ResourceExhausted,
		&errdetails.ErrorInfo{Reason: "TOKEN_BUSY", Domain: "hmacd.dev"},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(2 * time.Second)})
	f := failureOf(err, metadata.Pairs("x-request-id", "id", "grpc-retry-pushback-ms", "-1"), true)
	if f.retryDelay == nil || *f.retryDelay != 2*time.Second || !f.forbidden || f.requestID != "id" {
		t.Errorf("got %+v", f)
	}
	if f := failureOf(err, nil, true); f.forbidden || f.requestID != "" {
		t.Errorf("got %+v", f)
	}
}

func TestOnlyTheDaemonMarksAReasonForARetry(t *testing.T) {
	retry := &errdetails.RetryInfo{RetryDelay: durationpb.New(0)}
	for name, test := range map[string]struct {
		details   []protoadapt.MessageV1
		retryable bool
	}{
		"marked":          {[]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: "NEWER_REASON", Domain: "hmacd.dev"}, retry}, true},
		"not marked":      {[]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: "NEWER_REASON", Domain: "hmacd.dev"}}, false},
		"marked, known":   {[]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: "ACCESS_DENIED", Domain: "hmacd.dev"}, retry}, false},
		"mark before":     {[]protoadapt.MessageV1{retry, &errdetails.ErrorInfo{Reason: "NEWER_REASON", Domain: "hmacd.dev"}}, true},
		"daemon is known": {[]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: "TOKEN_BUSY", Domain: "hmacd.dev"}}, true},
	} {
		f := failureOf(answerOf(t, codes.InvalidArgument, test.details...), nil, true)
		if err := f.error("", 1, true); err.Retryable != test.retryable {
			t.Errorf("%s: got %+v", name, err)
		}
	}
	foreign := failureOf(answerOf(t, codes.InvalidArgument, &errdetails.ErrorInfo{Reason: "X", Domain: "example.org"}, retry), nil, true)
	if foreign.retryDelay != nil {
		t.Errorf("got %+v", foreign)
	}
}

func TestEndOfACallHasNoMark(t *testing.T) {
	delay := time.Second
	busy := failure{reason: ReasonTokenBusy, retryDelay: &delay, answered: true}
	call := &callContext{Context: t.Context()}
	call.isClosed.Store(true)
	ended := busy.endedBy(call)
	if err := ended.error("", 1, false); err.Reason != ReasonClosed || err.Retryable {
		t.Errorf("got %+v", err)
	}
}

func TestOnlyCertainlyUnsentCallsHaveNotRun(t *testing.T) {
	lost := status.Error(codes.Unavailable, "")
	for sent, want := range map[bool]bool{true: true, false: false} {
		if f := failureOf(lost, nil, sent); f.mayHaveRun != want || f.reached != want {
			t.Errorf("sent %v: got %+v", sent, f)
		}
	}
}

func TestMessageTooLongOfTheDaemonHasItsSizes(t *testing.T) {
	for want, metadata := range map[MessageTooLongError]map[string]string{
		{Limit: 65536, Size: 65537}: {"maximum": "65536", "given": "65537"},
		{}:                          {"maximum": "many", "given": "-1"},
	} {
		f := failureOf(answerOf(t, codes.InvalidArgument, &errdetails.ErrorInfo{
			Reason: "MESSAGE_TOO_LONG", Domain: "hmacd.dev", Metadata: metadata,
		}), nil, true)
		err := f.error("", 1, f.mayHaveRun)
		var tooLong *MessageTooLongError
		if !errors.As(err, &tooLong) || *tooLong != want || err.Retryable || err.MayHaveRun || err.Attempts != 1 {
			t.Errorf("want %+v, got %+v, %+v", want, tooLong, err)
		}
	}
}

func TestRequestTooLongOfTheDaemonHasItsLimit(t *testing.T) {
	f := failureOf(answerOf(t, codes.ResourceExhausted, &errdetails.ErrorInfo{
		Reason: "REQUEST_TOO_LONG", Domain: "hmacd.dev", Metadata: map[string]string{"maximum": "65536"},
	}), nil, true)
	var tooLong *MessageTooLongError
	if err := f.error("", 1, false); !errors.As(err, &tooLong) || tooLong.Limit != 65536 {
		t.Errorf("got %v", err)
	}
}

func TestEndOfTheCallDecidesTheReason(t *testing.T) {
	ended := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		return ctx
	}
	late, cancel := context.WithDeadlineCause(t.Context(), time.Now(), errors.New("too slow"))
	defer cancel()
	local := status.FromContextError(context.Canceled).Err()
	for name, test := range map[string]struct {
		call       context.Context
		err        error
		hasTimeout bool
		problem    *connectProblem
		sent       bool
		want       Reason
		transport  bool
	}{
		"cancelled":       {call: ended(context.Canceled), err: local, want: ReasonCancelled},
		"closed":          {call: ended(context.Canceled), err: local, want: ReasonClosed},
		"deadline":        {call: ended(context.DeadlineExceeded), err: local, sent: true, want: ReasonDeadlineExceeded},
		"late with cause": {call: late, err: local, sent: true, want: ReasonDeadlineExceeded},
		"attempt timeout": {call: t.Context(), err: status.Error(codes.DeadlineExceeded, ""), hasTimeout: true, sent: true, want: ReasonDeadlineExceeded, transport: true},
		"limit of daemon": {call: t.Context(), err: status.Error(codes.DeadlineExceeded, ""), sent: true, want: ReasonDeadlineExceeded},
		"peer cancelled":  {call: t.Context(), err: local, sent: true, want: ReasonConnectionFailed},
		"wrong MAC at the deadline": {
			call: ended(context.DeadlineExceeded), sent: true, want: ReasonKMSInvalidMAC,
			err: answerOf(t, codes.InvalidArgument, &errdetails.ErrorInfo{Reason: "KMS_INVALID_MAC", Domain: "hmacd.dev"}),
		},
		"never connected": {call: ended(context.DeadlineExceeded), err: local, problem: &connectProblem{text: "refused"}, want: ReasonConnectionFailed},
		"never by TLS":    {call: ended(context.DeadlineExceeded), err: local, problem: &connectProblem{tls: true}, want: ReasonTLSFailed},
		"old TLS problem": {call: ended(context.DeadlineExceeded), err: local, problem: &connectProblem{tls: true}, sent: true, want: ReasonDeadlineExceeded},
		"slow connection": {call: t.Context(), err: status.Error(codes.DeadlineExceeded, ""), hasTimeout: true, want: ReasonConnectionFailed, transport: true},
	} {
		f := failureOf(test.err, nil, test.sent)
		call := &callContext{Context: test.call}
		call.isClosed.Store(name == "closed")
		f.complete(call, test.problem, test.hasTimeout)
		if f.reason != test.want || f.transport != test.transport {
			t.Errorf("%s: want %s, got %+v", name, test.want, f)
		}
	}
}

func TestDaemonHasNoLocalReason(t *testing.T) {
	for _, local := range []Reason{
		ReasonConnectionFailed, ReasonTLSFailed, ReasonCancelled, ReasonClosed, ReasonInvalidArgument,
	} {
		info := &errdetails.ErrorInfo{Reason: string(local), Domain: "hmacd.dev"}
		err := failureOf(answerOf(t, codes.Unavailable, info), nil, true).error("", 1, true)
		if err.Reason != "UNKNOWN" || err.Retryable || !err.MayHaveRun {
			t.Errorf("%s: got %+v", local, err)
		}
	}
}

func TestReasonOfAPeerIsOneLine(t *testing.T) {
	f := failureOf(answerOf(t, codes.Unavailable, &errdetails.ErrorInfo{
		Reason: "TOKEN_BUSY\r\nforged", Domain: "hmacd.dev",
	}), nil, true)
	if f.reason != "TOKEN_BUSY  forged" {
		t.Errorf("got %q", f.reason)
	}
}

func TestTextOfAPeerIsOneShortLine(t *testing.T) {
	f := failureOf(status.Error(codes.Unavailable, "a\r\nb"+strings.Repeat("ü", 1000)), nil, true)
	if strings.ContainsAny(f.text, "\r\n") || len(f.text) > 510 {
		t.Errorf("got %q", f.text)
	}
}
