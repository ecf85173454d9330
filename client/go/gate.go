package hmacd

import "sync"

// gate counts the calls in flight, and refuses new calls after it is shut. It is safe for concurrent
// use.
type gate struct {
	mu       sync.Mutex
	inFlight int           // guarded by mu, as shut
	shut     bool          //
	drained  chan struct{} // closed when the gate is shut and no call is in flight
}

func newGate() *gate { return &gate{drained: make(chan struct{})} }

// enter returns whether the call may start. Then leave must follow.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.inFlight++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	if g.shut && g.inFlight == 0 {
		close(g.drained)
	}
}

// close shuts the gate, once.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	if g.inFlight == 0 {
		close(g.drained)
	}
}
