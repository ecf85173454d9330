package hmacd

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

// Invoke makes a unary call of hmacd for the stubs of package hmacdv1. MAC operations, random bytes
// and reads are repeated; changes are attempted once. The error is an [*Error]. An answer with a wrong
// checksum, and one of VerifyMac without MacValid, is damaged. The checksums of requests are those of
// the caller: [Key] sets them.
func (c *Client) Invoke(ctx context.Context, method string, request, answer any, options ...grpc.CallOption) error {
	return c.call(ctx, operation{
		method: method, request: request, answer: answer, options: options,
		undamaged: func() bool { return undamaged(answer) },
	})
}

// undamaged checks what an answer has, whatever the request had.
func undamaged(answer any) bool {
	switch answer := answer.(type) {
	case *hmacdv1.GenerateMacResponse:
		return answer.GetMacCrc32C() == crc32c(answer.GetMac())
	case *hmacdv1.VerifyMacResponse:
		return answer.GetMacValid()
	case *hmacdv1.GenerateRandomResponse:
		return answer.GetPlaintextCrc32C() == crc32c(answer.GetPlaintext())
	default:
		return true
	}
}

// operation is a call of the daemon's API.
type operation struct {
	method          string
	request, answer any
	options         []grpc.CallOption
	undamaged       func() bool // checks the answer; nil if it has no checksum
}

// repeatable returns whether a repetition is harmless.
func (o operation) repeatable() bool {
	name := path.Base(o.method)
	switch name {
	case "GenerateMac", "VerifyMac", "GenerateRandom":
		return true
	}
	for _, read := range []string{"Describe", "List", "Get"} {
		if strings.HasPrefix(name, read) {
			return true
		}
	}
	return false
}

// call makes attempts until one succeeds, or no other is allowed.
func (c *Client) call(ctx context.Context, o operation) error {
	ctx, ended := c.config.Observer.Start(ctx, strings.TrimPrefix(o.method, "/"))
	target, attempts, err := c.attempts(ctx, o)
	ended(Observation{Target: target, Attempts: attempts, Err: err})
	if err != nil { // A nil *Error would not be a nil error.
		return err
	}
	return nil
}

// attempts returns the target of the last attempt, and the number of attempts.
func (c *Client) attempts(ctx context.Context, o operation) (target string, attempt int, _ *Error) {
	call, entered := c.enter(ctx)
	if !entered {
		return "", 0, &Error{Reason: ReasonClosed, Text: errClosing.Error()}
	}
	defer c.leave(call)

	retries := retries{
		budget: c.budget, random: c.random, repeatable: o.repeatable(),
		fits: func(wait time.Duration) bool { return !endsWithin(call, wait) },
	}
	lease := c.picker.take(time.Now(), -1)
	for mayHaveRun := false; ; {
		attempt++
		target = c.targets[lease.target].address.text
		failure := c.attempt(call, lease, o, !retries.authentication)
		if failure == nil {
			if attempt == 1 {
				c.budget.give()
			}
			return target, attempt, nil
		}
		mayHaveRun = mayHaveRun || failure.mayHaveRun
		next := retries.after(*failure, c.picker.hasUsable(time.Now()))
		if !next.again {
			return target, attempt, failure.error(target, attempt, mayHaveRun)
		}
		if !sleep(call, next.wait) {
			ended := failure.endedBy(call)
			return target, attempt, ended.error(target, attempt, mayHaveRun)
		}
		if next.sameTarget {
			lease = c.picker.retake(time.Now(), lease.target)
		} else {
			lease = c.picker.take(time.Now(), lease.target)
		}
	}
}

// enter starts a call, unless the client is closed. Then leave must follow.
func (c *Client) enter(ctx context.Context) (_ *callContext, entered bool) {
	call := &callContext{}
	call.Context, call.cancel = context.WithTimeout(ctx, c.config.Timeout)
	if !c.gate.enter(call) {
		call.cancel()
		return nil, false
	}
	return call, true
}

func (c *Client) leave(call *callContext) {
	c.gate.leave(call)
	call.cancel()
}

