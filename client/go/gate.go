package hmacd

import (
	"context"
	"sync"
	"sync/atomic"
)

// callContext is the context of a call. It ends after the timeout of the client, and when the client
// is closed.
type callContext struct {
	context.Context
	cancel   context.CancelFunc
	isClosed atomic.Bool // the client was closed during the call
}

// gate has the calls in flight, and refuses new calls after it is shut. It is safe for concurrent
// use.
type gate struct {
	mu      sync.Mutex
	calls   map[*callContext]struct{} // guarded by mu, as shut
	shut    bool                      //
	drained chan struct{}             // closed when the gate is shut and no call is in flight
}

func newGate() *gate {
	return &gate{calls: map[*callContext]struct{}{}, drained: make(chan struct{})}
}

// enter returns whether the call may start. Then leave must follow.
func (g *gate) enter(call *callContext) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.calls[call] = struct{}{}
	return true
}

func (g *gate) leave(call *callContext) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.calls, call)
	if g.shut && len(g.calls) == 0 {
		close(g.drained)
	}
}

// close shuts the gate, once.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	if len(g.calls) == 0 {
		close(g.drained)
	}
}

// endCalls ends the calls in flight.
func (g *gate) endCalls() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for call := range g.calls {
		call.isClosed.Store(true)
		call.cancel()
	}
}
