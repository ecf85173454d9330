package hmacd

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"
)

// resolved records what a resolver reports.
type resolved struct {
	resolver.ClientConn
	states []resolver.State
	errs   []error
}

func (r *resolved) UpdateState(state resolver.State) error {
	r.states = append(r.states, state)
	return nil
}

func (r *resolved) ReportError(err error) { r.errs = append(r.errs, err) }

func TestNameIsLookedUpAgainAtMostOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lookups atomic.Int64
		problems, conn := &problems{}, &resolved{}
		builder := targetResolver{
			address: address{host: "hmacd.example.org", port: "8443"}, problems: problems,
			lookup: func(_ context.Context, host string) ([]string, error) {
				if lookups.Add(1) == 2 {
					return nil, errors.New("no such host")
				}
				return []string{"192.0.2.1", "2001:db8::1"}, nil
			},
		}
		names, err := builder.Build(resolver.Target{}, conn, resolver.BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer names.Close()
		expect := func(want int64) {
			t.Helper()
			synctest.Wait()
			if got := lookups.Load(); got != want {
				t.Fatalf("want %d lookups, got %d", want, got)
			}
		}
		expect(1)
		if e := conn.states[0].Endpoints; len(e) != 2 || e[0].Addresses[0].Addr != "192.0.2.1:8443" || e[1].Addresses[0].Addr != "[2001:db8::1]:8443" {
			t.Errorf("got %v", e)
		}
		names.ResolveNow(resolver.ResolveNowOptions{})
		names.ResolveNow(resolver.ResolveNowOptions{})
		time.Sleep(lookupInterval - 1)
		expect(1)
		time.Sleep(1)
		expect(2)
		if len(conn.errs) != 1 || problems.last.Load() == nil {
			t.Errorf("the failed lookup was not reported: %v", conn.errs)
		}
		time.Sleep(lookupInterval) // A failed lookup is repeated without a request.
		expect(3)
		time.Sleep(time.Hour) // No lost connection, no lookup.
		expect(3)
	})
}

func TestIPAddressAndSocketNeedNoLookup(t *testing.T) {
	for want, target := range map[string]string{"127.0.0.1:1": "127.0.0.1:1", "[::1]:1": "[::1]:1", "/run/s": "unix:/run/s"} {
		parsed, err := parseAddress(target)
		if err != nil {
			t.Fatal(err)
		}
		conn := &resolved{}
		if _, err := (targetResolver{address: parsed}).Build(resolver.Target{}, conn, resolver.BuildOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := conn.states[0].Endpoints[0].Addresses[0].Addr; got != want {
			t.Errorf("%s: got %s", target, got)
		}
	}
}
