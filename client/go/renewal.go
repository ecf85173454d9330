package hmacd

import (
	"crypto/tls"
	"time"
)

// renewal decides when the PEM files have a good new set. Otherwise the last good set stays. It reads
// no file: its callers give the contents. It is not safe for concurrent use.
type renewal struct {
	current pemFiles
	seen    *pemFiles // a changed set of the last read
}

// observe reports one periodic read. It returns the configuration of a good new set that two reads
// have seen, otherwise nil.
func (r *renewal) observe(now time.Time, files pemFiles, err error) *tls.Config {
	switch {
	case err != nil || files.equal(r.current):
		r.seen = nil
		return nil
	case r.seen == nil || !files.equal(*r.seen): // A writer may be between two files.
		r.seen = &files
		return nil
	}
	return r.accept(now, files)
}

// demand reports a read after UNAUTHENTICATED. It returns the configuration of a good new set,
// otherwise nil.
func (r *renewal) demand(now time.Time, files pemFiles, err error) *tls.Config {
	if err != nil || files.equal(r.current) {
		return nil
	}
	return r.accept(now, files)
}

func (r *renewal) accept(now time.Time, files pemFiles) *tls.Config {
	config, err := files.tlsConfig(now)
	if err != nil { // Doctor shows it.
		return nil
	}
	r.current, r.seen = files, nil
	return config
}
