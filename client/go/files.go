package hmacd

import (
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
		case now := <-ticker.C:
			c.checkFilesOnce(now)
		}
	}
}

func (c *Client) checkFilesOnce(now time.Time) {
	c.filesMu.Lock()
	defer c.filesMu.Unlock()
	files, err := readPEMFiles(c.config)
	c.useFiles(c.renewal.observe(now, files, err))
}

// reconnect reads the PEM files now, and opens a new channel to the target, also if the files have
// not changed.
func (c *Client) reconnect(target *target, used *channel) {
	c.filesMu.Lock()
	defer c.filesMu.Unlock()
	if c.renewal != nil {
		files, err := readPEMFiles(c.config)
		c.useFiles(c.renewal.demand(time.Now(), files, err))
	}
	_ = target.reconnect(used) // gRPC has accepted the same target and options before.
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
