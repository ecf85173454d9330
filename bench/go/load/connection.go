package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"
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
)

// connection keeps a number of streams open: it opens a new stream for each stream that ends.
type connection struct {
	conn    net.Conn
	in      *bufio.Reader
	out     bytes.Buffer
	decoder *hpack.Decoder
	headers []byte // The encoded headers of every request, without the dynamic table.
	body    []byte

	nextStream uint32
	sent       map[uint32]*stream
	waiting    int   // Calls that wait for the window.
	toSend     int64 // The window of the client, in bytes.
	received   int64 // Bytes since the last WINDOW_UPDATE.

	status string // The grpc-status of the current header block.
	answer []byte
	nanos  []int64
}

type stream struct {
	start  time.Time
	answer []byte
}

func newConnection(conn net.Conn, path string, body []byte) (*connection, error) {
	if len(body) > maxFrame {
		return nil, fmt.Errorf("a request of %d bytes is longer than one frame", len(body))
	}
	c := &connection{
		conn: conn, in: bufio.NewReaderSize(conn, bufferBytes), body: body,
		nextStream: 1, sent: make(map[uint32]*stream), toSend: initialWindow,
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

func (c *connection) flush() error {
	_, err := c.conn.Write(c.out.Bytes())
	c.out.Reset()
	return err
}

func (c *connection) header(kind http2.FrameType, flags http2.Flags, id uint32, length int) {
	var h [frameHeaderBytes]byte
	binary.BigEndian.PutUint32(h[:4], uint32(length)<<8|uint32(kind))
	h[4] = byte(flags)
	binary.BigEndian.PutUint32(h[5:], id)
	c.out.Write(h[:])
}

// begin sends a request, or counts it as waiting for the window.
func (c *connection) begin(now time.Time) {
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

// call makes calls until left is 0.
func (c *connection) call(streams int, left *atomic.Int64) error {
	now := time.Now()
	for range streams {
		if left.Add(-1) >= 0 {
			c.begin(now)
		}
	}
	for len(c.sent) > 0 || c.waiting > 0 {
		// Sends only after it has read all available input, so that one write has many requests.
		if c.in.Buffered() == 0 {
			if err := c.flush(); err != nil {
				return err
			}
		}
		before := len(c.sent)
		if _, err := c.frame(); err != nil {
			return err
		}
		ended := before - len(c.sent)
		for range ended {
			if left.Add(-1) >= 0 {
				c.begin(time.Now())
			}
		}
	}
	return c.flush()
}

// frame reads one frame.
func (c *connection) frame() (http2.FrameType, error) {
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

func (c *connection) take(kind http2.FrameType, flags http2.Flags, id uint32, payload []byte) error {
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

func (c *connection) takeHeaders(flags http2.Flags, id uint32, payload []byte) error {
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
	if s == nil || c.status != "0" {
		return fmt.Errorf("stream %d ended with grpc-status %q", id, c.status)
	}
	if c.answer == nil {
		c.answer = s.answer
	}
	if len(s.answer) == 0 || !bytes.Equal(s.answer, c.answer) {
		return fmt.Errorf("the answer of stream %d differs from the first answer: %x", id, s.answer)
	}
	c.nanos = append(c.nanos, int64(time.Since(s.start)))
	delete(c.sent, id)
	return nil
}

func (c *connection) takeSettings(flags http2.Flags, payload []byte) error {
	if flags.Has(http2.FlagSettingsAck) {
		return nil
	}
	for ; len(payload) >= 6; payload = payload[6:] {
		id, value := http2.SettingID(binary.BigEndian.Uint16(payload)), binary.BigEndian.Uint32(payload[2:])
		if id == http2.SettingInitialWindowSize && int(value) < len(c.body) {
			return fmt.Errorf("the server's initial window of %d bytes is smaller than a request", value)
		}
	}
	c.header(http2.FrameSettings, http2.FlagSettingsAck, 0, 0)
	return nil
}

// more sends a WINDOW_UPDATE after half of the server's window.
func (c *connection) more(bytes int) {
	c.received += int64(bytes)
	if c.received > window/2 {
		c.header(http2.FrameWindowUpdate, 0, 0, 4)
		var increment [4]byte
		binary.BigEndian.PutUint32(increment[:], uint32(c.received))
		c.out.Write(increment[:])
		c.received = 0
	}
}
