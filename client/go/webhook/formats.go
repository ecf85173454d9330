package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// macBytes is the length of the MAC of each format, HMAC_SHA_256.
const macBytes = 32

// github is the format of GitHub: the signature of the body.
type github struct{}

const githubSignature = "X-Hub-Signature-256"

func (github) content(_ stamp, body []byte) []byte { return body }

func (github) write(h http.Header, _ stamp, mac []byte) {
	h.Set(githubSignature, "sha256="+hex.EncodeToString(mac))
}

func (github) read(h http.Header) (stamp, [][]byte, error) {
	macs, err := readHex(h, githubSignature, "sha256=")
	return stamp{}, macs, err
}

func (github) check(stamp) error { return nil }

// slack is the format of Slack: the signature of v0:TIME:BODY.
type slack struct{}

const (
	slackSignature = "X-Slack-Signature"
	slackTime      = "X-Slack-Request-Timestamp"
)

func (slack) content(s stamp, body []byte) []byte { return join(":", body, "v0", s.time) }

func (slack) write(h http.Header, s stamp, mac []byte) {
	h.Set(slackTime, s.time)
	h.Set(slackSignature, "v0="+hex.EncodeToString(mac))
}

func (slack) read(h http.Header) (stamp, [][]byte, error) {
	time, err := single(h, slackTime)
	if err != nil {
		return stamp{}, nil, err
	}
	macs, err := readHex(h, slackSignature, "v0=")
	return stamp{time: time}, macs, err
}

func (slack) check(s stamp) error { return s.requireTime() }

// stripe is the format of Stripe: the signatures of TIME.BODY.
type stripe struct{}

const stripeSignature = "Stripe-Signature"

func (stripe) content(s stamp, body []byte) []byte { return join(".", body, s.time) }

func (stripe) write(h http.Header, s stamp, mac []byte) {
	h.Set(stripeSignature, "t="+s.time+",v1="+hex.EncodeToString(mac))
}

func (stripe) read(h http.Header) (stamp, [][]byte, error) {
	value, err := single(h, stripeSignature)
	if err != nil {
		return stamp{}, nil, err
	}
	var times []string
	var macs [][]byte
	for element := range strings.SplitSeq(value, ",") {
		switch name, text, _ := strings.Cut(element, "="); name {
		case "t":
			times = append(times, text)
		case "v1":
			mac, err := hex.DecodeString(text)
			if err != nil || len(mac) != macBytes {
				return stamp{}, nil, malformed(stripeSignature)
			}
			macs = append(macs, mac)
		}
	}
	if len(times) != 1 || len(macs) == 0 {
		return stamp{}, nil, malformed(stripeSignature)
	}
	return stamp{time: times[0]}, macs, nil
}

func (stripe) check(s stamp) error { return s.requireTime() }

// standard is the format of Standard Webhooks: the signatures of ID.TIME.BODY.
type standard struct{}

const (
	standardID        = "webhook-id"
	standardTime      = "webhook-timestamp"
	standardSignature = "webhook-signature"
)

func (standard) content(s stamp, body []byte) []byte { return join(".", body, s.id, s.time) }

func (standard) write(h http.Header, s stamp, mac []byte) {
	h.Set(standardID, s.id)
	h.Set(standardTime, s.time)
	h.Set(standardSignature, "v1,"+base64.StdEncoding.EncodeToString(mac))
}

func (standard) read(h http.Header) (s stamp, macs [][]byte, err error) {
	if s.id, err = single(h, standardID); err != nil {
		return s, nil, err
	}
	if s.time, err = single(h, standardTime); err != nil {
		return s, nil, err
	}
	value, err := single(h, standardSignature)
	if err != nil {
		return s, nil, err
	}
	for element := range strings.SplitSeq(value, " ") {
		text, isV1 := strings.CutPrefix(element, "v1,")
		if !isV1 {
			continue // For example v1a, an asymmetric signature.
		}
		mac, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(mac) != macBytes {
			return s, nil, malformed(standardSignature)
		}
		macs = append(macs, mac)
	}
	if len(macs) == 0 {
		return s, nil, malformed(standardSignature)
	}
	return s, macs, nil
}

// maxID is the maximum length of an id of Standard Webhooks in bytes.
const maxID = 256

// check refuses a dot in the id: the same signature would fit another id, timestamp and body.
func (standard) check(s stamp) error {
	isRefused := func(r rune) bool { return r < '!' || r > '~' || r == '.' }
	if s.id == "" || len(s.id) > maxID || strings.ContainsFunc(s.id, isRefused) {
		return errors.New("webhook-id must have 1 to 256 visible characters of ASCII, and no dot")
	}
	return s.requireTime()
}

func (s stamp) requireTime() error {
	if s.time == "" {
		return errors.New("the time stamp is empty")
	}
	return nil
}

// join returns the parts and the body, with a separator after each part.
func join(separator string, body []byte, parts ...string) []byte {
	var content bytes.Buffer
	for _, part := range parts {
		content.WriteString(part + separator)
	}
	content.Write(body)
	return content.Bytes()
}

// single returns the only value of a header.
func single(h http.Header, name string) (string, error) {
	switch values := h.Values(name); len(values) {
	case 1:
		return values[0], nil
	case 0:
		return "", fmt.Errorf("the header %s is missing", name)
	default:
		return "", malformed(name)
	}
}

func readHex(h http.Header, name, prefix string) ([][]byte, error) {
	value, err := single(h, name)
	if err != nil {
		return nil, err
	}
	text, hasPrefix := strings.CutPrefix(value, prefix)
	mac, err := hex.DecodeString(text)
	if !hasPrefix || err != nil || len(mac) != macBytes {
		return nil, malformed(name)
	}
	return [][]byte{mac}, nil
}

func malformed(name string) error { return fmt.Errorf("the header %s is malformed", name) }
