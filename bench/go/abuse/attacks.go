package main

import (
	"bytes"
	"fmt"
	"log"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http2"
)

// attack is a number of connections with the same behavior.
type attack struct {
	name, what  string
	dial        dialer
	connections int
	// atLeast is the minimum number of connections, also in a smaller run.
	atLeast int
	// act runs the attack on one connection. The daemon may end the connection during a write.
	act func(w *world, p *peer) error
	// deaf means that nothing reads the answers, unless act does.
	deaf bool
	// burst means that act starts on all connections at once, after all connections exist.
	burst bool
	// otherUID means that the daemon distinguishes the modest caller from the attacker by the uid.
	otherUID bool
	// scrapes means that each scrape of the modest caller must succeed.
	scrapes bool
	// long means that a short run of all attacks omits this attack.
	long bool
}

const (
	rampLimit   = 150 * time.Second // The time limit for making connections, for each multiple of the size.
	permitLimit = 5 * time.Second   // The time limit for the end of another connection of the process.
	dialers     = 32
	perShard    = 15_000 // Connections of one process, which has one source address: half of its ports.
	spareFiles  = 200    // Open files of a process that are no connections of the attack.
)

// sized returns the number of connections of an attack in this run.
func (w *world) sized(a attack) int {
	return max(2, a.atLeast, int(math.Ceil(float64(a.connections)*w.Size)))
}

// part returns the number of connections of one of the processes of an attack.
func part(count, shard, shards int) int {
	return (count + shards - 1 - shard) / shards
}

// raiseOpenFiles raises the limit of open files of this process, if necessary. It returns the limit, which
// is lower than wanted if the process may not raise it so far.
func raiseOpenFiles(wanted int) int {
	var limit syscall.Rlimit
	check(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Cur < uint64(wanted) {
		raised := syscall.Rlimit{Cur: uint64(wanted), Max: max(limit.Max, uint64(wanted))}
		// Only root may raise the hard limit, up to the sysctl fs.nr_open.
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) != nil {
			_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit.Max, Max: limit.Max})
		}
		check(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	}
	return int(min(limit.Cur, uint64(math.MaxInt32)))
}

// stats counts the connections of an attack.
type stats struct{ Opened, Failed, Cut int }

// runAttack runs the part of an attack that belongs to one process. name is NAME/SHARD/SHARDS.
func runAttack(w *world, name string) {
	parts := strings.Split(name, "/")
	var shard, shards int
	_, _ = fmt.Sscan(parts[1], &shard)
	_, _ = fmt.Sscan(parts[2], &shards)
	a := find(parts[0])
	count := part(w.sized(a), shard, shards)
	// A connection holds a permit until the attacker has closed it. If the daemon closes connections, an
	// attack can make more connections than there are permits.
	most := max(1, min(count, raiseOpenFiles(count+spareFiles)-spareFiles))
	permits := make(chan struct{}, most)
	ended := untilInputEnds()
	var opened, failed atomic.Int64
	var full atomic.Bool
	peers := make(chan *peer, count)
	numbers := make(chan struct{}, count)
	for range count {
		numbers <- struct{}{}
	}
	close(numbers)
	end := time.Now().Add(time.Duration(float64(rampLimit) * max(1, w.Size)))
	var wait sync.WaitGroup
	for range dialers {
		wait.Go(func() {
			for range numbers {
				select {
				case <-ended:
					return
				case permits <- struct{}{}:
				case <-time.After(permitLimit):
					full.Store(true)
					return
				}
				if time.Now().After(end) {
					return
				}
				conn, err := a.dial(w, shard)
				if err != nil {
					failed.Add(1)
					<-permits
					continue
				}
				opened.Add(1)
				p := newPeer(conn)
				p.done = ended
				p.freed = func() { <-permits }
				peers <- p
				if a.burst {
					continue
				}
				if a.deaf {
					// A write blocks while the daemon does not read.
					go func() {
						p.note(a.act(w, p))
						if p.closed.Load() {
							p.finish()
						}
					}()
				} else {
					p.note(a.act(w, p))
					go p.finish()
				}
			}
		})
	}
	wait.Wait()
	if full.Load() {
		log.Printf("%s: %d connections instead of %d. This process may have %d open files, and the daemon keeps its "+
			"connections open. Run as root, or raise the limit (ulimit -Hn; as root also the sysctl fs.nr_open).",
			a.name, opened.Load(), count, most+spareFiles)
	}
	if a.burst {
		for range len(peers) {
			p := <-peers
			peers <- p
			wait.Go(func() {
				p.note(a.act(w, p))
				go p.finish()
			})
		}
		wait.Wait()
	}
	fmt.Println() // The signal for awaitAll.
	<-ended
	close(peers)
	s := stats{Opened: int(opened.Load()), Failed: int(failed.Load())}
	for p := range peers {
		if p.closed.Load() && !p.left.Load() {
			s.Cut++
		}
		p.reset()
	}
	printJSON(s)
}

