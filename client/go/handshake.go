package hmacd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
)

// connectProblem is the reason why a channel has no connection.
type connectProblem struct {
	tls  bool
	text string
}

// problems has the last connect problem of a channel. It is safe for concurrent use.
type problems struct {
	last atomic.Pointer[connectProblem]
}

func (p *problems) add(err error) {
	if text := tlsProblem(err); text != "" {
		p.last.Store(&connectProblem{tls: true, text: text})
	} else {
		p.last.Store(&connectProblem{text: oneLine(err.Error())})
	}
}

// recordingTLS records the errors of handshakes. gRPC itself reports them as text only.
type recordingTLS struct {
	credentials.TransportCredentials
	problems *problems
}

func (c recordingTLS) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		c.problems.add(err)
		return nil, nil, err
	}
	return recordingConn{conn, c.problems}, info, nil
}

func (c recordingTLS) Clone() credentials.TransportCredentials {
	return recordingTLS{c.TransportCredentials.Clone(), c.problems}
}

// recordingConn records TLS alerts. In TLS 1.3, the daemon refuses a client certificate after the
// client's handshake.
type recordingConn struct {
	net.Conn
	problems *problems
}

func (c recordingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && isAlert(err) {
		c.problems.add(err)
	}
	return n, err
}

func isAlert(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error"
}

// tlsProblem returns the cause of a failed handshake. It is empty if the failure is not of TLS.
func tlsProblem(err error) string {
	var (
		untrusted x509.UnknownAuthorityError
		otherName x509.HostnameError
		invalid   x509.CertificateInvalidError
		noTLS     tls.RecordHeaderError
		unknown   *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &untrusted):
		return "the certificate of the daemon is not trusted by the authorities in CAFile"
	case errors.As(err, &otherName):
		return "the certificate of the daemon is for another name than the target's"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of the daemon has expired, or is not valid yet"
	case errors.As(err, &unknown):
		return "the certificate of the daemon is not valid"
	case errors.As(err, &noTLS):
		return "the peer does not speak TLS"
	case isAlert(err):
		return alertProblem(err.Error())
	case strings.Contains(err.Error(), "missing selected ALPN"):
		return "the peer speaks TLS, but not HTTP/2"
	default:
		return ""
	}
}

func alertProblem(alert string) string {
	switch {
	case strings.HasSuffix(alert, "no application protocol"):
		return "the peer speaks TLS, but not HTTP/2"
	case strings.Contains(alert, "certificate"), strings.HasSuffix(alert, "access denied"):
		return "the daemon refused the client certificate (" + alert + ")"
	default:
		return "the daemon refused the TLS handshake (" + alert + ")"
	}
}
