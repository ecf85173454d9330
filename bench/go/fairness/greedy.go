package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	hmacdv1 "hmacd.dev/bench/hmacd/v1"
	"hmacd.dev/bench/inflight"
)

const (
	statusOK        = "0"
	statusExhausted = "8"
	resendInterval  = 10 * time.Millisecond
)

// greedyCaller keeps calls in flight on its connections. It sends a refused or failed call again at once, but
// at most a number of such calls in each interval. Otherwise the refusals alone would use up the processors.
type greedyCaller struct {
	mac         []byte
	connections []*greedyConnection
	budget      atomic.Int64 // Resends that are left in this interval.
	answered    atomic.Int64
	refused     atomic.Int64

	mutex  sync.Mutex
	failed map[string]int64 // Other errors, by grpc-status.
	ended  int              // Connections that the daemon ended.
}

type greedyConnection struct {
	*inflight.Connection
	caller *greedyCaller
	held   atomic.Int64 // Calls that wait for the next interval.
}

// snapshot has the counts since the start.
type snapshot struct {
	Seconds  float64          `json:"seconds"`
	Answered int64            `json:"answered"`
	Refused  int64            `json:"refused"`
	Failed   map[string]int64 `json:"failed"`
	Ended    int              `json:"ended"`
}

// runGreedy runs the greedy caller until its input ends. It prints an empty line after it is connected, and
// then a snapshot for each line of its input.
func runGreedy(s settings) {
	debug.SetGCPercent(800) // There is little garbage, so collections are rare.
	message := bytes.Repeat([]byte("m"), 64)
	g := &greedyCaller{mac: macOf(s.readSecret(), message), failed: map[string]int64{}}
	body := frame(request(message))
	names := greedyNames(s.names)
	for i := range s.connections {
		g.connect(s, names[i%len(names)], body)
	}
	for _, c := range g.connections {
		go c.read()
		check(c.Begin(s.streams))
	}
	start := time.Now()
	go g.resend(s.resends)
	fmt.Println()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		printJSON(g.snapshot(start))
	}
}

// frame returns a request with its gRPC frame.
func frame(request *hmacdv1.GenerateMacRequest) []byte {
	message, err := proto.Marshal(request)
	check(err)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

func (g *greedyCaller) connect(s settings, name string, body []byte) {
	conn, err := inflight.DialTLS(s.address, s.tlsOf(name))
	check(err)
	c := &greedyConnection{caller: g}
	c.Connection, err = inflight.New(conn, hmacdv1.MacService_GenerateMac_FullMethodName, body, c.callEnded)
	check(err)
	if most := c.MaxStreams(); uint64(most) < uint64(s.streams) {
		log.Fatalf("the daemon allows %d calls in flight on a connection, which is less than %d", most, s.streams)
	}
	g.connections = append(g.connections, c)
}

func (c *greedyConnection) read() {
	for {
		if err := c.Read(); err != nil {
			log.Printf("a connection of the greedy caller ended: %v", err)
			c.caller.mutex.Lock()
			defer c.caller.mutex.Unlock()
			c.caller.ended++
			return
		}
	}
}

// callEnded counts the end of a call, and decides whether another call begins at once.
func (c *greedyConnection) callEnded(end inflight.End) (bool, error) {
	g := c.caller
	switch {
	case end.Status == statusOK && bytes.Contains(end.Answer, g.mac):
		g.answered.Add(1)
		return true, nil
	case end.Status == statusOK:
		return false, errors.New("an answer has a wrong MAC")
	case end.Status == statusExhausted:
		g.refused.Add(1)
	default:
		g.mutex.Lock()
		g.failed[end.Status]++
		g.mutex.Unlock()
	}
	if g.budget.Add(-1) >= 0 {
		return true, nil
	}
	c.held.Add(1)
	return false, nil
}

// resend sends held calls again, and refills the budget, in each interval.
func (g *greedyCaller) resend(aSecond int) {
	budget := max(1, int64(aSecond)*int64(resendInterval)/int64(time.Second))
	share := max(1, budget/int64(len(g.connections)))
	ticker := time.NewTicker(resendInterval)
	defer ticker.Stop()
	for first := 0; ; first++ {
		<-ticker.C
		left := budget
		// Another connection is the first in each interval.
		for i := range g.connections {
			c := g.connections[(first+i)%len(g.connections)]
			if calls := min(c.held.Load(), share, left); calls > 0 {
				c.held.Add(-calls)
				left -= calls
				_ = c.Begin(int(calls)) // The reading goroutine reports a connection that ended.
			}
		}
		g.budget.Store(left)
	}
}

func (g *greedyCaller) snapshot(start time.Time) snapshot {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return snapshot{
		Seconds: time.Since(start).Seconds(), Answered: g.answered.Load(), Refused: g.refused.Load(),
		Failed: maps.Clone(g.failed), Ended: g.ended,
	}
}