func find(name string) attack {
	for _, a := range attacks {
		if a.name == name {
			return a
		}
	}
	log.Fatalf("unknown attack %s; known attacks: %s", name, strings.Join(names(false), " "))
	return attack{}
}

// names returns the names of all attacks, or of those of a short run.
func names(short bool) []string {
	var all []string
	for _, a := range attacks {
		if !short || !a.long {
			all = append(all, a.name)
		}
	}
	return all
}

var attacks = slices.Concat(heldInput, awsAttacks, grpcAttacks, metricsAttacks)

// heldInput are attacks with requests, answers and connections that the daemon has to keep.
var heldInput = []attack{
	{name: "aws-headers", connections: 300, dial: toAWS,
		what: "126 streams on each connection, a HEADERS frame of 15 kB each, unsigned, without END_STREAM",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			fields := block(plain([2]string{"x-filler", strings.Repeat("~", 14_900)})...)
			for _, stream := range streams(126) {
				p.headers(stream, false, fields)
			}
			return p.flush()
		}},
	{name: "aws-hpack", connections: 500, dial: toAWS,
		what: "126 streams on each connection, 95 indexed fields each, unsigned",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			name, value := strings.Repeat("n", 30), strings.Repeat("v", 100)
			pseudo := append([]byte{0x83, 0x86, 0x84, 0x01, 9}, "localhost"...)
			// Literal with incremental indexing (RFC 7541, section 6.2.1). The field becomes entry 62.
			first := append(append(bytes.Clone(pseudo), 0x40, 30), name...)
			first = append(append(first, 100), value...)
			next := append(pseudo, bytes.Repeat([]byte{0x80 | 62}, 95)...)
			for i, stream := range streams(126) {
				if i == 0 {
					p.headers(stream, false, first)
				} else {
					p.headers(stream, false, next)
				}
			}
			return p.flush()
		}},
	{name: "aws-untaken", connections: 2200, dial: toAWS,
		what: "128 signed requests on each connection, without a window for the answers",
		act:  func(w *world, p *peer) error { return untakenAWS(w, p, w.Key, 128) }},
	{name: "aws-large-untaken", connections: 300, dial: toAWS,
		what: "128 signed requests on each connection for a description of 16 kB, without a window for the answers",
		act:  func(w *world, p *peer) error { return untakenAWS(w, p, w.LongKey, 128) }},
	{name: "aws-large-burst", connections: 300, dial: toAWS, burst: true,
		what: "as aws-large-untaken, on all connections at once",
		act:  func(w *world, p *peer) error { return untakenAWS(w, p, w.LongKey, 128) }},
	{name: "aws-partial", connections: 6000, dial: toAWS,
		what: "a DATA frame of 16 KiB on each connection, without its last byte",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			p.headers(1, false, block(plain()...))
			return partialData(p)
		}},
	{name: "aws-heads", connections: 4000, dial: toAWS,
		what: "HTTP/1.1, authenticated; then a head of 16 kB on each connection, without its end",
		act: func(w *world, p *peer) error {
			p.out.Write(w.greedyMac().http1())
			p.out.WriteString("POST / HTTP/1.1\r\nhost: a\r\nx-filler: " + strings.Repeat("~", 16_000))
			return p.flush()
		}},
	{name: "aws-bodies", connections: 1000, dial: toAWS,
		what: "HTTP/1.1, authenticated; then a body of 260 kB on each connection, without its end",
		act: func(w *world, p *peer) error {
			p.out.Write(w.greedyMac().http1())
			p.out.WriteString("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 260000\r\n\r\n")
			p.out.Write(make([]byte, 259_999))
			return p.flush()
		}},
	{name: "aws-pipeline", connections: 500, dial: toAWS, deaf: true,
		what: "HTTP/1.1, pipelined signed requests for 16 kB, no answer read",
		act: func(w *world, p *peer) error {
			return p.pump(bytes.Repeat(w.describe(w.LongKey).http1(), 16), 64)
		}},
	{name: "aws-controls", connections: 500, dial: toAWS, deaf: true,
		what: "authenticated; then SETTINGS and PING frames, no answer read",
		act: func(w *world, p *peer) error {
			p.preface(1 << 30)
			s := w.greedyMac()
			p.request(1, block(s.http2Fields()...), []byte(s.body))
			if err := p.flush(); err != nil {
				return err
			}
			return p.pump(controls(), 64)
		}},
	{name: "aws-connections", connections: 4500, dial: toAWS,
		what: "one access key, a signed request on each connection; the connections stay open",
		act: func(w *world, p *peer) error {
			p.out.Write(w.greedyMac().http1())
			return p.flush()
		}},
	{name: "aws-greedy", connections: 64, dial: toAWS, deaf: true,
		what: "100 GenerateMac in flight on each connection, all the time",
		act: func(w *world, p *peer) error {
			s := w.greedyMac()
			return p.loop(100, block(s.http2Fields()...), []byte(s.body))
		}},

	{name: "grpc-groups", connections: 60, dial: toGRPC("none"),
		what: "a principal without a rule: a half-open call of 131 kB of nested unknown groups on each connection",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			nested := append(bytes.Repeat([]byte{15<<3 | 3}, 90), bytes.Repeat([]byte{15<<3 | 4}, 90)...)
			message := grpcFrame(bytes.Repeat(nested, 131_000/len(nested)))
			p.headers(1, false, grpcBlock("hmacd.v1.MacService/GenerateMac"))
			if err := p.flush(); err != nil {
				return err
			}
			if err := p.awaitWindow(); err != nil {
				return err
			}
			for ; len(message) > 0; message = message[min(maxFrame, len(message)):] {
				_ = p.framer.WriteData(1, false, message[:min(maxFrame, len(message))])
			}
			return p.flush()
		}},
	{name: "grpc-untaken", connections: 2200, dial: toGRPC("none"),
		what: "256 Health/Check on each connection, without a window for the answers",
		act: func(_ *world, p *peer) error {
			p.preface(0)
			call := grpcBlock("grpc.health.v1.Health/Check")
			for _, stream := range streams(256) {
				p.request(stream, call, grpcFrame(nil))
			}
			return p.flush()
		}},
	{name: "grpc-large-untaken", connections: 300, dial: toGRPC("greedy"),
		what: "256 DescribeKey on each connection for a description of 16 kB, without a window for the answers",
		act:  untakenGRPC},
	{name: "grpc-large-burst", connections: 300, dial: toGRPC("greedy"), burst: true,
		what: "as grpc-large-untaken, on all connections at once",
		act:  untakenGRPC},
	{name: "grpc-partial", connections: 6000, dial: toGRPC("none"),
		what: "a DATA frame of 16 KiB on each connection, without its last byte",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			p.headers(1, false, grpcBlock("hmacd.v1.MacService/GenerateMac"))
			return partialData(p)
		}},
	{name: "grpc-record", connections: 6000, dial: toGRPC("none"),
		what: "a TLS record of 16 KiB on each connection, without its last byte",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			if err := p.flush(); err != nil {
				return err
			}
			cut(p)
			_ = p.framer.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, maxFrame-9))
			return p.flush()
		}},
	{name: "socket-partial", connections: 6000, dial: toSocket, otherUID: true,
		what: "Unix socket: a DATA frame of 16 KiB on each connection, without its last byte",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			p.headers(1, false, grpcBlock("hmacd.v1.MacService/GenerateMac"))
			return partialData(p)
		}},
	{name: "grpc-refused", connections: 500, dial: toGRPC("none"), deaf: true,
		what: "calls of a method that does not exist, no answer read",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			if err := p.flush(); err != nil {
				return err
			}
			call := grpcBlock("hmacd.v1.MacService/" + strings.Repeat("x", 200))
			for i := range 64 {
				for _, stream := range streams(100) {
					p.headers(stream+uint32(200*i), true, call)
				}
				if err := p.flush(); err != nil {
					return err
				}
			}
			return nil
		}},
	{name: "grpc-controls", connections: 500, dial: toGRPC("none"), deaf: true,
		what: "SETTINGS and PING frames, no answer read",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			if err := p.flush(); err != nil {
				return err
			}
			return p.pump(controls(), 64)
		}},
	{name: "grpc-connections", connections: 17_000, dial: toGRPC("none"),
		what: "one certificate, more connections than the maximum",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			return p.flush()
		}},
	{name: "socket-connections", connections: 17_000, dial: toSocket, otherUID: true,
		what: "Unix socket: one user, more connections than the maximum",
		act: func(_ *world, p *peer) error {
			p.preface(1 << 30)
			return p.flush()
		}},
	{name: "grpc-watches", connections: 20, dial: toGRPC("none"),
		what: "250 Health/Watch on each connection, more than the maximum",
		act:  openCalls("grpc.health.v1.Health/Watch", grpcFrame(nil), true)},
	{name: "grpc-reflection", connections: 20, dial: toGRPC("none"),
		what: "250 calls of reflection on each connection, left open",
		act:  openCalls("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", grpcFrame(field(nil, 7, nil)), false)},
	{name: "grpc-greedy", connections: 64, dial: toGRPC("greedy"), deaf: true,
		what: "100 GenerateMac in flight on each connection, all the time",
		act: func(w *world, p *peer) error {
			return p.loop(100, grpcBlock("hmacd.v1.MacService/GenerateMac"), w.generateMac())
		}},
}

