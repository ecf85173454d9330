package hmacd_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	hmacd "hmacd.dev/client/go"
	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
	"hmacd.dev/client/go/internal/pki"
)

// The tests of this file need a daemon: `hmacd dev`, and its file "env" in the environment.

// daemonConfig returns the settings of the daemon in the environment.
func daemonConfig(t *testing.T) hmacd.Config {
	t.Helper()
	config := hmacd.ConfigFromEnv()
	if len(config.Targets) == 0 {
		t.Fatal("HMACD_TARGET is not set: start `hmacd dev`, and source its file env")
	}
	return config
}

// createKey returns a client of the daemon, and the id of a new key.
func createKey(t *testing.T, spec hmacdv1.KeySpec) (*hmacd.Client, string) {
	t.Helper()
	client := newClient(t, daemonConfig(t))
	created, err := hmacdv1.NewKeyServiceClient(client).CreateKey(t.Context(), &hmacdv1.CreateKeyRequest{KeySpec: spec})
	if err != nil {
		t.Fatal(err)
	}
	return client, created.GetKeyMetadata().GetKeyId()
}

func TestDaemonGeneratesAndVerifiesEachAlgorithm(t *testing.T) {
	specs := []hmacdv1.KeySpec{
		hmacdv1.KeySpec_KEY_SPEC_HMAC_224, hmacdv1.KeySpec_KEY_SPEC_HMAC_256,
		hmacdv1.KeySpec_KEY_SPEC_HMAC_384, hmacdv1.KeySpec_KEY_SPEC_HMAC_512,
	}
	for i, algorithm := range algorithms {
		client, id := createKey(t, specs[i])
		key, err := client.OpenKey(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		mac := generate(t, key)
		if len(mac) != algorithm.Size() || key.Algorithm() != algorithm || key.ARN() == "" {
			t.Errorf("%v: got %d bytes of %v under %q", algorithm, len(mac), key.Algorithm(), key.ARN())
		}
		expectMAC(t, key, message, mac)
	}
}

func TestDaemonServesItsUnixSocket(t *testing.T) {
	client, id := createKey(t, hmacdv1.KeySpec_KEY_SPEC_HMAC_256)
	overTLS := generate(t, client.Key(id, hmacd.HMACSHA256))
	socket := newClient(t, hmacd.Config{Targets: []string{"unix:" + os.Getenv("HMACD_SOCKET")}})
	if mac := generate(t, socket.Key(id, hmacd.HMACSHA256)); !bytes.Equal(mac, overTLS) {
		t.Error("the MAC differs from that over TLS")
	}
}

func TestDaemonRefuses(t *testing.T) {
	client, id := createKey(t, hmacdv1.KeySpec_KEY_SPEC_HMAC_256)
	for name, test := range map[string]struct {
		key     *hmacd.Key
		message []byte
		want    hmacd.Reason
	}{
		"unknown key":        {client.Key("00000000-0000-4000-8000-000000000000", hmacd.HMACSHA256), message, hmacd.ReasonKeyNotFound},
		"no key":             {client.Key("", hmacd.HMACSHA256), message, hmacd.ReasonInvalidField},
		"another algorithm":  {client.Key(id, hmacd.HMACSHA512), message, hmacd.ReasonInvalidKeyUsage},
		"a reserved message": {client.Key(id, hmacd.HMACSHA256), []byte("hmacd check value v1\x00"), hmacd.ReasonReservedMessage},
	} {
		_, err := test.key.Generate(t.Context(), test.message)
		got := expectError(t, err, test.want)
		if got.RequestID == "" || got.MayHaveRun || got.Attempts != 1 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestDaemonIsTheAuthorityOfTheLongestMessage(t *testing.T) {
	_, id := createKey(t, hmacdv1.KeySpec_KEY_SPEC_HMAC_256)
	config := daemonConfig(t)
	config.MaxMessageBytes = 1 << 20
	key := newClient(t, config).Key(id, hmacd.HMACSHA256)
	_, err := key.Generate(t.Context(), make([]byte, 4097))
	expectError(t, err, hmacd.ReasonInvalidField)
	_, err = key.Generate(t.Context(), make([]byte, 1<<20))
	var tooLong *hmacd.MessageTooLongError
	if !errors.As(err, &tooLong) || tooLong.Limit == 0 || tooLong.Size <= 1<<20 {
		t.Errorf("want MessageTooLongError, got %v", err)
	}
}

func TestDaemonRefusesAnotherAuthority(t *testing.T) {
	authority, folder := pki.NewAuthority(t), t.TempDir()
	pki.Write(t, folder, authority.PEM, authority.Issue(t, "127.0.0.1", time.Hour))
	config := daemonConfig(t)
	config.Timeout = 500 * time.Millisecond
	config.CertFile, config.KeyFile = folder+"/cert.pem", folder+"/key.pem"
	_, err := newKey(t, config).Generate(t.Context(), message)
	expectError(t, err, hmacd.ReasonTLSFailed)
}
