package hmacd

import (
	"crypto/tls"
	"sync"
)

// target is one daemon with its current channel. It is safe for concurrent use.
type target struct {
	address address
	lookup  lookup

	mu      sync.Mutex
	channel *channel    // guarded by mu, as config
	config  *tls.Config // nil for a Unix socket
}

func newTarget(address address, config *tls.Config, lookup lookup) (*target, error) {
	if address.isUnix() {
		config = nil
	}
	channel, err := newChannel(address, config, lookup)
	if err != nil {
		return nil, err
	}
	return &target{address: address, lookup: lookup, channel: channel, config: config}, nil
}

// acquire returns the current channel. The caller releases it.
func (t *target) acquire() *channel {
	for {
		t.mu.Lock()
		channel := t.channel
		t.mu.Unlock()
		if channel.acquire() { // False only if another goroutine renewed the channel just now.
			return channel
		}
	}
}

// renew opens a new channel with the configuration. A Unix socket keeps its channel.
func (t *target) renew(config *tls.Config) error {
	if t.address.isUnix() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.replace(config)
}

// reconnect opens a new channel, unless another call has replaced the channel used.
func (t *target) reconnect(used *channel) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.channel != used {
		return nil
	}
	return t.replace(t.config)
}

func (t *target) replace(config *tls.Config) error {
	channel, err := newChannel(t.address, config, t.lookup)
	if err != nil {
		return err
	}
	t.channel.retire()
	t.channel, t.config = channel, config
	return nil
}

// close closes the channel. No call may use the target then.
func (t *target) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.channel.retire()
}
