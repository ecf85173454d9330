// Package hmacdtest has a fake of hmacd for tests. The fake serves MacService and DescribeKey in the
// process of the test, with real HMAC. The test uses the real client.
//
//	fake := hmacdtest.Start(t, map[string]hmacdtest.Key{
//		"alias/orders": {Algorithm: hmacd.HMACSHA256, Secret: secret},
//	})
//	key := fake.Client(t).Key("alias/orders", hmacd.HMACSHA256)
//	fake.Next(1, hmacdtest.Fail(hmacd.ReasonTokenUnavailable))
package hmacdtest

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	hmacd "hmacd.dev/client/go"
	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

// Key is a key of a [Fake].
type Key struct {
	Algorithm hmacd.Algorithm
	Secret    []byte
}

// Fake is a daemon with keys of the test. It is safe for concurrent use.
type Fake struct {
	keys map[string]Key
	path string

	mu     sync.Mutex
	faults []Fault // guarded by mu, as all fields below
	calls  int
	server *grpc.Server
}

// New returns a fake that serves nothing until [Fake.Register]. The map has the keys by the names
// that the client uses.
func New(keys map[string]Key) *Fake { return &Fake{keys: keys} }

// Start serves a new fake on a Unix socket until the end of the test.
func Start(t testing.TB, keys map[string]Key) *Fake {
	t.Helper()
	folder, err := os.MkdirTemp("", "hmacd") // t.TempDir may be longer than the path of a socket.
	if err != nil {
		t.Fatal(err)
	}
	f := New(keys)
	f.path = filepath.Join(folder, "s")
	t.Cleanup(func() {
		f.Stop()
		os.RemoveAll(folder)
	})
	f.Restart(t)
	return f
}

// Config returns the settings of a client of a started fake. The timeout is a minute, so that a test
// passes on a busy machine.
func (f *Fake) Config() hmacd.Config {
	return hmacd.Config{Targets: []string{"unix:" + f.path}, Timeout: time.Minute}
}

// Client returns a client of a started fake, until the end of the test.
func (f *Fake) Client(t testing.TB) *hmacd.Client {
	t.Helper()
	client, err := hmacd.New(f.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// Register adds the services of the fake to a server of the test, for example one with TLS.
func (f *Fake) Register(server grpc.ServiceRegistrar) {
	hmacdv1.RegisterMacServiceServer(server, macService{fake: f})
	hmacdv1.RegisterKeyServiceServer(server, keyService{fake: f})
}

// Stop ends all connections and calls of a started fake, as the end of a daemon's process does.
func (f *Fake) Stop() {
	f.mu.Lock()
	server := f.server
	f.server = nil
	f.mu.Unlock()
	if server != nil {
		server.Stop()
	}
}

// Restart serves a stopped fake again, at the same address.
func (f *Fake) Restart(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	f.Register(server)
	f.mu.Lock()
	f.server = server
	f.mu.Unlock()
	go server.Serve(listener)
}

// Next gives the fault to the next n attempts of MAC calls that have no fault yet.
func (f *Fake) Next(n int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.faults = append(f.faults, fault)
	}
}

// Calls returns the number of attempts of MAC calls that the fake received.
func (f *Fake) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// begin counts a call, and returns its fault.
func (f *Fake) begin() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if len(f.faults) == 0 {
		return Fault{}
	}
	fault := f.faults[0]
	f.faults = f.faults[1:]
	return fault
}
