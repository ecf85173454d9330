package hmacd

import (
	"context"
	"time"
)

// NewWithLookup is New with another lookup of names.
func NewWithLookup(config Config, lookup func(context.Context, string) ([]string, error)) (*Client, error) {
	return newClient(config, lookup)
}

// SetCloseTimeout replaces the time that Close waits.
func (c *Client) SetCloseTimeout(timeout time.Duration) { c.closeTimeout = timeout }

// CheckFiles makes one check of the PEM files, as after each Config.FileInterval.
func (c *Client) CheckFiles() { c.checkFilesOnce() }
