package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log"
	"math/rand"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

const (
	soakers = 40
	// The maximum increase after the end of the hostile traffic.
	descriptorsLeft = 30
	threadsLeft     = 6
	heapLeft        = 24 // MiB
	directLeft      = 24
	calmDown        = 3 * time.Second

	// The maximum size of the daemon's log for ten minutes, and for any shorter time.
	logLimit      = 1_000_000
	shortLogLimit = 100_000
)

// soak sends random hostile traffic to one daemon, and then checks for leaks.
func soak(o options) {
	w := makeWorld(o)
	d := w.startDaemon(o)
	w.makeKeys()
	// Classes and pools of the first use do not count as a leak.
	seconds := time.Duration(o.soak) * time.Second
	w.hostile(o.seed, max(2*time.Second, seconds/5))
	time.Sleep(calmDown)
	d.collect()
	before := d.usage()
	_, heapBefore := d.liveHeap(0)

	uid := -1
	if w.OtherUID {
		uid = nobody
	}
	caller := startChild("modest", w.write(), uid)
	attempts := w.hostile(o.seed+1, seconds)
	outcomes := map[string]*outcome{}
	caller.end(w.Patience+5*time.Second, &outcomes)
	time.Sleep(calmDown)
	d.collect()
	after := d.usage()
	_, heapAfter := d.liveHeap(0)

	const mib = 1 << 20
	fmt.Printf("Seed %d, %d s, %d hostile connections.\n\n", o.seed, o.soak, attempts)
	fmt.Println("| | before | after |\n| --- | ---: | ---: |")
	fmt.Printf("| live heap, MiB | %.0f | %.0f |\n", heapBefore, heapAfter)
	fmt.Printf("| direct memory, MiB | %.0f | %.0f |\n", before.direct/mib, after.direct/mib)
	fmt.Printf("| counted for connections, bytes | %.0f | %.0f |\n", before.held, after.held)
	fmt.Printf("| peak resident memory, MiB | %.0f | %.0f |\n", before.rss/mib, after.rss/mib)
	fmt.Printf("| file descriptors | %.0f | %.0f |\n", before.descriptors, after.descriptors)
	fmt.Printf("| threads | %.0f | %.0f |\n", before.threads, after.threads)
	fmt.Println("\n| modest caller | calls | answered | p99, ms |\n| --- | ---: | ---: | ---: |")
	var faults []string
	if !d.alive() {
		faults = append(faults, fmt.Sprintf("the daemon ended: %v", d.state))
	}
	for _, edge := range []string{"AWS", "gRPC", "socket", "metrics"} {
		got := outcomes[edge]
		if got == nil {
			got = &outcome{}
		}
		fmt.Printf("| %s | %d | %d | %d |\n", edge, got.Sent, got.Answered, got.p99().Milliseconds())
		if got.Sent == 0 || got.Answered != got.Sent {
			faults = append(faults, fmt.Sprintf("%s: %d of %d answered: %v", edge, got.Answered, got.Sent, got.Errors))
		}
	}
	for _, each := range []struct {
		what                string
		before, after, most float64
	}{
		{"file descriptors", before.descriptors, after.descriptors, descriptorsLeft},
		{"threads", before.threads, after.threads, threadsLeft},
		{"MiB of live heap", heapBefore, heapAfter, heapLeft},
		{"MiB of direct memory", before.direct / mib, after.direct / mib, directLeft},
	} {
		if each.after > each.before+each.most {
			faults = append(faults, fmt.Sprintf("%.0f %s before, %.0f after", each.before, each.what, each.after))
		}
	}
	logMost := max(shortLogLimit, int64(logLimit*time.Since(d.started).Minutes()/10))
	fmt.Printf("\nThe daemon's log has %d kB; the maximum is %d kB.\n", d.logBytes()/1000, logMost/1000)
	if d.logBytes() > logMost {
		faults = append(faults, fmt.Sprintf("the daemon's log has %d bytes, more than %d", d.logBytes(), logMost))
	}
	d.end()
	if len(faults) > 0 {
		log.Fatalf("seed %d: %s", o.seed, strings.Join(faults, "\n"))
	}
}

// hostile makes hostile connections in parallel for a duration. It returns their number.
func (w *world) hostile(seed int64, duration time.Duration) int64 {
	var attempts atomic.Int64
	var wait sync.WaitGroup
	end := time.Now().Add(duration)
	for i := range soakers {
		random := rand.New(rand.NewSource(seed*1000 + int64(i)))
		wait.Go(func() {
			for time.Now().Before(end) {
				attempts.Add(1)
				w.misbehave(random)
				time.Sleep(time.Duration(random.Intn(20)) * time.Millisecond)
			}
		})
	}
	wait.Wait()
	return attempts.Load()
}

