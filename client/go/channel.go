package hmacd

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// dialTimeout limits one attempt to connect. Linux repeats a lost SYN after 1 s and 3 s: a new
// attempt is faster than the next repetition.
const dialTimeout = 5 * time.Second

// maxHeaderList is the maximum length of the headers, and of the trailers, of an answer in bytes.
const maxHeaderList = 16 << 10

// channel is a connection of gRPC to one target. It is safe for concurrent use.
type channel struct {
	conn     *grpc.ClientConn
	problems *problems

	mu      sync.Mutex
	calls   int // guarded by mu, as retired
	retired bool
}

// newChannel does not connect. config is nil for a Unix socket.
func newChannel(target address, config *tls.Config, lookup lookup) (*channel, error) {
	problems := &problems{}
	conn, err := grpc.NewClient("hmacd:///"+authority(target),
		grpc.WithResolvers(targetResolver{target, problems, lookup}),
		grpc.WithTransportCredentials(transportCredentials(config, problems)),
		grpc.WithAuthority(authority(target)),
		grpc.WithContextDialer(dialer(target, problems)),
		grpc.WithUserAgent("hmacd-go/"+version),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		grpc.WithMaxHeaderListSize(maxHeaderList),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: dialTimeout,
		}))
	if err != nil {
		return nil, invalidArgument("Targets has %q: %v", target.text, err)
	}
	return &channel{conn: conn, problems: problems}, nil
}

// authority is the name that the daemon's certificate must have, with the port.
func authority(target address) string {
	if target.isUnix() {
		return "localhost"
	}
	return net.JoinHostPort(target.host, target.port)
}

func transportCredentials(config *tls.Config, problems *problems) credentials.TransportCredentials {
	if config == nil {
		return insecure.NewCredentials()
	}
	return recordingTLS{credentials.NewTLS(config), problems}
}

// dialer connects directly, without a proxy of the environment.
func dialer(target address, problems *problems) func(context.Context, string) (net.Conn, error) {
	network := "tcp"
	if target.isUnix() {
		network = "unix"
	}
	return func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil && ctx.Err() == nil {
			problems.add(err)
		}
		return conn, err
	}
}

// acquire returns whether a call may use the channel. Then release must follow.
func (c *channel) acquire() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired {
		return false
	}
	c.calls++
	return true
}

func (c *channel) release() {
	c.mu.Lock()
	c.calls--
	unused := c.retired && c.calls == 0
	c.mu.Unlock()
	if unused {
		_ = c.conn.Close()
	}
}

// retire closes the channel after its last call.
func (c *channel) retire() {
	c.mu.Lock()
	unused := !c.retired && c.calls == 0
	c.retired = true
	c.mu.Unlock()
	if unused {
		_ = c.conn.Close()
	}
}
