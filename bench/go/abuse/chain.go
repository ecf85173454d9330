package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"hmacd.dev/bench/pki"
)

// withChain returns a dialer with the certificate of none, followed by a padding certificate, so that the
// chain has about size bytes. With flight, the client sends only the first flight bytes of its handshake.
func withChain(version uint16, size, flight int) dialer {
	made := sync.OnceValue(func() *padding { return newPadding(size) })
	return func(w *world, source int) (net.Conn, error) {
		config := w.tlsOf("none").Clone()
		own := config.Certificates[0]
		config.MinVersion, config.MaxVersion = version, version
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			long := own
			long.Certificate = append(slices.Clone(own.Certificate), made().next())
			return &long, nil
		}
		return w.dialTLS(source, config, &cutting{limited: flight > 0, left: flight})
	}
}

// withPaths returns a dialer with a forged chain of count certificates.
func withPaths(count int) dialer {
	made := sync.OnceValue(func() *tls.Certificate { return forgedPaths(count) })
	return func(w *world, source int) (net.Conn, error) {
		config := w.tlsOf("none").Clone()
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return made(), nil
		}
		return w.dialTLS(source, config, &cutting{})
	}
}

// forgedPaths makes a chain without order. Its authorities have different keys and two names, one of them the
// name of the daemon's authority. So many paths lead from name to name.
func forgedPaths(count int) *tls.Certificate {
	const other = "other"
	names := [][2]string{{other, authorityName}, {authorityName, other}, {authorityName, authorityName}}
	der, key := forged("none", authorityName, false)
	chain := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	for i := range count - 1 {
		pair := names[i%len(names)]
		authority, _ := forged(pair[0], pair[1], true)
		chain.Certificate = append(chain.Certificate, authority)
	}
	return chain
}

// forged makes a certificate of a named issuer that the certificate's own key signs.
func forged(subject, issuer string, isAuthority bool) ([]byte, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	certificate, err := pki.NewTemplate(subject)
	check(err)
	certificate.BasicConstraintsValid, certificate.IsCA = true, isAuthority
	parent, err := pki.NewTemplate(issuer)
	check(err)
	der, err := x509.CreateCertificate(rand.Reader, certificate, parent, key.Public(), key)
	check(err)
	return der, key
}

// padding makes certificates that only lengthen a chain. They differ in their serial number, so that the
// daemon cannot share one copy. Their signatures do not match, and no certification path needs them.
type padding struct {
	der   []byte
	at    int // The position of the last 8 bytes of the serial number.
	count atomic.Uint64
}

func newPadding(size int) *padding {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	serial := bytes.Repeat([]byte{0x5a}, 16)
	certificate, err := pki.NewTemplate("padding")
	check(err)
	certificate.SerialNumber = new(big.Int).SetBytes(serial)
	certificate.ExtraExtensions = []pkix.Extension{
		{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}, Value: make([]byte, size-1000)},
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	check(err)
	return &padding{der: der, at: bytes.Index(der, serial) + 8}
}

func (p *padding) next() []byte {
	der := slices.Clone(p.der)
	binary.BigEndian.PutUint64(der[p.at:], p.count.Add(1))
	return der
}
