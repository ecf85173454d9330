package hmacd_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

// serve serves one service on a Unix socket until the end of the test, and returns its target.
func serve(t *testing.T, service any) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "hmacd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "s")
	run(t, grpc.NewServer(), listen(t, "unix", path), service)
	return "unix:" + path
}

// serveTLS serves on a port of loopback.
func serveTLS(t *testing.T, config *tls.Config, service any, options ...grpc.ServerOption) string {
	t.Helper()
	listener := listen(t, "tcp", "127.0.0.1:0")
	run(t, grpc.NewServer(append(options, grpc.Creds(credentials.NewTLS(config)))...), listener, service)
	return listener.Addr().String()
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func run(t *testing.T, server *grpc.Server, listener net.Listener, service any) {
	t.Helper()
	switch service := service.(type) {
	case interface{ Register(grpc.ServiceRegistrar) }:
		service.Register(server)
	case hmacdv1.MacServiceServer:
		hmacdv1.RegisterMacServiceServer(server, service)
	case hmacdv1.KeyServiceServer:
		hmacdv1.RegisterKeyServiceServer(server, service)
	default:
		t.Fatalf("not a service: %T", service)
	}
	t.Cleanup(server.Stop)
	go server.Serve(listener)
}
