// Package pki makes certificates for the daemon and its callers, and TLS configurations with them.
package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Authority is a certificate authority. Its certificate is valid for a day, as are those that it issues.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority with a common name.
func NewAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := NewTemplate(name)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{certificate: certificate, key: key}, nil
}

// WriteAuthorities writes the certificates of authorities to a PEM file.
func WriteAuthorities(file string, authorities ...*Authority) error {
	var all bytes.Buffer
	for _, authority := range authorities {
		if err := pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: authority.certificate.Raw}); err != nil {
			return err
		}
	}
	return write(file, all.Bytes(), 0o644)
}

// IssueServer issues a certificate for a server on 127.0.0.1. It writes NAME.pem and NAME-key.pem to a folder.
func (a *Authority) IssueServer(folder, name string) error {
	return a.issue(folder, name, func(template *x509.Certificate) {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
}

// IssueClient issues a certificate for a client with a SPIFFE ID. It writes NAME.pem and NAME-key.pem to a
// folder.
func (a *Authority) IssueClient(folder, name string, id *url.URL) error {
	return a.issue(folder, name, func(template *x509.Certificate) {
		template.URIs = []*url.URL{id}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
}

func (a *Authority) issue(folder, name string, complete func(*x509.Certificate)) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := NewTemplate(name)
	if err != nil {
		return err
	}
	template.KeyUsage, template.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	complete(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := write(filepath.Join(folder, name+".pem"), certificate, 0o644); err != nil {
		return err
	}
	privateKey := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return write(filepath.Join(folder, name+"-key.pem"), privateKey, 0o600)
}

// NewTemplate returns a certificate that is valid for a day, with a random serial number.
func NewTemplate(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}, nil
}

// write writes a file with these permissions for any umask.
func write(file string, content []byte, mode os.FileMode) error {
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	return os.Chmod(file, mode)
}

// ClientConfig returns the TLS configuration of a client for HTTP/2.
//
// The files are PEM files: the authorities of the server's certificate, the client's certificate, and its
// private key.
func ClientConfig(authorities, certificate, privateKey string) (*tls.Config, error) {
	text, err := os.ReadFile(authorities)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("no certificate in %s", authorities)
	}
	own, err := tls.LoadX509KeyPair(certificate, privateKey)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, NextProtos: []string{"h2"}}, nil
}
