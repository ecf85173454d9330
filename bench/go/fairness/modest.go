package main

import (
	"context"
	"crypto/hmac"
	"fmt"
	"log"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	hmacdv1 "hmacd.dev/bench/hmacd/v1"
)

const (
	modestInterval = 100 * time.Millisecond
	modestLimit    = 10 * time.Second // The timeout of a call.
	connectLimit   = 30 * time.Second
)

// modestCaller makes one call at a random time of each interval.
type modestCaller struct {
	number int
	client hmacdv1.MacServiceClient
	secret []byte

	mutex   sync.Mutex
	outcome outcome
}

// outcome has the calls of one caller.
type outcome struct {
	Nanos   []int64        `json:"nanos"` // The durations of answered calls.
	Late    []int64        `json:"late"`  // The delays of the load generator itself, before each call.
	Refused int            `json:"refused"`
	Failed  map[string]int `json:"failed"` // Other errors, by status.
}

// modest runs the modest callers, each with its own connection and certificate. It prints an empty line after
// all are connected, and then the outcomes.
func modest(s settings) {
	callers := make([]*modestCaller, s.callers)
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() { callers[i] = newModestCaller(s, i) })
	}
	wait.Wait()
	fmt.Println()
	start := time.Now()
	for _, c := range callers {
		wait.Go(func() { c.run(start, s) })
	}
	wait.Wait()
	outcomes := make([]*outcome, len(callers))
	for i, c := range callers {
		outcomes[i] = &c.outcome
	}
	printJSON(outcomes)
}

func newModestCaller(s settings, number int) *modestCaller {
	conn, err := grpc.NewClient(s.address,
		grpc.WithTransportCredentials(credentials.NewTLS(s.tlsOf(modestName(number)))), grpc.WithNoProxy())
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if !conn.WaitForStateChange(ctx, state) {
			log.Fatalf("modest caller %d has no connection after %v: %v", number, connectLimit, state)
		}
	}
	return &modestCaller{
		number: number, client: hmacdv1.NewMacServiceClient(conn), secret: s.readSecret(),
		outcome: outcome{Nanos: []int64{}, Failed: map[string]int{}},
	}
}

func (c *modestCaller) run(start time.Time, s settings) {
	random := rand.New(rand.NewPCG(s.seed, uint64(c.number)))
	var wait sync.WaitGroup
	for i := range s.seconds * int(time.Second/modestInterval) {
		due := start.Add(time.Duration(i)*modestInterval + time.Duration(random.Int64N(int64(modestInterval))))
		time.Sleep(time.Until(due))
		wait.Go(func() { c.call(i, due) })
	}
	wait.Wait()
}

func (c *modestCaller) call(number int, due time.Time) {
	message := fmt.Appendf(nil, "caller %d, call %d", c.number, number)
	want := macOf(c.secret, message)
	ctx, cancel := context.WithTimeout(context.Background(), modestLimit)
	defer cancel()
	start := time.Now()
	answer, err := c.client.GenerateMac(ctx, request(message))
	took := time.Since(start)
	if err == nil && !hmac.Equal(answer.GetMac(), want) {
		log.Fatalf("modest caller %d got a wrong MAC for %q", c.number, message)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.outcome.Late = append(c.outcome.Late, int64(start.Sub(due)))
	switch code := status.Code(err); code {
	case codes.OK:
		c.outcome.Nanos = append(c.outcome.Nanos, int64(took))
	case codes.ResourceExhausted:
		c.outcome.Refused++
	default:
		c.outcome.Failed[code.String()]++
	}
}
