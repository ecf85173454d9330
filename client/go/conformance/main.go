// The command conformance is the program of client/conformance: it makes one call for each line of JSON on its standard
// input, and prints the outcome as a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	hmacd "hmacd.dev/client/go"
)

type request struct {
	Operation string `json:"operation"`
	Key       string `json:"key"`
	Algorithm string `json:"algorithm"`
	Message   []byte `json:"message"`
	MAC       []byte `json:"mac"`
	TimeoutMS int    `json:"timeout_ms"`
}

// outcome has the fields of one kind of outcome.
type outcome map[string]any

var algorithms = []hmacd.Algorithm{hmacd.HMACSHA224, hmacd.HMACSHA256, hmacd.HMACSHA384, hmacd.HMACSHA512}

func main() {
	log.SetFlags(0)
	if err := run(os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(input io.Reader, output io.Writer) error {
	client, err := hmacd.New(hmacd.ConfigFromEnv())
	if err != nil {
		return err
	}
	defer func() { client.Close() }()
	requests, outcomes := json.NewDecoder(input), json.NewEncoder(output)
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		result := outcome{"outcome": "done"}
		switch r.Operation {
		case "open":
			client.Close()
			if client, err = hmacd.New(hmacd.ConfigFromEnv()); err != nil {
				return err
			}
		case "close":
			client.Close()
		default:
			if result, err = call(client, r); err != nil {
				result = failure(err)
			}
		}
		if err := outcomes.Encode(result); err != nil {
			return err
		}
	}
}

func call(client *hmacd.Client, r request) (outcome, error) {
	ctx := context.Background()
	if r.TimeoutMS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.TimeoutMS)*time.Millisecond)
		defer cancel()
	}
	switch r.Operation {
	case "doctor":
		return outcome{"outcome": "lines", "lines": client.Doctor(ctx)}, nil
	case "open_key":
		key, err := client.OpenKey(ctx, r.Key)
		if err != nil {
			return nil, err
		}
		return outcome{"outcome": "key", "algorithm": key.Algorithm().String(), "arn": key.ARN()}, nil
	}
	algorithm, err := algorithmOf(r.Algorithm)
	if err != nil {
		return nil, err
	}
	key := client.Key(r.Key, algorithm)
	if r.Operation == "generate" {
		mac, err := key.Generate(ctx, r.Message)
		return outcome{"outcome": "mac", "mac": mac}, err
	}
	return outcome{"outcome": "right"}, key.Verify(ctx, r.Message, r.MAC)
}

func algorithmOf(name string) (hmacd.Algorithm, error) {
	for _, algorithm := range algorithms {
		if algorithm.String() == name {
			return algorithm, nil
		}
	}
	return 0, fmt.Errorf("unknown algorithm %s", name)
}

func failure(err error) outcome {
	var failed *hmacd.Error
	if !errors.As(err, &failed) {
		return outcome{"outcome": "error", "type": fmt.Sprintf("%T", err), "text": err.Error()}
	}
	result := outcome{
		"outcome": "error", "type": "Hmacd", "reason": failed.Reason, "retryable": failed.Retryable,
		"may_have_run": failed.MayHaveRun, "target": failed.Target, "attempts": failed.Attempts,
		"request_id": failed.RequestID, "text": err.Error(),
	}
	for kind, target := range map[string]error{
		"InvalidMac": hmacd.ErrInvalidMAC, "TlsFailed": hmacd.ErrTLSFailed, "Closed": hmacd.ErrClosed,
		"DeadlineExceeded": hmacd.ErrDeadlineExceeded,
	} {
		if errors.Is(err, target) {
			result["type"] = kind
		}
	}
	var tooLong *hmacd.MessageTooLongError
	if errors.As(err, &tooLong) {
		result["type"], result["limit"], result["size"] = "MessageTooLong", tooLong.Limit, tooLong.Size
	}
	return result
}
