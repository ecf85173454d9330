package hmacd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
)

// Doctor checks each target with new connections, and returns one line for each target, in the order
// of [Config.Targets]. A line starts with "ok: " or "failed: ". A failed line has the first check that
// failed: files, name, connection, TLS, client certificate, or health status. Doctor makes no MAC. It
// ends after [Config.Timeout], or at an earlier deadline of ctx.
func (c *Client) Doctor(ctx context.Context) []string {
	lines := make([]string, len(c.targets))
	call, entered := c.enter(ctx)
	if !entered {
		for i, target := range c.targets {
			lines[i] = fmt.Sprintf("failed: %s, client: %v", target.address.text, errClosing)
		}
		return lines
	}
	defer c.leave(call)
	var examinations sync.WaitGroup
	for i, target := range c.targets {
		examinations.Go(func() {
			e := examination{target: target}
			if err := e.run(call, c.config); err != nil {
				lines[i] = fmt.Sprintf("failed: %s, %s: %s", target.address.text, e.check, oneLine(err.Error()))
			} else {
				lines[i] = "ok: " + strings.Join(append([]string{target.address.text}, e.facts...), ", ")
			}
		})
	}
	examinations.Wait()
	return lines
}

// examination is that of one target.
type examination struct {
	target *target
	check  string   // the check that runs
	facts  []string // of the checks that passed
}

func (e *examination) run(ctx context.Context, settings Config) error {
	var config *tls.Config
	if !e.target.address.isUnix() {
		var err error
		if config, err = e.files(settings); err != nil {
			return err
		}
		if err := e.handshake(ctx, config); err != nil {
			return err
		}
	}
	return e.health(ctx, config)
}

func (e *examination) files(settings Config) (*tls.Config, error) {
	e.check = "files"
	files, err := readPEMFiles(settings)
	if err != nil {
		return nil, err
	}
	config, err := files.tlsConfig(time.Now())
	if err == nil {
		e.facts = append(e.facts, "client certificate until "+day(config.Certificates[0].Leaf.NotAfter))
	}
	return config, err
}

// handshake looks up the name, connects, and makes a handshake.
func (e *examination) handshake(ctx context.Context, config *tls.Config) error {
	address := e.target.address
	e.check = "name"
	if _, err := e.target.lookup(ctx, address.host); err != nil {
		return err
	}
	e.check = "connection"
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(address.host, address.port))
	if err != nil {
		return err
	}
	defer raw.Close()
	e.check = "TLS"
	config = config.Clone()
	config.ServerName, config.NextProtos = address.host, []string{"h2"}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return explained(err)
	}
	state := conn.ConnectionState()
	e.facts = append(e.facts, tls.VersionName(state.Version), "daemon's certificate until "+day(state.PeerCertificates[0].NotAfter))
	return nil
}

// health asks for the health status. In TLS 1.3, the daemon refuses a client certificate only now.
func (e *examination) health(ctx context.Context, config *tls.Config) error {
	e.check = "connection"
	if config != nil {
		e.check = "client certificate"
	}
	channel, err := newChannel(e.target.address, config, e.target.lookup)
	if err != nil {
		return err
	}
	defer channel.retire()
	answer, err := grpc_health_v1.NewHealthClient(channel.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if problem := channel.problems.last.Load(); err != nil && problem != nil {
		return errors.New(problem.text)
	}
	e.check = "health status"
	if err != nil {
		return err
	}
	if status := answer.GetStatus(); status != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("%v", status)
	}
	e.facts = append(e.facts, "SERVING")
	return nil
}

// explained returns the error of a handshake with its cause in the words of the client.
func explained(err error) error {
	if text := tlsProblem(err); text != "" {
		return errors.New(text)
	}
	return fmt.Errorf("no answer: %w", err)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
