// The command cost is the caller of scripts/bench-clients: the cost of a call of the package, or of the stub alone.
// The script has the meaning of the arguments, of the environment and of the output.
//
//	cost stub|package KEY WARM_UP CALLS CONCURRENCY
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	hmacd "hmacd.dev/client/go"
	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

const timeout = 5 * time.Second

var message = bytes.Repeat([]byte("m"), 32)

// caller makes one call, and returns the MAC. It is safe for concurrent use.
type caller func(ctx context.Context) ([]byte, error)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 6 {
		log.Fatal("usage: cost stub|package KEY WARM_UP CALLS CONCURRENCY")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, mode, name string, arguments []string) error {
	var numbers [3]int
	for i, argument := range arguments {
		number, err := strconv.Atoi(argument)
		if err != nil {
			return err
		}
		numbers[i] = number
	}
	switch mode {
	case "stub":
		conn, err := connect()
		if err != nil {
			return err
		}
		defer conn.Close()
		return measure(ctx, stub(conn, name), numbers[0], numbers[1], numbers[2])
	case "package":
		config := hmacd.ConfigFromEnv()
		config.Timeout = timeout
		client, err := hmacd.New(config)
		if err != nil {
			return err
		}
		defer client.Close()
		key := client.Key(name, hmacd.HMACSHA256)
		call := func(ctx context.Context) ([]byte, error) { return key.Generate(ctx, message) }
		return measure(ctx, call, numbers[0], numbers[1], numbers[2])
	default:
		return errors.New("the first argument is stub or package")
	}
}

func connect() (*grpc.ClientConn, error) {
	certificate, err := tls.LoadX509KeyPair(os.Getenv("HMACD_CERT"), os.Getenv("HMACD_KEY"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(os.Getenv("HMACD_CA"))
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(ca)
	return grpc.NewClient(os.Getenv("HMACD_TARGET"), grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

func stub(conn *grpc.ClientConn, name string) caller {
	service := hmacdv1.NewMacServiceClient(conn)
	return func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		answer, err := service.GenerateMac(ctx, &hmacdv1.GenerateMacRequest{
			KeyId: name, Message: message, MacAlgorithm: hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_256,
		})
		return answer.GetMac(), err
	}
}

func measure(ctx context.Context, call caller, warmUp, calls, concurrency int) error {
	right, err := call(ctx)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := loops(ctx, call, right, warmUp, concurrency); err != nil {
		return err
	}
	start, cpu := time.Now(), cpuTime()
	made, err := loops(ctx, call, right, calls, concurrency)
	if err != nil {
		return err
	}
	fmt.Printf("{\"calls\":%d,\"seconds\":%f,\"cpu_seconds\":%f}\n", made, time.Since(start).Seconds(), (cpuTime() - cpu).Seconds())
	return nil
}

// loops makes calls in closed loops, and returns their number.
func loops(ctx context.Context, call caller, right []byte, calls, concurrency int) (int, error) {
	each := (calls + concurrency - 1) / concurrency
	ends := make(chan error, concurrency)
	for range concurrency {
		go func() { ends <- loop(ctx, call, right, each) }()
	}
	var errs []error
	for range concurrency {
		errs = append(errs, <-ends)
	}
	return each * concurrency, errors.Join(errs...)
}

func loop(ctx context.Context, call caller, right []byte, calls int) error {
	for range calls {
		mac, err := call(ctx)
		if err != nil {
			return err
		}
		if !bytes.Equal(mac, right) {
			return errors.New("a wrong MAC")
		}
	}
	return nil
}

// cpuTime is the processor time of this process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
