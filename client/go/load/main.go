// The command load is the caller of client/events: it makes calls at a fixed rate, and prints their outcomes as JSON.
//
//	load KEY
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	hmacd "hmacd.dev/client/go"
)

var message = []byte("events")

// result is the output. Times are in milliseconds, from the planned start of a call to its outcome.
type result struct {
	Calls  int            `json:"calls"`
	Right  int            `json:"right"`
	Wrong  int            `json:"wrong"`
	Errors map[string]int `json:"errors"`
	P50    float64        `json:"p50_ms"`
	P99    float64        `json:"p99_ms"`
	Max    float64        `json:"max_ms"`
}

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, name string) error {
	rate, err := strconv.Atoi(os.Getenv("HMACD_LOAD_RATE"))
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(os.Getenv("HMACD_LOAD_SECONDS"), 64)
	if err != nil {
		return err
	}
	timeout := 5 * time.Second // Of each call of the load. The first call may be slower: it connects.
	if millis, err := strconv.Atoi(os.Getenv("HMACD_LOAD_TIMEOUT_MS")); err == nil {
		timeout = time.Duration(millis) * time.Millisecond
	}
	client, err := hmacd.New(hmacd.ConfigFromEnv())
	if err != nil {
		return err
	}
	defer client.Close()
	key := client.Key(name, hmacd.HMACSHA256)
	warmUp := 1
	if count, err := strconv.Atoi(os.Getenv("HMACD_LOAD_WARM_UP")); err == nil {
		warmUp = count
	}
	var right []byte
	for range warmUp {
		if right, err = key.Generate(ctx, message); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	fmt.Scanln() // The start of the load.

	outcome := result{Errors: map[string]int{}}
	var times []float64
	var lock sync.Mutex
	var calls sync.WaitGroup
	start := time.Now()
	if after, err := strconv.ParseFloat(os.Getenv("HMACD_LOAD_CLOSE_AFTER"), 64); err == nil {
		time.AfterFunc(time.Duration(after*float64(time.Second)), func() { client.Close() })
	}
	for i := range int(float64(rate) * seconds) {
		planned := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(planned))
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			mac, err := key.Generate(ctx, message)
			lock.Lock()
			defer lock.Unlock()
			outcome.add(mac, right, err)
			times = append(times, float64(time.Since(planned).Microseconds())/1000)
		})
	}
	calls.Wait()

	slices.Sort(times)
	quantile := func(q float64) float64 { return times[int(q*float64(len(times)-1))] }
	outcome.Calls, outcome.P50, outcome.P99, outcome.Max = len(times), quantile(0.5), quantile(0.99), quantile(1)
	return json.NewEncoder(os.Stdout).Encode(outcome)
}

func (r *result) add(mac, right []byte, err error) {
	var failed *hmacd.Error
	switch {
	case err == nil && bytes.Equal(mac, right):
		r.Right++
	case err == nil:
		r.Wrong++
	case errors.As(err, &failed):
		r.Errors[string(failed.Reason)]++
	default:
		r.Errors[err.Error()]++
	}
}
