package hmacd_test

import (
	"context"
	"crypto/tls"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"

	hmacd "hmacd.dev/client/go"
	"hmacd.dev/client/go/hmacdtest"
	"hmacd.dev/client/go/internal/pki"
)

// tlsConfig returns the settings of a client with the files of pki.Write.
func tlsConfig(folder string, targets ...string) hmacd.Config {
	return hmacd.Config{
		Targets: targets, Timeout: time.Minute,
		CAFile: filepath.Join(folder, "ca.pem"), CertFile: filepath.Join(folder, "cert.pem"), KeyFile: filepath.Join(folder, "key.pem"),
	}
}

func TestMutualTLS(t *testing.T) {
	authority, folder := pki.NewAuthority(t), t.TempDir()
	pki.Write(t, folder, authority.PEM, authority.Issue(t, "127.0.0.1", time.Hour))
	server := authority.Server(t, authority.Issue(t, "127.0.0.1", time.Hour))
	generate(t, newKey(t, tlsConfig(folder, serveTLS(t, server, hmacdtest.New(secretKeys)))))
}

func TestFailedHandshakeHasItsCause(t *testing.T) {
	authority, other := pki.NewAuthority(t), pki.NewAuthority(t)
	good := authority.Issue(t, "127.0.0.1", time.Hour)
	withoutHTTP2 := authority.Server(t, good)
	withoutHTTP2.NextProtos = []string{"http/1.1"}
	for name, test := range map[string]struct {
		ca     []byte
		client pki.Pair
		target string
		want   string
	}{
		"not trusted":        {other.PEM, good, serveTLS(t, authority.Server(t, good), hmacdtest.New(nil)), "not trusted"},
		"another name":       {authority.PEM, good, serveTLS(t, authority.Server(t, authority.Issue(t, "127.0.0.2", time.Hour)), hmacdtest.New(nil)), "another name"},
		"ended":              {authority.PEM, good, serveTLS(t, authority.Server(t, authority.Issue(t, "127.0.0.1", -time.Minute)), hmacdtest.New(nil)), "has expired"},
		"client refused":     {authority.PEM, other.Issue(t, "127.0.0.1", time.Hour), serveTLS(t, authority.Server(t, good), hmacdtest.New(nil)), "refused the client certificate"},
		"client refused 1.2": {authority.PEM, other.Issue(t, "127.0.0.1", time.Hour), serveTLS(t, tls12(authority.Server(t, good)), hmacdtest.New(nil)), "refused the client certificate"},
		"no TLS":             {authority.PEM, good, plaintext(t), "does not speak TLS"},
		"no HTTP/2":          {authority.PEM, good, bareTLS(t, withoutHTTP2), "not HTTP/2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			pki.Write(t, folder, test.ca, test.client)
			config := tlsConfig(folder, test.target)
			config.Timeout = 2 * time.Second
			_, err := newKey(t, config).Generate(t.Context(), message)
			if got := expectError(t, err, hmacd.ReasonTLSFailed); !strings.Contains(got.Text, test.want) || got.MayHaveRun {
				t.Errorf("want %q, got %v", test.want, got)
			}
			if !errors.Is(err, hmacd.ErrTLSFailed) || errors.Is(err, hmacd.ErrInvalidMAC) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func tls12(config *tls.Config) *tls.Config {
	config.MaxVersion = tls.VersionTLS12
	return config
}

// plaintext answers each connection with a text, as a server of HTTP does.
func plaintext(t *testing.T) string {
	listener := listen(t, "tcp", "127.0.0.1:0")
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		}
	}()
	return listener.Addr().String()
}

// bareTLS makes handshakes only.
func bareTLS(t *testing.T, config *tls.Config) string {
	listener := listen(t, "tcp", "127.0.0.1:0")
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go tls.Server(conn, config).Handshake()
		}
	}()
	return listener.Addr().String()
}

// callers records the certificate, the address and the user agent of the caller of each call.
type callers struct {
	mu                         sync.Mutex
	serials, addresses, agents []string
}

func (c *callers) record(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	caller, _ := peer.FromContext(ctx)
	certificate := caller.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0]
	c.mu.Lock()
	c.serials = append(c.serials, certificate.SerialNumber.String())
	c.addresses = append(c.addresses, caller.Addr.String())
	c.agents = append(c.agents, metadata.ValueFromIncomingContext(ctx, "user-agent")...)
	c.mu.Unlock()
	return handle(ctx, request)
}

// connections reports the address of each connection that ends.
type connections struct{ ended chan string }

func (c connections) HandleConn(ctx context.Context, event stats.ConnStats) {
	if _, isEnd := event.(*stats.ConnEnd); isEnd {
		c.ended <- ctx.Value(connections{}).(string)
	}
}

