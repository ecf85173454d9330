package hmacd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"hmacd.dev/client/go/internal/pki"
)

func setOf(t *testing.T, authority *pki.Authority, lifetime time.Duration) pemFiles {
	t.Helper()
	pair := authority.Issue(t, "127.0.0.1", lifetime)
	return pemFiles{ca: authority.PEM, cert: pair.Cert, key: pair.Key}
}

func TestNewSetIsUsedAtItsSecondRead(t *testing.T) {
	authority := pki.NewAuthority(t)
	old, renewed := setOf(t, authority, time.Hour), setOf(t, authority, time.Hour)
	r := renewal{current: old}
	if r.observe(time.Now(), old, nil) != nil || r.observe(time.Now(), renewed, nil) != nil {
		t.Fatal("an unchanged set, or the first read of a set, was used")
	}
	if r.observe(time.Now(), renewed, nil) == nil {
		t.Fatal("the second read was not used")
	}
	if r.observe(time.Now(), renewed, nil) != nil {
		t.Error("the current set was used again")
	}
}

func TestSetThatStillChangesIsNotUsed(t *testing.T) {
	authority := pki.NewAuthority(t)
	r := renewal{current: setOf(t, authority, time.Hour)}
	for range 3 {
		if r.observe(time.Now(), setOf(t, authority, time.Hour), nil) != nil {
			t.Fatal("a set was used at its first read")
		}
	}
}

func TestBadSetIsNotUsed(t *testing.T) {
	authority := pki.NewAuthority(t)
	good, renewed := setOf(t, authority, time.Hour), setOf(t, authority, time.Hour)
	mixed := pemFiles{ca: good.ca, cert: renewed.cert, key: good.key}
	r := renewal{current: good}
	for range 3 {
		if r.observe(time.Now(), mixed, nil) != nil {
			t.Fatal("a certificate with the key of another was used")
		}
	}
	if r.demand(time.Now(), mixed, nil) != nil || !r.current.equal(good) {
		t.Error("the bad set was used after UNAUTHENTICATED")
	}
	r.observe(time.Now(), renewed, nil)
	if r.observe(time.Now(), renewed, nil) == nil {
		t.Error("the complete set was not used after the bad one")
	}
}

func TestUnreadableFilesStartAgain(t *testing.T) {
	authority := pki.NewAuthority(t)
	good, renewed := setOf(t, authority, time.Hour), setOf(t, authority, time.Hour)
	r := renewal{current: good}
	r.observe(time.Now(), renewed, nil)
	if r.observe(time.Now(), pemFiles{}, errors.New("missing")) != nil || r.observe(time.Now(), renewed, nil) != nil {
		t.Error("a set was used before two reads in a row")
	}
}

func TestSetIsUsedAtOnceAfterUnauthenticated(t *testing.T) {
	authority := pki.NewAuthority(t)
	old, renewed := setOf(t, authority, time.Hour), setOf(t, authority, time.Hour)
	r := renewal{current: old}
	if r.demand(time.Now(), old, nil) != nil {
		t.Error("an unchanged set is new")
	}
	if r.demand(time.Now(), renewed, nil) == nil || !r.current.equal(renewed) {
		t.Error("the new set was not used at once")
	}
	if r.demand(time.Now(), pemFiles{}, errors.New("missing")) != nil || !r.current.equal(renewed) {
		t.Error("a failed read replaced the set")
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	authority := pki.NewAuthority(t)
	good := setOf(t, authority, time.Hour)
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})
	oldEncrypted := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: []byte{1},
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"},
	})
	for name, test := range map[string]struct {
		files pemFiles
		want  string
	}{
		"no CA":             {pemFiles{[]byte("x"), good.cert, good.key}, "CAFile"},
		"no certificate":    {pemFiles{good.ca, []byte("x"), good.key}, "CertFile"},
		"no key":            {pemFiles{good.ca, good.cert, []byte("x")}, "KeyFile"},
		"key of another":    {pemFiles{good.ca, good.cert, setOf(t, authority, time.Hour).key}, "KeyFile"},
		"expired":           {setOf(t, authority, -time.Minute), "expired at"},
		"encrypted PKCS #8": {pemFiles{good.ca, good.cert, encrypted}, "encrypted"},
		"encrypted PKCS #1": {pemFiles{good.ca, good.cert, oldEncrypted}, "encrypted"},
	} {
		if _, err := test.files.tlsConfig(time.Now()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: want %q, got %v", name, test.want, err)
		}
	}
	if _, err := good.tlsConfig(time.Now()); err != nil {
		t.Error(err)
	}
}

func TestFormatsOfPrivateKeys(t *testing.T) {
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	ofEC, ofRSA := selfSigned(t, ecKey.Public(), ecKey), selfSigned(t, rsaKey.Public(), rsaKey)
	for name, test := range map[string]struct {
		cert []byte
		key  pem.Block
	}{
		"SEC1":    {ofEC, pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}},
		"PKCS #1": {ofRSA, pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)}},
		"PKCS #8": {ofRSA, pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}},
	} {
		files := pemFiles{ca: test.cert, cert: test.cert, key: pem.EncodeToMemory(&test.key)}
		if _, err := files.tlsConfig(time.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func selfSigned(t *testing.T, public, private any) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	content, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: content})
}