// misbehave makes one hostile connection.
func (w *world) misbehave(random *rand.Rand) {
	dials := []dialer{toAWS, toAWS, toAWS, toSocket, toSocket, toGRPC("none"), toGRPC("greedy"), rawGRPC, toMetrics}
	edge := random.Intn(len(dials))
	conn, err := dials[edge](w, random.Intn(8))
	if err != nil {
		return
	}
	p := newPeer(conn)
	defer p.reset()
	if random.Intn(3) > 0 {
		go p.drain()
	}
	if edge == len(dials)-1 {
		p.misbehaveInScrape(random)
		return
	}
	aws := edge < 3
	s := w.greedyMac()
	fields, body := block(s.http2Fields()...), []byte(s.body)
	if !aws {
		fields, body = grpcBlock("hmacd.v1.MacService/GenerateMac"), w.generateMac()
	}
	switch random.Intn(14) {
	case 0: // Garbage.
		p.garbage(random)
	case 1: // Half a request of HTTP/1.1.
		request := s.http1()
		p.out.Write(request[:random.Intn(len(request))])
	case 2: // Pipelined requests, signed and unsigned.
		p.out.Write(bytes.Repeat(s.http1(), 1+random.Intn(50)))
		p.out.WriteString("POST / HTTP/1.1\r\nhost: a\r\n\r\n")
	case 3: // No window.
		p.preface(0)
		for _, stream := range streams(1 + random.Intn(100)) {
			p.request(stream, fields, body)
		}
	case 4: // Streams without END_STREAM.
		p.preface(1 << 30)
		for _, stream := range streams(1 + random.Intn(300)) {
			p.headers(stream, false, fields)
		}
	case 5: // Long fields.
		p.preface(1 << 30)
		long := block(plain([2]string{"x-filler", strings.Repeat("~", random.Intn(15_000))})...)
		for _, stream := range streams(1 + random.Intn(20)) {
			p.headers(stream, random.Intn(2) == 0, long)
		}
	case 6: // A frame or a TLS record without its last byte.
		p.preface(1 << 30)
		p.headers(1, false, fields)
		if _, ok := conn.(*tls.Conn); ok && random.Intn(2) == 0 {
			if p.flush() != nil {
				return
			}
			cut(p)
		}
		_ = p.framer.WriteData(1, false, make([]byte, random.Intn(maxFrame)))
		p.out.Truncate(p.out.Len() - 1)
	case 7: // Cancelled requests.
		p.preface(1 << 30)
		for _, stream := range streams(1 + random.Intn(500)) {
			p.request(stream, fields, body)
			_ = p.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
		}
	case 8: // SETTINGS and PING frames.
		p.preface(1 << 30)
		p.out.Write(bytes.Repeat(controls(), 1+random.Intn(8)))
	case 9: // Empty DATA frames, and window updates of one byte.
		p.preface(1 << 30)
		p.headers(1, false, fields)
		for range random.Intn(2000) {
			_ = p.framer.WriteData(1, false, nil)
			_ = p.framer.WriteWindowUpdate(0, 1)
		}
	case 10: // CONTINUATION frames without END_HEADERS.
		p.preface(1 << 30)
		_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields})
		for range random.Intn(200) {
			_ = p.framer.WriteContinuation(1, false, block([2]string{"x-more", "1"}))
		}
	case 11: // Random frames.
		p.preface(uint32(random.Intn(100_000)))
		for range random.Intn(200) {
			payload := make([]byte, random.Intn(200))
			random.Read(payload)
			_ = p.framer.WriteRawFrame(http2.FrameType(random.Intn(11)), http2.Flags(random.Intn(256)), uint32(random.Intn(20)), payload)
		}
	case 12: // Requests with a second header block.
		p.preface(1 << 30)
		for _, stream := range streams(1 + random.Intn(100)) {
			p.headers(stream, false, fields)
			_ = p.framer.WriteData(stream, false, body[:random.Intn(len(body))])
			p.headers(stream, random.Intn(4) > 0, fields)
		}
	case 13: // Settings of the header table and of the windows, and answers that they delay.
		p.preface(0)
		for _, stream := range streams(1 + random.Intn(50)) {
			p.request(stream, fields, body)
			_ = p.framer.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: uint32(random.Intn(5000))},
				http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(random.Intn(100))})
			_ = p.framer.WriteWindowUpdate(stream, uint32(1+random.Intn(10)))
			_ = p.framer.WritePriority(stream, http2.PriorityParam{StreamDep: uint32(random.Intn(100)), Weight: uint8(random.Intn(256))})
		}
	}
	p.sendAndWait(random)
}

// misbehaveInScrape uses a connection of the metrics port.
func (p *peer) misbehaveInScrape(random *rand.Rand) {
	switch random.Intn(6) {
	case 0: // Garbage.
		p.garbage(random)
	case 1: // Half a request, or nothing.
		p.out.WriteString(scrape[:random.Intn(len(scrape))])
	case 2: // Pipelined scrapes.
		p.out.WriteString(strings.Repeat(scrape, 1+random.Intn(50)))
	case 3: // Long heads, with and without an end.
		p.out.WriteString("GET /metrics HTTP/1.1\r\n")
		for range random.Intn(200) {
			p.out.WriteString("x-filler: " + strings.Repeat("~", random.Intn(100)) + "\r\n")
		}
		p.out.WriteString("\r\n"[:2*random.Intn(2)])
	case 4: // A body.
		p.out.WriteString("POST /metrics HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
	case 5: // Scrapes one after the other.
		for range 1 + random.Intn(20) {
			p.out.WriteString(scrape)
			if p.flush() != nil {
				return
			}
			time.Sleep(time.Duration(random.Intn(50)) * time.Millisecond)
		}
	}
	p.sendAndWait(random)
}

func (p *peer) garbage(random *rand.Rand) {
	garbage := make([]byte, 1+random.Intn(5000))
	random.Read(garbage)
	p.out.Write(garbage)
}

// sendAndWait sends all written bytes, and keeps the connection for up to a second.
func (p *peer) sendAndWait(random *rand.Rand) {
	if p.flush() == nil {
		time.Sleep(time.Duration(random.Intn(1000)) * time.Millisecond)
	}
}

// rawGRPC connects to the TLS port without TLS.
func rawGRPC(w *world, source int) (net.Conn, error) {
	return fromSource(source).Dial("tcp", w.GRPC)
}