func (connections) TagConn(ctx context.Context, tag *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, connections{}, tag.RemoteAddr.String())
}

func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (connections) HandleRPC(context.Context, stats.RPCStats)                       {}

// renewing is a server that records its callers, and a client whose files the test replaces.
type renewing struct {
	connections
	authority *pki.Authority
	folder    string
	fake      *hmacdtest.Fake
	client    *hmacd.Client
	callers   callers
}

func newRenewing(t *testing.T) *renewing {
	r := &renewing{connections: connections{make(chan string, 10)}, authority: pki.NewAuthority(t), folder: t.TempDir(), fake: hmacdtest.New(secretKeys)}
	r.renew(t)
	server := r.authority.Server(t, r.authority.Issue(t, "127.0.0.1", time.Hour))
	target := serveTLS(t, server, r.fake, grpc.UnaryInterceptor(r.callers.record), grpc.StatsHandler(r.connections))
	r.client = newClient(t, tlsConfig(r.folder, target))
	return r
}

func (r *renewing) renew(t *testing.T) {
	pki.Write(t, r.folder, r.authority.PEM, r.authority.Issue(t, "127.0.0.1", time.Hour))
}

func (r *renewing) generate(t *testing.T) {
	t.Helper()
	generate(t, r.client.Key(keyName, hmacd.HMACSHA256))
}

func TestRenewedFilesAreUsedForNewCalls(t *testing.T) {
	r := newRenewing(t)
	r.generate(t)
	r.renew(t)
	r.client.CheckFiles()
	r.client.CheckFiles()
	r.generate(t)
	if s := r.callers.serials; len(s) != 2 || s[0] == s[1] {
		t.Errorf("want two certificates, got %v", s)
	}
	if ended := <-r.ended; ended != r.callers.addresses[0] {
		t.Errorf("the old connection did not end, but %s", ended)
	}
	if agent := r.callers.agents[0]; !strings.HasPrefix(agent, "hmacd-go/0.") {
		t.Errorf("the user agent is %q", agent)
	}
}

func TestBadFilesDoNotReplaceTheChannels(t *testing.T) {
	r := newRenewing(t)
	r.generate(t)
	pki.Write(t, r.folder, []byte("no PEM"), pki.Pair{})
	r.client.CheckFiles()
	r.client.CheckFiles()
	r.generate(t)
	if a := r.callers.addresses; len(a) != 2 || a[0] != a[1] {
		t.Errorf("want one connection, got %v", a)
	}
}

func TestCallInFlightKeepsItsChannel(t *testing.T) {
	r := newRenewing(t)
	r.generate(t)
	released := make(chan struct{})
	r.fake.Next(1, hmacdtest.After(released))
	ended := make(chan error, 1)
	go func() {
		_, err := r.client.Key(keyName, hmacd.HMACSHA256).Generate(t.Context(), message)
		ended <- err
	}()
	for r.fake.Calls() < 2 {
		time.Sleep(time.Millisecond)
	}
	r.renew(t)
	r.client.CheckFiles()
	r.client.CheckFiles()
	r.generate(t)
	select {
	case <-r.ended:
		t.Error("a connection ended before its last call")
	default:
	}
	close(released)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if a := r.callers.addresses; len(a) != 3 || a[0] != a[1] || a[1] == a[2] {
		t.Errorf("want a new connection for the last call only, got %v", a)
	}
	if ended := <-r.ended; ended != r.callers.addresses[0] {
		t.Errorf("the old connection did not end after its last call, but %s", ended)
	}
}

func TestUnauthenticatedOpensANewChannelOnceACall(t *testing.T) {
	for name, renews := range map[string]bool{"new files": true, "the same files": false} {
		t.Run(name, func(t *testing.T) {
			r := newRenewing(t)
			r.generate(t)
			if renews {
				r.renew(t)
			}
			r.fake.Next(1, hmacdtest.Fail(hmacd.ReasonUnauthenticated))
			r.generate(t)
			s, a := r.callers.serials, r.callers.addresses
			if len(s) != 3 || (s[1] != s[2]) != renews || a[1] == a[2] {
				t.Errorf("got certificates %v on connections %v", s, a)
			}
			r.fake.Next(2, hmacdtest.Fail(hmacd.ReasonUnauthenticated))
			_, err := r.client.Key(keyName, hmacd.HMACSHA256).Generate(t.Context(), message)
			if got := expectError(t, err, hmacd.ReasonUnauthenticated); got.Attempts != 2 {
				t.Errorf("got %+v", got)
			}
			r.generate(t)
			if a := r.callers.addresses; len(a) != 6 || a[3] == a[4] || a[4] != a[5] {
				t.Errorf("want one new connection for two refusals, got %v", a)
			}
		})
	}
}
