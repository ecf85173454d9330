package hmacd

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// closeTimeout is the time that Close waits for the calls in flight.
const closeTimeout = 5 * time.Second

var errClosing = errors.New("the client is closed")

// Client calls hmacd daemons. It is safe for concurrent use: create one, and share it. It is also a
// [grpc.ClientConnInterface], with the same deadlines, retries and errors, for all stubs of package
// hmacdv1:
//
//	keys := hmacdv1.NewKeyServiceClient(client)
type Client struct {
	config       Config
	targets      []*target
	picker       *picker
	budget       *budget
	lookup       lookup
	random       func() float64
	closeTimeout time.Duration

	filesMu sync.Mutex    // held while the targets get new channels, and are closed
	reading chan struct{} // guarded by filesMu; closed at the end of the read of the PEM files in flight
	renewal *renewal      // its fields are guarded by filesMu; nil without a target host:port

	gate      *gate
	closing   context.Context // ends the check of the files
	endFiles  context.CancelFunc
	closeOnce sync.Once
}

var _ grpc.ClientConnInterface = (*Client)(nil)

// New checks the settings and reads the PEM files. It does not connect. The error is an [*Error] with
// the reason INVALID_ARGUMENT. Its text has the name and the value of the setting. Call
// [Client.Close] after the last call.
func New(config Config) (*Client, error) {
	return newClient(config, net.DefaultResolver.LookupHost)
}

func newClient(config Config, lookup lookup) (*Client, error) {
	config, addresses, err := config.complete()
	if err != nil {
		return nil, err
	}
	if config.Observer == nil {
		config.Observer = noObserver{}
	}
	c := &Client{
		config: config, picker: newPicker(len(addresses), rand.Float64), budget: newBudget(),
		lookup: lookup, random: rand.Float64, closeTimeout: closeTimeout, gate: newGate(),
	}
	c.closing, c.endFiles = context.WithCancel(context.Background())
	if err := c.open(addresses); err != nil {
		c.endFiles()
		c.closeTargets()
		return nil, err
	}
	if c.renewal != nil {
		go c.checkFiles()
	}
	return c, nil
}

// Key binds a name and an algorithm, without a call. The name is a key id, a key ARN, an alias name
// or an alias ARN.
func (c *Client) Key(name string, algorithm Algorithm) *Key {
	return &Key{client: c, name: name, algorithm: algorithm}
}

// Close refuses new calls with [ErrClosed], waits up to 5 s for the calls in flight, and cancels the
// others. It returns nil. Further calls of Close wait for the first.
func (c *Client) Close() error {
	c.closeOnce.Do(func() {
		c.gate.close()
		limit := time.NewTimer(c.closeTimeout)
		defer limit.Stop()
		select {
		case <-c.gate.drained:
		case <-limit.C:
		}
		c.gate.endCalls()
		<-c.gate.drained
		c.endFiles()
		c.closeTargets()
	})
	return nil
}

// NewStream fails: hmacd has no streams.
func (c *Client) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, invalidArgument("hmacd has no streams")
}

func (c *Client) closeTargets() {
	c.filesMu.Lock()
	defer c.filesMu.Unlock()
	for _, target := range c.targets {
		target.close()
	}
}
