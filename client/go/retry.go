package hmacd

import (
	"math"
	"time"
)

const (
	firstBackOff   = 50 * time.Millisecond
	longestBackOff = time.Second
)

// retries decides after each failed attempt of one call whether another attempt follows.
type retries struct {
	budget     *budget
	random     func() float64                // in [0, 1)
	repeatable bool                          // whether a repetition of the call is harmless
	fits       func(wait time.Duration) bool // whether the wait ends before the deadline of the call

	failures                int
	damaged, authentication bool // whether the one retry of the reason is used
}

// next is the decision after a failed attempt.
type next struct {
	again      bool
	wait       time.Duration
	sameTarget bool // after new credentials
}

// after decides after the failure f. hasUsable is whether a target is usable now.
func (r *retries) after(f failure, hasUsable bool) next {
	r.failures++
	if !r.repeatable || f.forbidden {
		return next{}
	}
	decision, repeats := r.byReason(f, hasUsable)
	if !repeats || !r.fits(decision.wait) || f.reached && !r.budget.take() {
		return next{}
	}
	return decision
}

func (r *retries) byReason(f failure, hasUsable bool) (decision next, repeats bool) {
	decision.again = true
	switch {
	case f.transport:
		if !hasUsable { // A peer that refuses each attempt at once would get all attempts at once.
			decision.wait = r.wait(f)
		}
		return decision, true
	case f.isMarkedUnknown():
		decision.wait = r.wait(f)
		return decision, true
	case f.reason == ReasonChecksumMismatch:
		repeats, r.damaged = !r.damaged, true
		return decision, repeats
	case f.reason == ReasonUnauthenticated:
		repeats, r.authentication = !r.authentication, true
		decision.sameTarget = true
		return decision, repeats
	}
	switch f.reason {
	case ReasonTokenUnavailable, ReasonKeyUnavailable, ReasonRegistryUnavailable,
		ReasonTokenBusy, ReasonRegistryBusy, ReasonMemoryBusy:
		decision.wait = r.wait(f)
		return decision, true
	default:
		return next{}, false
	}
}

// wait returns the delay of the daemon plus the back-off, so that clients do not retry together. There
// is no wait after a delay of 0, with which the daemon says that a wait changes nothing.
func (r *retries) wait(f failure) time.Duration {
	switch {
	case f.retryDelay == nil:
		return r.backOff()
	case *f.retryDelay == 0:
		return 0
	default:
		return min(*f.retryDelay, math.MaxInt64-longestBackOff) + r.backOff()
	}
}

// backOff returns a random time with full jitter.
func (r *retries) backOff() time.Duration {
	limit := longestBackOff
	if shift := r.failures - 1; shift < 5 {
		limit = firstBackOff << shift
	}
	return time.Duration(r.random() * float64(min(limit, longestBackOff)))
}
