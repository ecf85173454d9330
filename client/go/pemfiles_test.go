package hmacd

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hmacd.dev/client/go/internal/pki"
)

func TestOnlyRegularFilesOfLimitedLengthAreRead(t *testing.T) {
	folder := t.TempDir()
	fifo, link, long := filepath.Join(folder, "fifo"), filepath.Join(folder, "link"), filepath.Join(folder, "long")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(long, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo: "is not a regular file", link: "is not a regular file", long: "has more than 1 MiB", folder: "is not a regular file",
	} {
		if _, err := readPEMFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if err := os.Truncate(long, 1<<20); err != nil {
		t.Fatal(err)
	}
	if content, err := readPEMFile(long); err != nil || len(content) != 1<<20 {
		t.Errorf("got %d bytes, %v", len(content), err)
	}
}

func TestContentInThePlaceOfAPathIsNotShown(t *testing.T) {
	pair := pki.NewAuthority(t).Issue(t, "127.0.0.1", time.Hour)
	folder := t.TempDir()
	pki.Write(t, folder, pki.NewAuthority(t).PEM, pair)
	key := string(pair.Key)
	secret := strings.Split(key, "\n")[1]
	for content, hidden := range map[string]string{
		key: secret, strings.ReplaceAll(key, "\n", " "): secret, "first\nsecond": "second",
	} {
		config := Config{
			Targets: []string{"localhost:1"}, CAFile: filepath.Join(folder, "ca.pem"),
			CertFile: filepath.Join(folder, "cert.pem"), KeyFile: filepath.Join(folder, "key.pem"),
		}
		for _, setting := range []*string{&config.CAFile, &config.CertFile, &config.KeyFile} {
			path := *setting
			*setting = content
			_, err := New(config)
			*setting = path
			if err == nil || !strings.Contains(err.Error(), "content of a PEM file") || strings.Contains(err.Error(), hidden) {
				t.Errorf("got %v", err)
			}
		}
	}
}
