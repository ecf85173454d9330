package hmacd

import (
	"sync"
	"time"
)

const (
	firstSuspension   = 100 * time.Millisecond
	longestSuspension = 5 * time.Second
	suspensionJitter  = 0.2 // share of a suspension
)

// picker selects the target of each attempt, in turn, without the suspended ones. It is safe for
// concurrent use. Its callers give the time.
type picker struct {
	random func() float64 // in [0, 1)

	mu     sync.Mutex
	states []suspension // guarded by mu, as turn
	turn   int
}

// suspension is the state of a target. The zero value is a target without failures.
type suspension struct {
	failures int // in a row
	until    time.Time
	probed   bool // a probe is in flight
}

// lease is the permission for one attempt. [picker.end] ends it.
type lease struct {
	target int
	// hasOther is whether another target is usable: then the attempt has the attempt timeout.
	hasOther bool
	// waits is whether the attempt waits for the connection: no target is usable, or there is only one.
	waits bool

	probe    bool
	failures int // of the target when the attempt started
}

// verdict is the result of an attempt for the target.
type verdict int

const (
	unknown verdict = iota // for example cancelled by the caller
	answered
	failed
)

func newPicker(targets int, random func() float64) *picker {
	return &picker{random: random, states: make([]suspension, targets)}
}

// take returns the next usable target. The target avoided is taken only if no other is usable; -1
// avoids none. If no target is usable, take returns the one whose suspension ends first.
func (p *picker) take(now time.Time, avoided int) lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	chosen := -1
	for i := range p.states {
		candidate := (p.turn + i) % len(p.states)
		if p.states[candidate].usable(now) && (chosen == -1 || chosen == avoided) {
			chosen = candidate
		}
	}
	if chosen == -1 {
		return p.lease(now, p.nextUsable())
	}
	p.turn = chosen + 1
	return p.lease(now, chosen)
}

// retake returns the same target again, also if it is suspended.
func (p *picker) retake(now time.Time, target int) lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lease(now, target)
}

// end reports the result of the attempt.
func (p *picker) end(now time.Time, l lease, v verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	state := &p.states[l.target]
	switch {
	case v == answered:
		*state = suspension{}
	case v == failed && state.failures == l.failures: // Attempts in parallel fail together: one failure.
		state.failures++
		state.until = now.Add(p.length(state.failures))
		state.probed = false
	case l.probe && state.failures == l.failures:
		state.probed = false
	}
}

// hasUsable returns whether an attempt could take a target that is not suspended.
func (p *picker) hasUsable(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hasUsableExcept(now, -1)
}

func (p *picker) hasUsableExcept(now time.Time, target int) bool {
	for i := range p.states {
		if i != target && p.states[i].usable(now) {
			return true
		}
	}
	return false
}

func (p *picker) lease(now time.Time, target int) lease {
	state := &p.states[target]
	l := lease{target: target, failures: state.failures, hasOther: p.hasUsableExcept(now, target)}
	usable := state.usable(now)
	l.waits = len(p.states) == 1 || !usable && !l.hasOther
	if usable && state.failures > 0 {
		l.probe, state.probed = true, true
	}
	return l
}

// nextUsable returns the target whose suspension ends first, of those without a probe in flight if
// there are any.
func (p *picker) nextUsable() int {
	first := 0
	for i, state := range p.states {
		earlier := state.until.Before(p.states[first].until)
		if free := !state.probed; free != !p.states[first].probed {
			earlier = free
		}
		if earlier {
			first = i
		}
	}
	return first
}

func (p *picker) length(failures int) time.Duration {
	length := longestSuspension
	if shift := failures - 1; shift < 6 {
		length = firstSuspension << shift
	}
	length = min(length, longestSuspension)
	return time.Duration(float64(length) * (1 - suspensionJitter + 2*suspensionJitter*p.random()))
}

func (s suspension) usable(now time.Time) bool {
	return s.failures == 0 || !s.probed && !now.Before(s.until)
}
