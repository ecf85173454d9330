// Package inflight keeps gRPC calls with one request in flight on a connection. It reads and writes HTTP/2
// frames (RFC 9113) itself, for a low cost.
package inflight

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	frameHeaderBytes = 9
	// The window of the server, for the connection and for each stream.
	window = 1 << 30
	// The initial window of the client (RFC 9113, section 6.9.2).
	initialWindow = 65535
	maxFrame      = 16384
	bufferBytes   = 64 << 10
	dialTimeout   = 30 * time.Second
)

// DialTLS makes a TLS connection for HTTP/2.
func DialTLS(address string, config *tls.Config) (net.Conn, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: dialTimeout}, "tcp", address, config)
	if err != nil {
		return nil, err
	}
	if conn.ConnectionState().NegotiatedProtocol != "h2" {
		_ = conn.Close()
		return nil, fmt.Errorf("the server did not select HTTP/2")
	}
	return conn, nil
}

// End is the end of a call.
type End struct {
	Status   string        // The grpc-status.
	Answer   []byte        // The message with its frame (5 bytes); empty for an error.
	Duration time.Duration // From the write of the request to the end of the answer.
}

// Connection has calls in flight. One goroutine calls Read. Any goroutine may call Begin and InFlight.
type Connection struct {
	conn    net.Conn
	in      *bufio.Reader
	decoder *hpack.Decoder
	headers []byte // The encoded headers of every request, without the dynamic table.
	body    []byte
	ended   func(End) (bool, error)

	mutex      sync.Mutex // Guards the fields below.
	out        bytes.Buffer
	nextStream uint32
	sent       map[uint32]*stream
	waiting    int   // Calls that wait for the window.
	toSend     int64 // The window of the client, in bytes.
	received   int64 // Bytes since the last WINDOW_UPDATE.
	maxStreams uint32
	status     string // The grpc-status of the current header block.
}

type stream struct {
	start  time.Time
	answer []byte
}

// New starts HTTP/2 on a connection.
//
// The path is that of the method. The body is the request with its gRPC frame. Read calls ended at the end of
// each call. If ended returns true, another call begins. If it returns an error, Read returns this error.
// ended must not call a method of the connection.
func New(conn net.Conn, path string, body []byte, ended func(End) (bool, error)) (*Connection, error) {
	if len(body) > maxFrame {
		return nil, fmt.Errorf("a request of %d bytes is longer than one frame", len(body))
	}
	c := &Connection{
		conn: conn, in: bufio.NewReaderSize(conn, bufferBytes), body: body, ended: ended,
		nextStream: 1, sent: make(map[uint32]*stream), toSend: initialWindow, maxStreams: math.MaxUint32,
	}
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == "grpc-status" {
			c.status = f.Value
		}
	})
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "localhost"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return nil, err
		}
	}
	c.headers = block.Bytes()
	c.out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&c.out, nil)
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}); err != nil {
		return nil, err
	}
	if err := framer.WriteWindowUpdate(0, window); err != nil {
		return nil, err
	}
	if err := c.flush(); err != nil {
		return nil, err
	}
	// Reads until the SETTINGS of the server.
	for {
		kind, err := c.frame()
		if err != nil {
			return nil, err
		}
		if kind == http2.FrameSettings {
			return c, c.flush()
		}
	}
}

// MaxStreams returns the maximum number of calls in flight that the server allows on the connection.
func (c *Connection) MaxStreams() uint32 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.maxStreams
}

// InFlight returns the number of calls in flight, with those that wait for the window.
func (c *Connection) InFlight() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return len(c.sent) + c.waiting
}

// Begin begins a number of calls.
func (c *Connection) Begin(calls int) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := time.Now()
	for range calls {
		c.begin(now)
	}
	return c.write()
}

// Read reads one frame. It sends new requests only after it has read all available input, so that one write
// has many requests.
func (c *Connection) Read() error {
	if c.in.Buffered() == 0 {
		if err := c.flush(); err != nil {
			return err
		}
	}
	_, err := c.frame()
	return err
}

func (c *Connection) flush() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.write()
}

func (c *Connection) write() error {
	if c.out.Len() == 0 {
		return nil
	}
	_, err := c.conn.Write(c.out.Bytes())
	c.out.Reset()
	return err
}

func (c *Connection) header(kind http2.FrameType, flags http2.Flags, id uint32, length int) {
	var h [frameHeaderBytes]byte
	binary.BigEndian.PutUint32(h[:4], uint32(length)<<8|uint32(kind))
	h[4] = byte(flags)
	binary.BigEndian.PutUint32(h[5:], id)
	c.out.Write(h[:])
}

