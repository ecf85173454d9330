package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

const sha256 = hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_256

// calls is a connection to the daemon in the environment, with a new key for the test.
type calls struct {
	hmacdv1.MacServiceClient
	keyID string
}

func start(t *testing.T) calls {
	t.Helper()
	conn, err := connect(fromEnv())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	created, err := hmacdv1.NewKeyServiceClient(conn).CreateKey(t.Context(),
		&hmacdv1.CreateKeyRequest{KeySpec: hmacdv1.KeySpec_KEY_SPEC_HMAC_256})
	if err != nil {
		t.Fatal(err)
	}
	return calls{hmacdv1.NewMacServiceClient(conn), created.GetKeyMetadata().GetKeyId()}
}

func (c calls) generate(ctx context.Context, key string, message []byte, algorithm hmacdv1.MacAlgorithm) ([]byte, error) {
	answer, err := c.GenerateMac(ctx,
		&hmacdv1.GenerateMacRequest{KeyId: key, Message: message, MacAlgorithm: algorithm})
	return answer.GetMac(), err
}

func (c calls) verify(ctx context.Context, message, mac []byte) (bool, error) {
	answer, err := c.VerifyMac(ctx,
		&hmacdv1.VerifyMacRequest{KeyId: c.keyID, Message: message, MacAlgorithm: sha256, Mac: mac})
	return answer.GetMacValid(), err
}

func expectRefusal(t *testing.T, err error, code codes.Code, want string) {
	t.Helper()
	if status.Code(err) != code || reason(err) != want {
		t.Errorf("want %v with %q, got %v with %q", code, want, err, reason(err))
	}
}

func TestMacIsVerified(t *testing.T) {
	hmacd := start(t)
	mac, err := hmacd.generate(t.Context(), hmacd.keyID, []byte("hello"), sha256)
	if err != nil || len(mac) != 32 {
		t.Fatalf("want 32 bytes, got %x, %v", mac, err)
	}
	if valid, err := hmacd.verify(t.Context(), []byte("hello"), mac); err != nil || !valid {
		t.Errorf("want a valid MAC, got %v, %v", valid, err)
	}
}

func TestWrongMacIsRefused(t *testing.T) {
	hmacd := start(t)
	mac, err := hmacd.generate(t.Context(), hmacd.keyID, []byte("hello"), sha256)
	if err != nil {
		t.Fatal(err)
	}
	mac[31] ^= 1
	_, err = hmacd.verify(t.Context(), []byte("hello"), mac)
	expectRefusal(t, err, codes.InvalidArgument, "KMS_INVALID_MAC")
}

func TestUnknownKeyIsRefused(t *testing.T) {
	hmacd := start(t)
	_, err := hmacd.generate(t.Context(), "00000000-0000-4000-8000-000000000000", []byte("hello"), sha256)
	expectRefusal(t, err, codes.NotFound, "KEY_NOT_FOUND")
}

func TestAlgorithmOfAnotherSpecIsRefused(t *testing.T) {
	hmacd := start(t)
	sha512 := hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_512
	_, err := hmacd.generate(t.Context(), hmacd.keyID, []byte("hello"), sha512)
	expectRefusal(t, err, codes.InvalidArgument, "INVALID_KEY_USAGE")
}

func TestMessageOf65537BytesIsRefused(t *testing.T) {
	hmacd := start(t)
	_, err := hmacd.generate(t.Context(), hmacd.keyID, make([]byte, 65537), sha256)
	expectRefusal(t, err, codes.InvalidArgument, "MESSAGE_TOO_LONG")
}

func TestCallerWithoutCertificateIsRefused(t *testing.T) {
	authorities, err := os.ReadFile(fromEnv().ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authorities)
	conn, err := dial(fromEnv(), &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	expectRefusal(t, listKeys(t.Context(), conn), codes.Unavailable, "")
}

func TestCallToASilentServerEndsAtItsDeadline(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := fromEnv()
	s.target = silent.Addr().String()
	s.timeout = 300 * time.Millisecond
	conn, err := connect(s)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begin := time.Now()
	expectRefusal(t, listKeys(t.Context(), conn), codes.DeadlineExceeded, "")
	if took := time.Since(begin); took < s.timeout {
		t.Errorf("ended after %v", took)
	}
}

func listKeys(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := hmacdv1.NewKeyServiceClient(conn).ListKeys(ctx, &hmacdv1.ListKeysRequest{})
	return err
}
