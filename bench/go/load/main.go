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
	"crypto/tls"
	"crypto/x509"
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
	authorities, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("no certificate in %s", s.ca)
	}
	certificate, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return nil, err
	}
	conn, err := tls.Dial("tcp", s.address, &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"},
	})
	if err != nil {
		return nil, err
	}
	if conn.ConnectionState().NegotiatedProtocol != "h2" {
		return nil, fmt.Errorf("the server did not select HTTP/2")
	}
	return conn, nil
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

func run(s settings) (result, error) {
	body, err := os.ReadFile(s.body)
	if err != nil {
		return result{}, err
	}
	connections := make([]*connection, s.connections)
	for i := range connections {
		conn, err := s.dial()
		if err != nil {
			return result{}, err
		}
		defer conn.Close()
		if connections[i], err = newConnection(conn, s.path, body); err != nil {
			return result{}, err
		}
	}
	var left atomic.Int64
	left.Store(s.calls)
	errs := make([]error, len(connections))
	var all sync.WaitGroup
	before, start := cpu(), time.Now()
	for i, c := range connections {
		all.Go(func() { errs[i] = c.call(s.streams, &left) })
	}
	all.Wait()
	took, used := time.Since(start).Seconds(), cpu()-before
	var nanos []int64
	for i, c := range connections {
		if errs[i] != nil {
			return result{}, errs[i]
		}
		if c.answer != nil && !bytes.Equal(c.answer, connections[0].answer) {
			return result{}, fmt.Errorf("connections got different answers")
		}
		nanos = append(nanos, c.nanos...)
	}
	slices.Sort(nanos)
	at := func(quantile float64) float64 { return float64(nanos[int(quantile*float64(len(nanos)-1))]) / 1e3 }
	return result{
		Calls: int64(len(nanos)), Seconds: took, CPU: used, P50: at(0.5), P99: at(0.99), P999: at(0.999),
		Answer: hex.EncodeToString(connections[0].answer),
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
