package hmacd

import (
	"testing"
	"time"
)

// start is the time of all pure tests.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// middle is a random number without effect on a jitter of ±20 %.
func middle() float64 { return 0.5 }

func expectTarget(t *testing.T, l lease, want int) {
	t.Helper()
	if l.target != want {
		t.Fatalf("want target %d, got %+v", want, l)
	}
}

// fail makes an attempt on each of n targets at a time, which fail.
func fail(t *testing.T, p *picker, now time.Time, n int) {
	t.Helper()
	for range n {
		p.end(now, p.take(now, -1), failed)
	}
}

func TestTargetsAreTakenInTurn(t *testing.T) {
	p := newPicker(3, middle)
	for _, want := range []int{0, 1, 2, 0, 1} {
		l := p.take(start, -1)
		expectTarget(t, l, want)
		if !l.hasOther || l.waits || l.probe {
			t.Errorf("want an attempt with a limit, got %+v", l)
		}
	}
}

func TestTargetOfTheLastAttemptIsAvoided(t *testing.T) {
	p := newPicker(2, middle)
	expectTarget(t, p.take(start, 0), 1)
	expectTarget(t, p.take(start, 0), 1)
	p.end(start, p.retake(start, 1), failed)
	expectTarget(t, p.take(start, 0), 0)
}

func TestOneTargetAlwaysWaitsForItsConnection(t *testing.T) {
	p := newPicker(1, middle)
	for range 2 {
		l := p.take(start, 0)
		if l.target != 0 || !l.waits || l.hasOther {
			t.Errorf("got %+v", l)
		}
		p.end(start, l, failed)
	}
}

func TestSuspensionDoublesUpTo5Seconds(t *testing.T) {
	p := newPicker(2, middle)
	now := start
	p.end(now, p.retake(now, 0), failed)
	for _, milliseconds := range []int{100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000} {
		end := now.Add(time.Duration(milliseconds) * time.Millisecond)
		if l := p.take(end.Add(-1), 1); l.target != 1 {
			t.Fatalf("target 0 was taken before %d ms", milliseconds)
		}
		now = end
		l := p.take(now, 1)
		if l.target != 0 || !l.probe {
			t.Fatalf("want a probe of target 0 after %d ms, got %+v", milliseconds, l)
		}
		p.end(now, l, failed)
	}
}

func TestSuspensionHasJitter(t *testing.T) {
	for random, want := range map[float64]time.Duration{0: 80 * time.Millisecond, 0.5: 100 * time.Millisecond} {
		p := newPicker(2, func() float64 { return random })
		if got := p.length(1); got != want {
			t.Errorf("random %v: want %v, got %v", random, want, got)
		}
	}
	p := newPicker(2, func() float64 { return 0.999999 })
	if got := p.length(1); got < 119*time.Millisecond || got > 120*time.Millisecond {
		t.Errorf("got %v", got)
	}
}

func TestProbeIsTheOnlyAttemptUntilItEnds(t *testing.T) {
	for name, test := range map[string]struct {
		v        verdict
		usable   bool
		isProbed bool
	}{
		"answered":  {answered, true, false},
		"failed":    {failed, false, false},
		"cancelled": {unknown, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPicker(2, middle)
			p.end(start, p.retake(start, 0), failed)
			now := start.Add(time.Second)
			probe := p.take(now, 1)
			if !probe.probe {
				t.Fatalf("want a probe, got %+v", probe)
			}
			expectTarget(t, p.take(now, 1), 1)
			p.end(now, probe, test.v)
			after := p.take(now, 1)
			if (after.target == 0) != test.usable || after.probe != test.isProbed {
				t.Errorf("got %+v", after)
			}
		})
	}
}

func TestAnyAnswerEndsTheSuspension(t *testing.T) {
	p := newPicker(2, middle)
	late := p.retake(start, 0)
	p.end(start, p.retake(start, 0), failed)
	expectTarget(t, p.take(start, 1), 1)
	p.end(start, late, answered)
	expectTarget(t, p.take(start, 1), 0)
}

func TestAttemptsThatFailTogetherAreOneFailure(t *testing.T) {
	p := newPicker(2, middle)
	var leases []lease
	for range 50 {
		leases = append(leases, p.retake(start, 0))
	}
	for _, l := range leases {
		p.end(start, l, failed)
	}
	if l := p.take(start.Add(100*time.Millisecond), 1); !l.probe {
		t.Errorf("want a probe after 100 ms, got %+v", l)
	}
}

func TestWithoutAUsableTargetTheFirstEndOfASuspensionIsTaken(t *testing.T) {
	p := newPicker(3, middle)
	p.end(start.Add(20*time.Millisecond), p.retake(start, 0), failed)
	p.end(start, p.retake(start, 1), failed)
	p.end(start.Add(10*time.Millisecond), p.retake(start, 2), failed)
	now := start.Add(50 * time.Millisecond)
	l := p.take(now, -1)
	expectTarget(t, l, 1)
	if !l.waits || l.hasOther || p.hasUsable(now) {
		t.Errorf("want an attempt that waits, got %+v", l)
	}
	now = start.Add(105 * time.Millisecond) // Target 1 is probed.
	p.take(now, -1)
	expectTarget(t, p.take(now, -1), 2)
}

func TestOneUsableTargetHasNoAttemptTimeout(t *testing.T) {
	p := newPicker(2, middle)
	fail(t, p, start, 1)
	l := p.take(start, -1)
	if l.target != 1 || l.hasOther || l.waits {
		t.Errorf("got %+v", l)
	}
}
