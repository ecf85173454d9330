package hmacd

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// pemFiles are the contents of the three files of the client's TLS.
type pemFiles struct{ ca, cert, key []byte }

func readPEMFiles(c Config) (pemFiles, error) {
	var files pemFiles
	for _, file := range []struct {
		setting, path string
		content       *[]byte
	}{
		{"CAFile", c.CAFile, &files.ca},
		{"CertFile", c.CertFile, &files.cert},
		{"KeyFile", c.KeyFile, &files.key},
	} {
		if file.path == "" {
			return files, fmt.Errorf("%s is empty, but a target host:port needs it", file.setting)
		}
		if strings.ContainsAny(file.path, "\r\n") || strings.Contains(file.path, "-----BEGIN") {
			return files, fmt.Errorf("%s has the content of a PEM file: set its path", file.setting)
		}
		content, err := readPEMFile(file.path)
		if err != nil {
			return files, fmt.Errorf("%s is not readable: %w", file.setting, err)
		}
		*file.content = content
	}
	return files, nil
}

// maxPEMFile is the maximum length of a PEM file in bytes.
const maxPEMFile = 1 << 20

// readPEMFile reads a regular file. It never waits for a writer, as the open of a FIFO does.
func readPEMFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxPEMFile+1))
	if err == nil && len(content) > maxPEMFile {
		err = errors.New(path + " has more than 1 MiB")
	}
	return content, err
}

func (f pemFiles) equal(other pemFiles) bool {
	return bytes.Equal(f.ca, other.ca) && bytes.Equal(f.cert, other.cert) && bytes.Equal(f.key, other.key)
}

// tlsConfig checks the files: PEM, the key belongs to the certificate, and the certificate has not
// expired. The error has no content of the key's file.
func (f pemFiles) tlsConfig(now time.Time) (*tls.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(f.ca) {
		return nil, fmt.Errorf("CAFile has no certificate in PEM")
	}
	if isEncrypted(f.key) {
		return nil, fmt.Errorf("KeyFile has an encrypted private key: decrypt it, and restrict the file to the user of this process")
	}
	certificate, err := tls.X509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("CertFile and KeyFile are not a certificate with its private key in PEM: %w", err)
	}
	if end := certificate.Leaf.NotAfter; now.After(end) {
		return nil, fmt.Errorf("the certificate of CertFile expired at %s", end.UTC().Format(time.RFC3339))
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}, nil
}

func isEncrypted(content []byte) bool {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return true
		}
	}
	return false
}
