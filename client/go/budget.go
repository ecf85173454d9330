package hmacd

import "sync"

// budget limits the retries of all calls of a client, so that an outage does not multiply the load.
// It is safe for concurrent use.
type budget struct {
	mu     sync.Mutex
	tokens float64 // guarded by mu; 0 to capacity
}

const (
	capacity = 100 // tokens of a full budget
	refill   = 0.1 // tokens for a call that succeeds at its first attempt
)

func newBudget() *budget { return &budget{tokens: capacity} }

// take takes the token of one retry. It returns false if there is none.
func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// give adds the share of a call that succeeded at its first attempt.
func (b *budget) give() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+refill, capacity)
}
