package hmacd

import (
	"math"
	"strings"
	"testing"
	"time"

	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

func newRetries() *retries {
	return &retries{
		budget: newBudget(), random: func() float64 { return 1 }, repeatable: true,
		fits: func(time.Duration) bool { return true },
	}
}

// daemonReasons are all reasons of the daemon.
func daemonReasons() []Reason {
	var reasons []Reason
	for number, name := range hmacdv1.ErrorReason_name {
		if number != 0 {
			reasons = append(reasons, Reason(strings.TrimPrefix(name, "ERROR_REASON_")))
		}
	}
	return reasons
}

func TestReasonsDecideTheRetry(t *testing.T) {
	const always, once = 3, 1
	repeated := map[Reason]int{
		ReasonTokenUnavailable: always, ReasonKeyUnavailable: always, ReasonRegistryUnavailable: always,
		ReasonTokenBusy: always, ReasonRegistryBusy: always, ReasonMemoryBusy: always,
		ReasonChecksumMismatch: once, ReasonUnauthenticated: once,
	}
	reasons := append(daemonReasons(), ReasonConnectionFailed, ReasonCancelled, ReasonClosed, "NEWER_REASON")
	for _, reason := range reasons {
		if reason == ReasonStopping {
			continue // A transport failure, see below.
		}
		r, retries := newRetries(), 0
		for retries < always && r.after(failure{reason: reason, reached: true}, true).again {
			retries++
		}
		if retries != repeated[reason] {
			t.Errorf("%s: want %d retries, got %d", reason, repeated[reason], retries)
		}
	}
}

func TestTransportFailureGoesToAUsableTargetAtOnce(t *testing.T) {
	r := newRetries()
	lost := failure{reason: ReasonConnectionFailed, transport: true}
	if got := r.after(lost, true); !got.again || got.wait != 0 || got.sameTarget {
		t.Errorf("got %+v", got)
	}
	if got := r.after(lost, false); !got.again || got.wait != 2*firstBackOff {
		t.Errorf("want a back-off without a usable target, got %+v", got)
	}
}

func TestUnauthenticatedTakesTheSameTarget(t *testing.T) {
	if got := newRetries().after(failure{reason: ReasonUnauthenticated}, true); !got.again || !got.sameTarget {
		t.Errorf("got %+v", got)
	}
}

func TestBackOffDoublesUpTo1Second(t *testing.T) {
	r := newRetries()
	for _, milliseconds := range []time.Duration{50, 100, 200, 400, 800, 1000, 1000, 1000} {
		got := r.after(failure{reason: ReasonTokenBusy}, true)
		if got.wait != milliseconds*time.Millisecond {
			t.Errorf("want %d ms, got %+v", milliseconds, got)
		}
	}
	r = newRetries()
	r.random = func() float64 { return 0 }
	if got := r.after(failure{reason: ReasonTokenBusy}, true); !got.again || got.wait != 0 {
		t.Errorf("want full jitter, got %+v", got)
	}
}

func TestRetryInfoIsAddedToTheBackOff(t *testing.T) {
	for delay, want := range map[time.Duration]time.Duration{
		3 * time.Second: 3*time.Second + firstBackOff,
		1:               1 + firstBackOff,
		0:               0,
		math.MaxInt64:   math.MaxInt64 - longestBackOff + firstBackOff, // Not below 0.
	} {
		for _, f := range []failure{
			{reason: ReasonTokenBusy, retryDelay: &delay},
			{reason: "NEWER_REASON", retryDelay: &delay},
			{reason: ReasonStopping, retryDelay: &delay, transport: true},
		} {
			if got := newRetries().after(f, false); !got.again || got.wait != want {
				t.Errorf("%s after %v: want %v, got %+v", f.reason, delay, want, got)
			}
		}
	}
}

func TestUnknownReasonIsRepeatedOnlyIfTheDaemonMarksIt(t *testing.T) {
	delay := time.Duration(0)
	for _, reason := range []Reason{"NEWER_REASON", "UNSPECIFIED", ReasonAccessDenied, ReasonInternal} {
		marked := newRetries().after(failure{reason: reason, retryDelay: &delay}, true).again
		if marked == reason.known() || newRetries().after(failure{reason: reason}, true).again {
			t.Errorf("%s: marked %v", reason, marked)
		}
	}
}

func TestChangesAndForbiddenRetriesAreNotRepeated(t *testing.T) {
	change := newRetries()
	change.repeatable = false
	for _, f := range []failure{
		{reason: ReasonConnectionFailed, transport: true}, {reason: ReasonTokenBusy}, {reason: ReasonUnauthenticated},
	} {
		if got := change.after(f, true); got.again {
			t.Errorf("a change was repeated after %s", f.reason)
		}
		f.forbidden = true
		if got := newRetries().after(f, true); got.again {
			t.Errorf("a forbidden retry was made after %s", f.reason)
		}
	}
}

func TestBudgetLimitsTheRetriesOfAllCalls(t *testing.T) {
	shared := newBudget()
	after := func(f failure) bool {
		r := newRetries()
		r.budget = shared
		return r.after(f, true).again
	}
	busy := failure{reason: ReasonTokenBusy, reached: true}
	for i := range capacity {
		if !after(busy) {
			t.Fatalf("no token for retry %d", i+1)
		}
	}
	if after(busy) {
		t.Error("a retry without a token")
	}
	if !after(failure{reason: ReasonConnectionFailed, transport: true}) {
		t.Error("an attempt that did not reach the daemon took a token")
	}
	for range 11 { // 10 in decimal; 0.1 is not exact in binary.
		shared.give()
	}
	if !after(busy) || after(busy) {
		t.Error("want one retry for ten calls that succeed at once")
	}
}

func TestRetryAfterTheDeadlineTakesNoToken(t *testing.T) {
	r := newRetries()
	r.fits = func(wait time.Duration) bool { return wait < firstBackOff }
	if got := r.after(failure{reason: ReasonTokenBusy, reached: true}, true); got.again || r.budget.tokens != capacity {
		t.Errorf("got %+v with %v tokens", got, r.budget.tokens)
	}
}

func TestBudgetHasACapacity(t *testing.T) {
	b := newBudget()
	for range 100 {
		b.give()
	}
	for range capacity {
		b.take()
	}
	if b.take() {
		t.Error("more tokens than the capacity")
	}
}
