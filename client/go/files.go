package hmacd

import (
	"context"
	"crypto/tls"
	"slices"
	"time"
)

// open makes the targets with their channels.
func (c *Client) open(addresses []address) error {
	var config *tls.Config
	if slices.ContainsFunc(addresses, func(a address) bool { return !a.isUnix() }) {
		files, err := readPEMFiles(c.config)
		if err != nil {
			return invalidArgument("%v", err)
		}
		if config, err = files.tlsConfig(time.Now()); err != nil {
			return invalidArgument("%v (CAFile %q, CertFile %q, KeyFile %q)",
				err, c.config.CAFile, c.config.CertFile, c.config.KeyFile)
		}
		c.renewal = &renewal{current: files}
	}
	for _, address := range addresses {
		target, err := newTarget(address, config, c.lookup)
		if err != nil {
			return err
		}
		c.targets = append(c.targets, target)
	}
	return nil
}

// checkFiles reads the PEM files periodically, until Close.
func (c *Client) checkFiles() {
	ticker := time.NewTicker(c.config.FileInterval)
	defer ticker.Stop()
	for {
		select {
		case <-c.closing.Done():
			return
		case <-ticker.C:
			c.checkFilesOnce()
		}
	}
}

func (c *Client) checkFilesOnce() { c.readFiles(c.closing, c.renewal.observe) }

// reconnect reads the PEM files now, and opens a new channel to the target, also if the files have
// not changed.
func (c *Client) reconnect(call *callContext, target *target, used *channel) {
	if c.renewal != nil {
		c.readFiles(call, c.renewal.demand)
	}
	_ = target.reconnect(used) // gRPC has accepted the same target and options before.
}

// readFiles reads the PEM files after the read in flight, and opens new channels if decide returns a
// configuration. It returns at the end of the read, or when ctx ends: a file system can hang.
func (c *Client) readFiles(ctx context.Context, decide func(time.Time, pemFiles, error) *tls.Config) {
	for isOwn := false; !isOwn; {
		var read <-chan struct{}
		read, isOwn = c.startRead(decide)
		select {
		case <-read:
		case <-ctx.Done():
			return
		}
	}
}

// startRead starts a read, unless one is in flight. It returns a channel that is closed at the end of
// the read in flight.
func (c *Client) startRead(decide func(time.Time, pemFiles, error) *tls.Config) (_ <-chan struct{}, started bool) {
	c.filesMu.Lock()
	defer c.filesMu.Unlock()
	if c.reading != nil {
		return c.reading, false
	}
	reading := make(chan struct{})
	c.reading = reading
	go func() {
		files, err := readPEMFiles(c.config)
		c.filesMu.Lock()
		defer c.filesMu.Unlock()
		defer close(reading)
		c.reading = nil
		if c.closing.Err() == nil {
			c.useFiles(decide(time.Now(), files, err))
		}
	}()
	return reading, true
}

// useFiles opens new channels with the configuration, unless it is nil. The caller holds filesMu.
func (c *Client) useFiles(config *tls.Config) {
	if config == nil {
		return
	}
	for _, target := range c.targets {
		_ = target.renew(config) // gRPC has accepted the same target and options before.
	}
}
