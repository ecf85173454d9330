// Command load sends one request repeatedly over connections with a number of streams each. It checks
// every answer: the grpc-status must be 0, and the message must equal the first answer.
//
// It reads and writes HTTP/2 frames itself, for a low cost. Unlike h2load, it supports mutual TLS and
// checks the answers. A latency is the time from the write of a request to the end of its answer.
//
//	load -address unix:PATH|HOST:PORT -body FILE -path PATH -connections N -streams N -calls N [-ca F -cert F -key F]
//
// Prints one line of JSON. Latencies are in microseconds.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"hmacd.dev/bench/inflight"
	"hmacd.dev/bench/pki"
)

type settings struct {
	address, body, path  string
	connections, streams int
	calls                int64
	ca, cert, key        string
}

func parse() settings {
	var s settings
	flag.StringVar(&s.address, "address", "", "unix:PATH or HOST:PORT")
	flag.StringVar(&s.body, "body", "", "file with the request's frame")
	flag.StringVar(&s.path, "path", "/hmacd.v1.MacService/GenerateMac", "the method")
	flag.IntVar(&s.connections, "connections", 1, "number of connections")
	flag.IntVar(&s.streams, "streams", 1, "calls in flight on each connection")
	flag.Int64Var(&s.calls, "calls", 1, "total number of calls")
	flag.StringVar(&s.ca, "ca", "", "file with the authorities of the server's certificate; without it, no TLS")
	flag.StringVar(&s.cert, "cert", "", "file with the client's certificate")
	flag.StringVar(&s.key, "key", "", "file with the client's private key")
	flag.Parse()
	return s
}

func (s settings) dial() (net.Conn, error) {
	if path, ok := strings.CutPrefix(s.address, "unix:"); ok {
		return net.Dial("unix", path)
	}
	if s.ca == "" {
		return net.Dial("tcp", s.address)
	}
	config, err := pki.ClientConfig(s.ca, s.cert, s.key)
	if err != nil {
		return nil, err
	}
	return inflight.DialTLS(s.address, config)
}

type result struct {
	Calls   int64   `json:"calls"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu"`
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	P999    float64 `json:"p999"`
	Answer  string  `json:"answer"`
}

func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// caller makes calls on one connection.
type caller struct {
	connection *inflight.Connection
	left       *atomic.Int64 // Calls that have not begun, of all callers.
	answer     []byte
	nanos      []int64
}

// ended checks an answer, and begins another call until left is 0.
func (c *caller) ended(end inflight.End) (bool, error) {
	if end.Status != "0" {
		return false, fmt.Errorf("a call ended with grpc-status %q", end.Status)
	}
	if c.answer == nil {
		c.answer = end.Answer
	}
	if len(end.Answer) == 0 || !bytes.Equal(end.Answer, c.answer) {
		return false, fmt.Errorf("an answer differs from the first answer: %x", end.Answer)
	}
	c.nanos = append(c.nanos, int64(end.Duration))
	return c.left.Add(-1) >= 0, nil
}

// call makes calls until left is 0.
func (c *caller) call(streams int) error {
	first := 0
	for range streams {
		if c.left.Add(-1) >= 0 {
			first++
		}
	}
	if err := c.connection.Begin(first); err != nil {
		return err
	}
	for c.connection.InFlight() > 0 {
		if err := c.connection.Read(); err != nil {
			return err
		}
	}
	return nil
}

func run(s settings) (result, error) {
	body, err := os.ReadFile(s.body)
	if err != nil {
		return result{}, err
	}
	var left atomic.Int64
	left.Store(s.calls)
	callers := make([]*caller, s.connections)
	for i := range callers {
		conn, err := s.dial()
		if err != nil {
			return result{}, err
		}
		defer conn.Close()
		c := &caller{left: &left}
		if c.connection, err = inflight.New(conn, s.path, body, c.ended); err != nil {
			return result{}, err
		}
		callers[i] = c
	}
	errs := make([]error, len(callers))
	var all sync.WaitGroup
	before, start := cpu(), time.Now()
	for i, c := range callers {
		all.Go(func() { errs[i] = c.call(s.streams) })
	}
	all.Wait()
	took, used := time.Since(start).Seconds(), cpu()-before
	var nanos []int64
	for i, c := range callers {
		if errs[i] != nil {
			return result{}, errs[i]
		}
		if c.answer != nil && !bytes.Equal(c.answer, callers[0].answer) {
			return result{}, fmt.Errorf("connections got different answers")
		}
		nanos = append(nanos, c.nanos...)
	}
	slices.Sort(nanos)
	at := func(quantile float64) float64 { return float64(nanos[int(quantile*float64(len(nanos)-1))]) / 1e3 }
	return result{
		Calls: int64(len(nanos)), Seconds: took, CPU: used, P50: at(0.5), P99: at(0.99), P999: at(0.999),
		Answer: hex.EncodeToString(callers[0].answer),
	}, nil
}

func main() {
	debug.SetGCPercent(800) // There is little garbage, so collections are rare.
	r, err := run(parse())
	if err != nil {
		log.Fatal("load: ", err)
	}
	line, err := json.Marshal(r)
	if err != nil {
		log.Fatal("load: ", err)
	}
	fmt.Println(string(line))
}
