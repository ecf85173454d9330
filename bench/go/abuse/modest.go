package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	modestPause = 100 * time.Millisecond
	modestLimit = 10 * time.Second
	scrapePause = time.Second
	scrapeLimit = time.Second
)

// outcome is the result of the modest caller on one edge.
type outcome struct {
	Sent, Answered int
	Nanos          []int64
	Errors         map[string]int
}

func (o *outcome) p99() time.Duration {
	if len(o.Nanos) == 0 {
		return 0
	}
	slices.Sort(o.Nanos)
	return time.Duration(o.Nanos[len(o.Nanos)*99/100])
}

// modest makes ten calls a second on each edge, and one scrape of the metrics a second, until its input
// ends. Every second call uses a new connection. On TLS, each twentieth call is a health watch or a
// reflection call. The modest caller has its own source address.
func modest(w *world) {
	ended := untilInputEnds()
	outcomes := map[string]*outcome{}
	var wait sync.WaitGroup
	start := func(edge edge, pause, limit time.Duration) {
		o := &outcome{Errors: map[string]int{}}
		outcomes[edge.name] = o
		wait.Go(func() { callAll(edge, o, pause, limit, ended) })
	}
	for _, edge := range edges(w) {
		start(edge, modestPause, w.Patience)
	}
	start(scraper(w), scrapePause, w.ScrapePatience)
	wait.Wait()
	printJSON(outcomes)
}

func callAll(edge edge, o *outcome, pause, limit time.Duration, ended <-chan struct{}) {
	var mutex sync.Mutex
	var wait sync.WaitGroup
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ended:
			wait.Wait()
			return
		case <-ticker.C:
		}
		o.Sent++
		wait.Go(func() {
			start := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			err := edge.call(ctx, i)
			mutex.Lock()
			defer mutex.Unlock()
			if err == nil {
				o.Answered++
				o.Nanos = append(o.Nanos, int64(time.Since(start)))
			} else {
				text := err.Error()
				o.Errors[text[max(0, len(text)-90):]]++
			}
		})
	}
}

type edge struct {
	name string
	call func(ctx context.Context, i int) error
}

// modestDialer has the source address of the modest caller.
func modestDialer() *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
}

// scraper scrapes the metrics.
func scraper(w *world) edge {
	local := modestDialer()
	transports := both(func() *http.Transport { return &http.Transport{DialContext: local.DialContext} })
	return edge{"metrics", func(ctx context.Context, i int) error {
		request, err := http.NewRequestWithContext(ctx, "GET", "http://"+w.Metrics+"/metrics", nil)
		if err != nil {
			return err
		}
		answer, err := transports[i%2].RoundTrip(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != 200 {
			err = fmt.Errorf("status %d: %s", answer.StatusCode, text)
		}
		return err
	}}
}

func edges(w *world) []edge {
	local := modestDialer()
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	http2 := new(http.Protocols)
	http2.SetHTTP2(true)
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	aws := both(func() *http.Transport { return &http.Transport{DialContext: local.DialContext, Protocols: http1} })
	all := []edge{{"AWS", func(ctx context.Context, i int) error {
		s := w.sign(w.ModestID, w.ModestPw, "GenerateMac", w.macJSON())
		request, err := http.NewRequestWithContext(ctx, "POST", "http://"+w.AWS+"/", strings.NewReader(s.body))
		if err != nil {
			return err
		}
		for _, f := range s.fields[1:] {
			request.Header.Set(f[0], f[1])
		}
		answer, err := aws[i%2].RoundTrip(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != 200 {
			err = fmt.Errorf("status %d: %s", answer.StatusCode, text)
		}
		return err
	}}}
	tlsTransports := both(func() *http.Transport {
		return &http.Transport{DialContext: local.DialContext, TLSClientConfig: w.tlsOf("modest"), Protocols: http2}
	})
	all = append(all, edge{"gRPC", func(ctx context.Context, i int) error {
		transport := tlsTransports[i%2]
		switch i % 40 {
		case 19:
			return grpcCall(ctx, transport, "https://"+w.GRPC+"/grpc.health.v1.Health/Watch", grpcFrame(nil), true)
		case 39:
			list := grpcFrame(field(nil, 7, nil)) // list_services
			return grpcCall(ctx, transport,
				"https://"+w.GRPC+"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", list, true)
		}
		return grpcCall(ctx, transport, "https://"+w.GRPC+"/hmacd.v1.MacService/GenerateMac", w.generateMac(), false)
	}})
	socketTransports := both(func() *http.Transport {
		return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", w.Socket)
		}, Protocols: h2c}
	})
	return append(all, edge{"socket", func(ctx context.Context, i int) error {
		return grpcCall(ctx, socketTransports[i%2], "http://localhost/hmacd.v1.MacService/GenerateMac", w.generateMac(), false)
	}})
}

// both makes two transports: one keeps its connection, one makes a new connection for each call.
func both(transport func() *http.Transport) [2]*http.Transport {
	kept, fresh := transport(), transport()
	kept.MaxConnsPerHost = 4
	fresh.DisableKeepAlives = true
	return [2]*http.Transport{kept, fresh}
}

// grpcCall sends a request. With first, it waits for the first message, otherwise for the end.
func grpcCall(ctx context.Context, transport *http.Transport, url string, body []byte, first bool) error {
	var source io.Reader = bytes.NewReader(body)
	if first {
		ctx2, cancel := context.WithCancel(ctx)
		defer cancel()
		ctx = ctx2
	}
	request, err := http.NewRequestWithContext(ctx, "POST", url, source)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if first {
		prefix := make([]byte, 5)
		if _, err := io.ReadFull(answer.Body, prefix); err != nil {
			return errors.New("no first message: " + err.Error() + " " + answer.Header.Get("Grpc-Status") + answer.Trailer.Get("Grpc-Status"))
		}
		return nil
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if status := answer.Trailer.Get("Grpc-Status") + answer.Header.Get("Grpc-Status"); status != "0" {
		return fmt.Errorf("grpc-status %s %s%s", status, answer.Trailer.Get("Grpc-Message"), answer.Header.Get("Grpc-Message"))
	}
	return nil
}

// awsCall makes one call of the AWS edge with the access key of the greedy caller.
func (w *world) awsCall(operation, body string) ([]byte, error) {
	s := w.sign(w.GreedyID, w.GreedyPw, operation, body)
	request, err := http.NewRequest("POST", "http://"+w.AWS+"/", strings.NewReader(s.body))
	if err != nil {
		return nil, err
	}
	for _, f := range s.fields[1:] {
		request.Header.Set(f[0], f[1])
	}
	client := http.Client{Timeout: modestLimit}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("%s: status %d: %s", operation, answer.StatusCode, text)
	}
	return text, err
}

// makeKeys creates the keys for the calls.
func (w *world) makeKeys() {
	for _, each := range []struct {
		id          *string
		description string
	}{{&w.Key, "abuse"}, {&w.LongKey, strings.Repeat("\u00fc", 8192)}} {
		text, err := w.awsCall("CreateKey",
			`{"KeySpec":"HMAC_256","KeyUsage":"GENERATE_VERIFY_MAC","Description":"`+each.description+`"}`)
		check(err)
		_, rest, _ := strings.Cut(string(text), `"KeyId":"`)
		*each.id, _, _ = strings.Cut(rest, `"`)
		if *each.id == "" {
			check(fmt.Errorf("CreateKey answered %s", text))
		}
	}
	_, _ = fmt.Fprintln(os.Stderr, "abuse: keys", w.Key, w.LongKey)
}
