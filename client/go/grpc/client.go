package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// settings are the settings of a connection.
type settings struct {
	target    string // host:port
	ca        string // the file with the authorities of hmacd's certificate
	cert, key string // the files with the client's certificate and its private key
	timeout   time.Duration
}

// fromEnv reads the variables in the file "env" of hmacd dev.
func fromEnv() settings {
	return settings{
		target:  os.Getenv("HMACD_TARGET"),
		ca:      os.Getenv("HMACD_CA"),
		cert:    os.Getenv("HMACD_CERT"),
		key:     os.Getenv("HMACD_KEY"),
		timeout: 5 * time.Second,
	}
}

// connect makes a connection with mutual TLS. A connection is safe for concurrent use: create one
// and share it.
func connect(s settings) (*grpc.ClientConn, error) {
	authorities, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("no certificate in %s", s.ca)
	}
	certificate, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		return nil, err
	}
	return dial(s, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}})
}

func dial(s settings, config *tls.Config) (*grpc.ClientConn, error) {
	// Every call has this deadline, or the deadline of its context if that is earlier.
	deadline := fmt.Sprintf(`{"methodConfig": [{"name": [{}], "timeout": "%.3fs"}]}`, s.timeout.Seconds())
	return grpc.NewClient(s.target,
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDefaultServiceConfig(deadline))
}

// reason returns the reason of an error, a name in error_reason.proto. It is empty if the error is
// not from hmacd, for example if the connection failed.
func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "hmacd.dev" {
			return info.GetReason()
		}
	}
	return ""
}
