package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	maxFrame   = 16384
	writeLimit = 5 * time.Second
	// The duration of the attacker's side of a connection that the daemon has closed: longer than the
	// lingering close of the daemon.
	lingerLimit = 2 * time.Second
)

// dialer makes a connection to one of the edges.
type dialer func(w *world, source int) (net.Conn, error)

func toAWS(w *world, source int) (net.Conn, error) {
	return fromSource(source).Dial("tcp", w.AWS)
}

func toSocket(w *world, _ int) (net.Conn, error) {
	return net.DialTimeout("unix", w.Socket, modestLimit)
}

// toGRPC returns a dialer with the certificate of this name.
func toGRPC(name string) dialer {
	return func(w *world, source int) (net.Conn, error) {
		return w.dialTLS(source, w.tlsOf(name).Clone(), &cutting{})
	}
}

// dialTLS connects to the gRPC port through the given connection, whose field Conn it sets.
func (w *world) dialTLS(source int, config *tls.Config, through *cutting) (net.Conn, error) {
	raw, err := fromSource(source).Dial("tcp", w.GRPC)
	if err != nil {
		return nil, err
	}
	through.Conn = raw
	config.ServerName = "127.0.0.1"
	config.DynamicRecordSizingDisabled = true
	conn := tls.Client(through, config)
	_ = raw.SetDeadline(time.Now().Add(2 * modestLimit))
	if err := conn.Handshake(); err != nil {
		_ = raw.Close()
		return nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	return conn, nil
}

func fromSource(source int) *net.Dialer {
	return &net.Dialer{Timeout: modestLimit, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+source))}}
}

// cutting is a connection that omits bytes. With cut set, it omits the last byte of each write: of a TLS
// record. With limited set, it omits all bytes after the first left bytes.
type cutting struct {
	net.Conn
	cut     bool
	limited bool
	left    int
}

func (c *cutting) Write(b []byte) (int, error) {
	sent := len(b)
	if c.cut {
		sent--
	}
	if c.limited {
		sent = min(sent, c.left)
		c.left -= sent
	}
	if sent > 0 {
		if _, err := c.Conn.Write(b[:sent]); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// peer writes single HTTP/2 frames (RFC 9113), also invalid ones.
type peer struct {
	net.Conn
	out    bytes.Buffer
	framer *http2.Framer
	closed atomic.Bool     // By the daemon.
	left   atomic.Bool     // By the attacker.
	done   <-chan struct{} // Closed at the end of the attack; nil without an end.
	once   sync.Once
	freed  func() // Called when the connection has no file descriptor any more; may be nil.
}

func newPeer(conn net.Conn) *peer {
	p := &peer{Conn: conn}
	p.framer = http2.NewFramer(&p.out, nil)
	p.framer.AllowIllegalWrites = true
	return p
}

// preface starts HTTP/2 with an initial window for the daemon's answers. With 0, the daemon cannot
// send DATA.
func (p *peer) preface(window uint32) {
	p.out.WriteString(http2.ClientPreface)
	_ = p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	if window > 0 {
		_ = p.framer.WriteWindowUpdate(0, 1<<30)
	}
}

func (p *peer) headers(stream uint32, end bool, block []byte) {
	_ = p.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block, EndHeaders: true, EndStream: end,
	})
}

// request writes a complete request.
func (p *peer) request(stream uint32, block, body []byte) {
	p.headers(stream, len(body) == 0, block)
	if len(body) > 0 {
		_ = p.framer.WriteData(stream, true, body)
	}
}

// flush sends the written frames. It fails if the daemon does not read them in time.
func (p *peer) flush() error {
	_ = p.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := p.Write(p.out.Bytes())
	p.out.Reset()
	return err
}

// note records whether the daemon has ended the connection. A write timeout does not count.
func (p *peer) note(err error) {
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		p.closed.Store(true)
	}
}

// drain reads and discards the answers until the connection ends.
func (p *peer) drain() {
	_, _ = io.Copy(io.Discard, p.Conn)
	p.closed.Store(true)
}

// finish reads and discards the answers until the connection ends. Then it releases the connection's file
// descriptor.
func (p *peer) finish() {
	p.drain()
	time.Sleep(lingerLimit)
	p.reset()
}

// over returns whether the attack has ended.
func (p *peer) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// leave ends the connection, as the client.
func (p *peer) leave() {
	p.left.Store(true)
	p.reset()
}

// reset ends the connection with RST, so that its port is free at once. A second call has no effect.
func (p *peer) reset() {
	p.once.Do(func() {
		conn := p.Conn
		if secure, ok := conn.(*tls.Conn); ok {
			conn = secure.NetConn().(*cutting).Conn
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
		if p.freed != nil {
			p.freed()
		}
	})
}

// block encodes fields without the dynamic table.
func block(fields ...[2]string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	encoder.SetMaxDynamicTableSize(0)
	for _, f := range fields {
		check(encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	return b.Bytes()
}

// plain returns the fields of an unsigned request.
func plain(more ...[2]string) [][2]string {
	return append([][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "localhost"},
	}, more...)
}

func grpcBlock(method string) []byte {
	return block([][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/" + method}, {":authority", "localhost"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	}...)
}

// streams returns the ids of a client's first streams.
func streams(count int) []uint32 {
	all := make([]uint32, count)
	for i := range all {
		all[i] = uint32(2*i + 1)
	}
	return all
}

// loop keeps count requests in flight until the connection ends. It reads every answer.
func (p *peer) loop(count int, block, body []byte) error {
	p.preface(1 << 30)
	next := uint32(1)
	for range count {
		p.request(next, block, body)
		next += 2
	}
	if err := p.flush(); err != nil {
		return err
	}
	reader := http2.NewFramer(&p.out, p.Conn)
	for {
		frame, err := reader.ReadFrame()
		if err != nil {
			return fmt.Errorf("reading answers: %w", err)
		}
		header := frame.Header()
		switch {
		case header.Type == http2.FrameSettings && !header.Flags.Has(http2.FlagSettingsAck):
			_ = p.framer.WriteSettingsAck()
		case header.Type == http2.FramePing && !header.Flags.Has(http2.FlagPingAck):
			_ = p.framer.WritePing(true, [8]byte{})
		case header.Type == http2.FrameRSTStream,
			header.Flags.Has(http2.FlagDataEndStream) && (header.Type == http2.FrameData || header.Type == http2.FrameHeaders):
			p.request(next, block, body)
			next += 2
		default:
			continue
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
}

// cut makes the connection omit the last byte of the next TLS record.
func cut(p *peer) {
	p.Conn.(*tls.Conn).NetConn().(*cutting).cut = true
}
