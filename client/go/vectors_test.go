package hmacd_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"testing"

	hmacd "hmacd.dev/client/go"
	"hmacd.dev/client/go/hmacdtest"
)

// vectors are the shared vectors of all clients.
type vectors struct {
	Key  string
	MACs []struct {
		Algorithm, Message, MAC string
		MessageCRC32C           uint32 `json:"message_crc32c"`
	}
	Texts []struct{ Text, UTF8, MAC string }
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	content, err := os.ReadFile("../vectors/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.MACs) == 0 || len(v.Texts) == 0 {
		t.Fatal("vectors.json has no MACs or no texts")
	}
	return v
}

var algorithms = []hmacd.Algorithm{hmacd.HMACSHA224, hmacd.HMACSHA256, hmacd.HMACSHA384, hmacd.HMACSHA512}

// vectorKeys has one key for each algorithm, under the name of the algorithm.
func vectorKeys(t *testing.T, v vectors) map[string]hmacdtest.Key {
	keys := map[string]hmacdtest.Key{}
	for _, algorithm := range algorithms {
		keys[algorithm.String()] = hmacdtest.Key{Algorithm: algorithm, Secret: unhex(t, v.Key)}
	}
	return keys
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	client := hmacdtest.Start(t, vectorKeys(t, v)).Client(t)
	for _, vector := range v.MACs {
		key, err := client.OpenKey(t.Context(), vector.Algorithm)
		if err != nil {
			t.Fatal(err)
		}
		message := unhex(t, vector.Message)
		if sum := crc32.Checksum(message, crc32.MakeTable(crc32.Castagnoli)); sum != vector.MessageCRC32C {
			t.Errorf("%s: CRC32C is %d", vector.Message, sum)
		}
		expectMAC(t, key, message, unhex(t, vector.MAC))
	}
	for _, vector := range v.Texts {
		if hex.EncodeToString([]byte(vector.Text)) != vector.UTF8 {
			t.Errorf("%q is not %s", vector.Text, vector.UTF8)
		}
		expectMAC(t, client.Key("HMAC_SHA_256", hmacd.HMACSHA256), []byte(vector.Text), unhex(t, vector.MAC))
	}
}

// expectMAC generates and verifies a MAC, and requires the refusal of changed MACs and messages.
func expectMAC(t *testing.T, key *hmacd.Key, message, want []byte) {
	t.Helper()
	mac, err := key.Generate(t.Context(), message)
	if err != nil || !bytes.Equal(mac, want) {
		t.Errorf("want %x, got %x, %v", want, mac, err)
	}
	if err := key.Verify(t.Context(), message, want); err != nil {
		t.Error(err)
	}
	wrong := bytes.Clone(want)
	wrong[len(wrong)-1] ^= 1
	for name, refused := range map[string]error{
		"changed MAC":     key.Verify(t.Context(), message, wrong),
		"changed message": key.Verify(t.Context(), append([]byte{message[0] ^ 1}, message[1:]...), want),
		"truncated MAC":   key.Verify(t.Context(), message, want[:len(want)-1]),
		"longer MAC":      key.Verify(t.Context(), message, append(bytes.Clone(want), 0)),
		"no MAC":          key.Verify(t.Context(), message, nil),
	} {
		if !errors.Is(refused, hmacd.ErrInvalidMAC) {
			t.Errorf("%s: want ErrInvalidMAC, got %v", name, refused)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	content, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