// begin writes a request to the output, or counts it as waiting for the window.
func (c *Connection) begin(now time.Time) {
	if c.toSend < int64(len(c.body)) {
		c.waiting++
		return
	}
	c.toSend -= int64(len(c.body))
	c.sent[c.nextStream] = &stream{start: now}
	c.header(http2.FrameHeaders, http2.FlagHeadersEndHeaders, c.nextStream, len(c.headers))
	c.out.Write(c.headers)
	c.header(http2.FrameData, http2.FlagDataEndStream, c.nextStream, len(c.body))
	c.out.Write(c.body)
	c.nextStream += 2
}

// frame reads one frame.
func (c *Connection) frame() (http2.FrameType, error) {
	var h [frameHeaderBytes]byte
	if _, err := io.ReadFull(c.in, h[:]); err != nil {
		return 0, err
	}
	first := binary.BigEndian.Uint32(h[:4])
	length, kind, flags := int(first>>8), http2.FrameType(first&0xff), http2.Flags(h[4])
	id := binary.BigEndian.Uint32(h[5:])
	if length > maxFrame {
		return 0, fmt.Errorf("a frame of %d bytes", length)
	}
	payload, err := c.in.Peek(length)
	if err != nil {
		return 0, err
	}
	if err := c.take(kind, flags, id, payload); err != nil {
		return 0, err
	}
	_, err = c.in.Discard(length)
	return kind, err
}

func (c *Connection) take(kind http2.FrameType, flags http2.Flags, id uint32, payload []byte) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch kind {
	case http2.FrameData:
		s := c.sent[id]
		if s == nil || flags.Has(http2.FlagDataPadded) {
			return fmt.Errorf("unexpected DATA frame, stream %d", id)
		}
		c.more(len(payload))
		s.answer = append(s.answer, payload...)
		if flags.Has(http2.FlagDataEndStream) {
			return fmt.Errorf("an answer without grpc-status")
		}
	case http2.FrameHeaders:
		return c.takeHeaders(flags, id, payload)
	case http2.FrameSettings:
		return c.takeSettings(flags, payload)
	case http2.FramePing:
		if !flags.Has(http2.FlagPingAck) {
			c.header(http2.FramePing, http2.FlagPingAck, 0, len(payload))
			c.out.Write(payload)
		}
	case http2.FrameWindowUpdate:
		if id == 0 {
			c.toSend += int64(binary.BigEndian.Uint32(payload))
			now := time.Now()
			for ; c.waiting > 0 && c.toSend >= int64(len(c.body)); c.waiting-- {
				c.begin(now)
			}
		}
	case http2.FrameRSTStream, http2.FrameGoAway, http2.FrameContinuation, http2.FramePushPromise:
		return fmt.Errorf("%v from the server: %x", kind, payload)
	}
	return nil
}

func (c *Connection) takeHeaders(flags http2.Flags, id uint32, payload []byte) error {
	if !flags.Has(http2.FlagHeadersEndHeaders) || flags.Has(http2.FlagHeadersPadded) || flags.Has(http2.FlagHeadersPriority) {
		return fmt.Errorf("unexpected flags of HEADERS: %x", flags)
	}
	c.status = ""
	if _, err := c.decoder.Write(payload); err != nil {
		return err
	}
	if err := c.decoder.Close(); err != nil {
		return err
	}
	if !flags.Has(http2.FlagHeadersEndStream) {
		return nil
	}
	s := c.sent[id]
	if s == nil {
		return fmt.Errorf("unexpected HEADERS frame, stream %d", id)
	}
	delete(c.sent, id)
	now := time.Now()
	again, err := c.ended(End{Status: c.status, Answer: s.answer, Duration: now.Sub(s.start)})
	if again {
		c.begin(now)
	}
	return err
}

func (c *Connection) takeSettings(flags http2.Flags, payload []byte) error {
	if flags.Has(http2.FlagSettingsAck) {
		return nil
	}
	for ; len(payload) >= 6; payload = payload[6:] {
		id, value := http2.SettingID(binary.BigEndian.Uint16(payload)), binary.BigEndian.Uint32(payload[2:])
		if id == http2.SettingInitialWindowSize && int(value) < len(c.body) {
			return fmt.Errorf("the server's initial window of %d bytes is smaller than a request", value)
		}
		if id == http2.SettingMaxConcurrentStreams {
			c.maxStreams = value
		}
	}
	c.header(http2.FrameSettings, http2.FlagSettingsAck, 0, 0)
	return nil
}

// more sends a WINDOW_UPDATE after half of the server's window.
func (c *Connection) more(length int) {
	c.received += int64(length)
	if c.received > window/2 {
		c.header(http2.FrameWindowUpdate, 0, 0, 4)
		var increment [4]byte
		binary.BigEndian.PutUint32(increment[:], uint32(c.received))
		c.out.Write(increment[:])
		c.received = 0
	}
}
