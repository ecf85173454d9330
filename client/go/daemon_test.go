package hmacd_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	hmacd "hmacd.dev/client/go"
	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
	"hmacd.dev/client/go/hmacdtest"
	"hmacd.dev/client/go/internal/pki"
)

// The tests of this file need a daemon: `hmacd dev`, and its file "env" in the environment.

// daemonConfig returns the settings of the daemon in the environment, with time for a busy machine.
func daemonConfig(t *testing.T) hmacd.Config {
	t.Helper()
	config := hmacd.ConfigFromEnv()
	if len(config.Targets) == 0 {
		t.Fatal("HMACD_TARGET is not set: start `hmacd dev`, and source its file env")
	}
	config.Timeout = time.Minute
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
	socket := newClient(t, hmacd.Config{Targets: []string{"unix:" + os.Getenv("HMACD_SOCKET")}, Timeout: time.Minute})
	if mac := generate(t, socket.Key(id, hmacd.HMACSHA256)); !bytes.Equal(mac, overTLS) {
		t.Error("the MAC differs from that over TLS")
	}
}

// TestDaemonAndFakeRefuseTheSame is the contract of the fake.
func TestDaemonAndFakeRefuseTheSame(t *testing.T) {
	daemon, id := createKey(t, hmacdv1.KeySpec_KEY_SPEC_HMAC_256)
	fake := hmacdtest.Start(t, map[string]hmacdtest.Key{id: secretKeys[keyName]}).Client(t)
	damaged := uint32(1)
	for server, client := range map[string]*hmacd.Client{"daemon": daemon, "fake": fake} {
		macs := hmacdv1.NewMacServiceClient(client)
		for name, test := range map[string]struct {
			key       string
			algorithm hmacd.Algorithm
			message   []byte
			sum       *uint32
			want      hmacd.Reason
		}{
			"unknown key":        {"00000000-0000-4000-8000-000000000000", hmacd.HMACSHA256, message, nil, hmacd.ReasonKeyNotFound},
			"no key":             {"", hmacd.HMACSHA256, message, nil, hmacd.ReasonInvalidField},
			"no algorithm":       {id, 0, message, nil, hmacd.ReasonInvalidField},
			"another algorithm":  {id, hmacd.HMACSHA512, message, nil, hmacd.ReasonInvalidKeyUsage},
			"empty message":      {id, hmacd.HMACSHA256, nil, nil, hmacd.ReasonInvalidField},
			"long message":       {id, hmacd.HMACSHA256, make([]byte, 65537), nil, hmacd.ReasonMessageTooLong},
			"damaged message":    {id, hmacd.HMACSHA256, message, &damaged, hmacd.ReasonChecksumMismatch},
			"a reserved message": {id, hmacd.HMACSHA256, []byte("hmacd check value v1\x00"), nil, hmacd.ReasonReservedMessage},
		} {
			_, generated := macs.GenerateMac(t.Context(), &hmacdv1.GenerateMacRequest{
				KeyId: test.key, MacAlgorithm: hmacdv1.MacAlgorithm(test.algorithm), Message: test.message, MessageCrc32C: test.sum,
			})
			_, verified := macs.VerifyMac(t.Context(), &hmacdv1.VerifyMacRequest{
				KeyId: test.key, MacAlgorithm: hmacdv1.MacAlgorithm(test.algorithm), Message: test.message, MessageCrc32C: test.sum,
				Mac: make([]byte, 32),
			})
			for method, err := range map[string]error{"GenerateMac": generated, "VerifyMac": verified} {
				t.Run(server+" "+method+" "+name, func(t *testing.T) {
					if got := expectError(t, err, test.want); got.RequestID == "" || got.MayHaveRun {
						t.Errorf("got %+v", got)
					}
				})
			}
		}
	}
}

func TestDaemonIsTheAuthorityOfTheLongestMessage(t *testing.T) {
	_, id := createKey(t, hmacdv1.KeySpec_KEY_SPEC_HMAC_256)
	config := daemonConfig(t)
	config.MaxMessageBytes = 1 << 20
	key := newClient(t, config).Key(id, hmacd.HMACSHA256)
	_, err := key.Generate(t.Context(), make([]byte, 65537))
	expectError(t, err, hmacd.ReasonMessageTooLong)
	var tooLong *hmacd.MessageTooLongError
	if !errors.As(err, &tooLong) || tooLong.Limit != 65536 || tooLong.Size != 65537 {
		t.Errorf("want MessageTooLongError, got %v", err)
	}
	_, err = key.Generate(t.Context(), make([]byte, 1<<20))
	if !errors.As(err, &tooLong) || tooLong.Limit == 0 || tooLong.Size < 1<<20 {
		t.Errorf("want MessageTooLongError, got %v", err)
	}
}

func TestDaemonRefusesAnotherAuthority(t *testing.T) {
	t.Parallel()
	authority, folder := pki.NewAuthority(t), t.TempDir()
	pki.Write(t, folder, authority.PEM, authority.Issue(t, "127.0.0.1", time.Hour))
	config := daemonConfig(t)
	config.Timeout = 2 * time.Second
	config.CertFile, config.KeyFile = folder+"/cert.pem", folder+"/key.pem"
	_, err := newKey(t, config).Generate(t.Context(), message)
	expectError(t, err, hmacd.ReasonTLSFailed)
}
