package hmacd

import "time"

// SetCloseTimeout replaces the time that Close waits.
func (c *Client) SetCloseTimeout(timeout time.Duration) { c.closeTimeout = timeout }

// CheckFiles makes one check of the PEM files, as after each Config.FileInterval.
func (c *Client) CheckFiles() { c.checkFilesOnce(time.Now()) }
