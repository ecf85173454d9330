package hmacd

import (
	"crypto/tls"
	"time"
)

// renewal decides when the PEM files have a good new set. It reads no file: its callers give the
// contents. It is not safe for concurrent use.
type renewal struct {
	current pemFiles
	seen    *pemFiles // a changed set of the last read
	problem error     // why the set of the last read is not used; nil if it is
}

// observe reports one periodic read. It returns the configuration of a good new set that two reads
// have seen, otherwise nil.
func (r *renewal) observe(now time.Time, files pemFiles, err error) *tls.Config {
	switch {
	case err != nil:
		r.seen, r.problem = nil, err
		return nil
	case files.equal(r.current):
		r.seen, r.problem = nil, nil
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
	if err != nil {
		r.problem = err
		return nil
	}
	if files.equal(r.current) {
		return nil
	}
	return r.accept(now, files)
}

func (r *renewal) accept(now time.Time, files pemFiles) *tls.Config {
	config, err := files.tlsConfig(now)
	r.problem = err
	if err != nil {
		return nil
	}
	r.current, r.seen = files, nil
	return config
}
