package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	scrape = "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n"

	// The maximum number of connections of the metrics port, which a short run needs, too.
	metricsConnections = 64

	receiveBuffer = 1024                  // The kernel raises it to its minimum.
	slowPause     = 50 * time.Millisecond // More than the duration of a scrape.
	slowLimit     = 12 * time.Second      // More than the timeout of an answer.
)

// metricsAttacks are attacks on the metrics port. When the daemon closes a connection, the attacker opens
// another one.
var metricsAttacks = []attack{
	{name: "metrics-connections", connections: metricsConnections, atLeast: metricsConnections, dial: toMetrics,
		deaf: true, scrapes: true,
		what: "connections without a request",
		act:  again(toMetrics, (*peer).discard)},
	{name: "metrics-heads", connections: metricsConnections, atLeast: metricsConnections, dial: toMetrics,
		deaf: true, scrapes: true, long: true,
		what: "a head of 8 kB on each connection, without its end, slowly",
		act: again(toMetrics, func(p *peer) {
			p.out.WriteString("GET /metrics HTTP/1.1\r\nhost: a\r\nx-filler: ")
			for range 80 {
				p.out.WriteString(strings.Repeat("~", 100))
				if p.flush() != nil {
					return
				}
				time.Sleep(slowPause)
			}
			p.discard()
		})},
	{name: "metrics-slow", connections: metricsConnections / 2, atLeast: metricsConnections / 2, dial: toMetricsSlowly,
		deaf: true, scrapes: true, long: true,
		what: "scrapes whose answers are not read, until the buffers of the sockets are full",
		act:  again(toMetricsSlowly, slowReader())},
	{name: "metrics-pipeline", connections: metricsConnections, atLeast: metricsConnections, dial: toMetrics,
		deaf: true, scrapes: true, long: true,
		what: "100 pipelined scrapes on each connection",
		act: again(toMetrics, func(p *peer) {
			p.out.WriteString(strings.Repeat(scrape, 100))
			if p.flush() == nil {
				p.discard()
			}
		})},
	{name: "metrics-scrapes", connections: metricsConnections, atLeast: metricsConnections, dial: toMetrics,
		deaf: true, scrapes: true,
		what: "one scrape after the other on each connection",
		act: again(toMetrics, func(p *peer) {
			reader := bufio.NewReader(p)
			for !p.over() {
				p.out.WriteString(scrape)
				if p.flush() != nil {
					return
				}
				answer, err := http.ReadResponse(reader, nil)
				if err != nil {
					return
				}
				_, err = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				if err != nil || answer.Close {
					return
				}
			}
		})},
}

func toMetrics(w *world, source int) (net.Conn, error) {
	return fromSource(source).Dial("tcp", w.Metrics)
}

// toMetricsSlowly connects with a small receive buffer.
func toMetricsSlowly(w *world, source int) (net.Conn, error) {
	slow := fromSource(source)
	slow.Control = func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(descriptor uintptr) {
			failed = syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBuffer)
		})
		if err != nil {
			return err
		}
		return failed
	}
	return slow.Dial("tcp", w.Metrics)
}

// again returns an act that repeats act on new connections, until the attack ends.
func again(dial dialer, act func(p *peer)) func(*world, *peer) error {
	return func(w *world, p *peer) error {
		act(p)
		p.closed.Store(true)
		p.reset()
		for !p.over() {
			conn, err := dial(w, 0)
			if err != nil {
				time.Sleep(slowPause)
				continue
			}
			next := newPeer(conn)
			next.done = p.done
			act(next)
			next.reset()
		}
		return nil
	}
}

// discard reads and discards the answers until the connection ends.
func (p *peer) discard() {
	_, _ = io.Copy(io.Discard, p.Conn)
}

// await waits for a duration, or until the attack ends. It does not read.
func (p *peer) await(limit time.Duration) {
	select {
	case <-p.done:
	case <-time.After(limit):
	}
}

// slowReader returns an act that makes as many scrapes as the buffers of the sockets hold answers, and then
// waits for the timeout of the last answer. A further request would make the daemon close the connection: the
// act learns the number of scrapes from the first closed connection.
func slowReader() func(p *peer) {
	var known atomic.Int64 // 0 until a connection was closed.
	return func(p *peer) {
		most := known.Load()
		for sent := int64(0); most == 0 || sent < most; sent++ {
			p.out.WriteString(scrape)
			if p.flush() != nil {
				known.CompareAndSwap(0, max(1, sent-1))
				return
			}
			time.Sleep(slowPause)
		}
		p.await(slowLimit)
	}
}
