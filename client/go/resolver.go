package hmacd

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc/resolver"
)

const (
	// lookupInterval is the shortest time between two lookups of a name. gRPC's own resolver waits
	// 30 s, which only a setting for the whole process changes.
	lookupInterval = time.Second
	lookupTimeout  = 5 * time.Second
)

// lookup returns the IP addresses of a host.
type lookup func(ctx context.Context, host string) ([]string, error)

// targetResolver looks up the name of a target, and again after each lost connection.
type targetResolver struct {
	address  address
	problems *problems
	lookup   lookup
}

func (r targetResolver) Scheme() string { return "hmacd" }

func (r targetResolver) Build(_ resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	if r.address.isUnix() || net.ParseIP(r.address.host) != nil {
		return fixed{}, conn.UpdateState(stateOf([]string{r.dialed(r.address.host)}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	lookups := &lookups{now: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{})}
	lookups.ResolveNow(resolver.ResolveNowOptions{})
	go lookups.run(ctx, r, conn)
	return lookups, nil
}

// dialed returns the address that gRPC gives to the dialer.
func (r targetResolver) dialed(host string) string {
	if r.address.isUnix() {
		return r.address.path
	}
	return net.JoinHostPort(host, r.address.port)
}

// update returns whether gRPC has the addresses of the name.
func (r targetResolver) update(ctx context.Context, conn resolver.ClientConn) bool {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	hosts, err := r.lookup(ctx, r.address.host)
	if err != nil {
		r.problems.add(err)
		conn.ReportError(err)
		return false
	}
	addresses := make([]string, len(hosts))
	for i, host := range hosts {
		addresses[i] = r.dialed(host)
	}
	return conn.UpdateState(stateOf(addresses)) == nil
}

func stateOf(addresses []string) resolver.State {
	state := resolver.State{}
	for _, address := range addresses {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{
			Addresses: []resolver.Address{{Addr: address}},
		})
	}
	return state
}

// fixed is the resolver of an address that needs no lookup.
type fixed struct{}

func (fixed) ResolveNow(resolver.ResolveNowOptions) {}
func (fixed) Close()                                {}

// lookups are the lookups of one channel.
type lookups struct {
	now    chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

func (l *lookups) ResolveNow(resolver.ResolveNowOptions) {
	select {
	case l.now <- struct{}{}:
	default: // A lookup is already requested.
	}
}

func (l *lookups) Close() {
	l.cancel()
	<-l.ended
}

func (l *lookups) run(ctx context.Context, r targetResolver, conn resolver.ClientConn) {
	defer close(l.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.now:
		}
		if !r.update(ctx, conn) { // Without an address, gRPC never calls ResolveNow.
			l.ResolveNow(resolver.ResolveNowOptions{})
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookupInterval):
		}
	}
}