func (w *world) greedyMac() signed {
	return w.sign(w.GreedyID, w.GreedyPw, "GenerateMac", w.macJSON())
}

func (w *world) describe(key string) signed {
	return w.sign(w.GreedyID, w.GreedyPw, "DescribeKey", `{"KeyId":"`+key+`"}`)
}

func untakenAWS(w *world, p *peer, key string, count int) error {
	p.preface(0)
	s := w.describe(key)
	fields := block(s.http2Fields()...)
	all := streams(count)
	p.request(all[0], fields, []byte(s.body))
	if err := p.flush(); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond) // The first request authenticates the connection.
	for _, stream := range all[1:] {
		p.request(stream, fields, []byte(s.body))
	}
	return p.flush()
}

// partialData sends a DATA frame of stream 1 without its last byte.
func partialData(p *peer) error {
	_ = p.framer.WriteData(1, false, make([]byte, maxFrame))
	p.out.Truncate(p.out.Len() - 1)
	return p.flush()
}

func openCalls(method string, body []byte, half bool) func(*world, *peer) error {
	return func(_ *world, p *peer) error {
		p.preface(1 << 30)
		call := grpcBlock(method)
		for _, stream := range streams(250) {
			p.headers(stream, false, call)
			_ = p.framer.WriteData(stream, half, body)
		}
		return p.flush()
	}
}

func controls() []byte {
	var b bytes.Buffer
	framer := http2.NewFramer(&b, nil)
	for range 500 {
		_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65535})
		_ = framer.WritePing(false, [8]byte{1})
	}
	return b.Bytes()
}

// pump writes the same bytes a number of times, or until the daemon does not read for writeLimit.
func (p *peer) pump(piece []byte, times int) error {
	for range times {
		p.out.Write(piece)
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// awaitWindow waits for the daemon's first frames, which enlarge the window.
func (p *peer) awaitWindow() error {
	_ = p.SetReadDeadline(time.Now().Add(modestLimit))
	_, err := p.Read(make([]byte, 4096))
	_ = p.SetReadDeadline(time.Time{})
	time.Sleep(50 * time.Millisecond)
	return err
}

// untakenGRPC makes 256 calls with answers of 16 kB, without a window for the answers.
func untakenGRPC(w *world, p *peer) error {
	p.preface(0)
	call := grpcBlock("hmacd.v1.KeyService/DescribeKey")
	for _, stream := range streams(256) {
		p.request(stream, call, grpcFrame(field(nil, 1, []byte(w.LongKey))))
	}
	return p.flush()
}