// attempt makes one attempt, and returns nil after a success. After UNAUTHENTICATED, it opens a new
// channel if the call has not done so.
func (c *Client) attempt(call *callContext, l lease, o operation, mayReconnect bool) *failure {
	target := c.targets[l.target]
	channel := target.acquire()
	defer channel.release()
	f := c.invoke(call, channel, l, o)
	if f == nil || f.answered { // An old problem does not explain a later failure.
		channel.problems.last.Store(nil)
	}
	if f == nil {
		c.picker.end(time.Now(), l, answered)
		return nil
	}
	c.picker.end(time.Now(), l, f.verdict())
	if f.reason == ReasonUnauthenticated && mayReconnect {
		c.reconnect(call, target, channel)
	}
	return f
}

func (c *Client) invoke(call *callContext, channel *channel, l lease, o operation) *failure {
	var ctx context.Context = call
	limited := l.hasOther && o.repeatable() // A change is not repeated: it has the whole time of the call.
	if limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(call, c.config.AttemptTimeout)
		defer cancel()
	}
	var trailer metadata.MD
	// gRPC sets the peer when it has given the attempt to a connection. Without it, the attempt certainly
	// did not reach the daemon.
	var receiver peer.Peer
	options := append(o.options[:len(o.options):len(o.options)],
		grpc.WaitForReady(l.waits), grpc.Trailer(&trailer), grpc.Peer(&receiver))
	err := channel.conn.Invoke(ctx, o.method, o.request, o.answer, options...)
	if err == nil {
		if o.undamaged != nil && !o.undamaged() {
			f := damage(trailer)
			return &f
		}
		return nil
	}
	f := failureOf(err, trailer, receiver.Addr != nil)
	f.complete(call, channel.problems.last.Load(), limited)
	if tooLong, isTooLong := f.cause.(*MessageTooLongError); isTooLong && f.reason == ReasonRequestTooLong {
		if request, isProto := o.request.(proto.Message); isProto {
			tooLong.Size = proto.Size(request)
		}
	}
	return &f
}

// complete corrects the classification with the end of the call, the attempt timeout, and the state
// of the connection.
func (f *failure) complete(call *callContext, problem *connectProblem, hasAttemptTimeout bool) {
	switch {
	case !f.answered && call.Err() != nil:
		*f = f.endedBy(call)
	case f.reason == ReasonDeadlineExceeded && hasAttemptTimeout && call.Err() == nil:
		f.transport, f.text = true, "no answer within the attempt timeout"
	case !f.answered && f.reason == ReasonCancelled:
		f.reason, f.text = ReasonConnectionFailed, "the peer cancelled the call"
	}
	if f.reached || !f.transport && f.reason != ReasonDeadlineExceeded {
		return
	}
	switch {
	case problem != nil && problem.tls:
		f.reason, f.text = ReasonTLSFailed, problem.text
	case problem != nil:
		f.reason, f.text = ReasonConnectionFailed, problem.text
	case f.transport:
		f.reason = ReasonConnectionFailed
	}
}

// endedBy returns the failure of an attempt that ended with the context of the call.
func (f failure) endedBy(call *callContext) failure {
	f.transport, f.answered, f.retryDelay, f.cause = false, false, nil, context.Cause(call)
	switch {
	case call.isClosed.Load():
		f.reason, f.text, f.cause = ReasonClosed, errClosing.Error(), nil
	case errors.Is(f.cause, context.DeadlineExceeded), errors.Is(call.Err(), context.DeadlineExceeded):
		f.reason, f.text = ReasonDeadlineExceeded, "no answer before the deadline of the call"
	default:
		f.reason, f.text = ReasonCancelled, "the caller cancelled the call"
	}
	return f
}

// endsWithin returns whether the deadline of the call is at the end of the wait, or before.
func endsWithin(call context.Context, wait time.Duration) bool {
	deadline, _ := call.Deadline()
	return time.Until(deadline) <= wait
}

// sleep returns false if the call ended first.
func sleep(call context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return call.Err() == nil
	case <-call.Done():
		return false
	}
}
