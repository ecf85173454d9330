package hmacd_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	hmacd "hmacd.dev/client/go"
	"hmacd.dev/client/go/hmacdtest"
	"hmacd.dev/client/go/internal/pki"
)

// TestCallsAlternateBetweenTheAddressesOfAName has two servers on one port of two loopback addresses.
func TestCallsAlternateBetweenTheAddressesOfAName(t *testing.T) {
	authority, folder := pki.NewAuthority(t), t.TempDir()
	pair := authority.Issue(t, "127.0.0.1", time.Hour)
	pki.Write(t, folder, authority.PEM, pair)
	first := listen(t, "tcp", "127.0.0.1:0")
	_, port, err := net.SplitHostPort(first.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	second := listen(t, "tcp", net.JoinHostPort("127.0.0.2", port))
	fakes := []*hmacdtest.Fake{hmacdtest.New(secretKeys), hmacdtest.New(secretKeys)}
	var servers []*grpc.Server
	for i, listener := range []net.Listener{first, second} {
		server := grpc.NewServer(grpc.Creds(credentials.NewTLS(authority.Server(t, pair))))
		servers = append(servers, server)
		run(t, server, listener, fakes[i])
	}
	config := tlsConfig(folder, "hmacd.test:"+port)
	config.Timeout = time.Minute
	client, err := hmacd.NewWithLookup(config, func(context.Context, string) ([]string, error) {
		return []string{"127.0.0.1", "127.0.0.2"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	key := client.Key(keyName, hmacd.HMACSHA256)
	for fakes[0].Calls() == 0 || fakes[1].Calls() == 0 {
		generate(t, key)
	}
	servers[0].Stop()
	for range 10 {
		generate(t, key)
	}
}

func TestFailedLookupOfANameIsRepeated(t *testing.T) {
	authority, folder := pki.NewAuthority(t), t.TempDir()
	pki.Write(t, folder, authority.PEM, authority.Issue(t, "127.0.0.1", time.Hour))
	server := authority.Server(t, authority.Issue(t, "127.0.0.1", time.Hour))
	_, port, err := net.SplitHostPort(serveTLS(t, server, hmacdtest.New(secretKeys)))
	if err != nil {
		t.Fatal(err)
	}
	lookups := 0
	client, err := hmacd.NewWithLookup(tlsConfig(folder, "hmacd.test:"+port), func(context.Context, string) ([]string, error) {
		if lookups++; lookups == 1 {
			return nil, errors.New("no such host")
		}
		return []string{"127.0.0.1"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	generate(t, client.Key(keyName, hmacd.HMACSHA256))
}
