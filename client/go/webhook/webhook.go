// Package webhook signs and verifies webhooks with keys of hmacd, in the formats of GitHub, Stripe,
// Slack and Standard Webhooks. All of them use HMAC_SHA_256.
//
// The signed content is the body with a prefix of the format. It has at most
// [hmacd.Config.MaxMessageBytes] bytes, 65536 by default.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	hmacd "hmacd.dev/client/go"
)

const (
	// tolerance is the largest difference to a timestamp, in both directions.
	tolerance = 300 * time.Second
	// maxSignatures limits the calls for one webhook. A sender has two signatures while it changes its
	// secret.
	maxSignatures = 8
)

// Scheme is a format of signatures. It is safe for concurrent use.
type Scheme struct{ format format }

// The formats.
var (
	// GitHub has X-Hub-Signature-256. It has no timestamp, and thus no protection against replay.
	GitHub = Scheme{github{}}
	// Stripe has Stripe-Signature.
	Stripe = Scheme{stripe{}}
	// Slack has X-Slack-Signature and X-Slack-Request-Timestamp.
	Slack = Scheme{slack{}}
	// Standard has webhook-id, webhook-timestamp and webhook-signature (standardwebhooks.com).
	Standard = Scheme{standard{}}
)

// Message is a webhook to sign.
type Message struct {
	// Body is the body of the request, byte for byte as it is sent.
	Body []byte
	// ID identifies the webhook. Only Standard has an id. It is required there, without a dot or space.
	ID string
	// Time is the timestamp. The zero value means now. GitHub has no timestamp.
	Time time.Time
}

// format is the part of a scheme that differs.
type format interface {
	// content returns the signed bytes.
	content(s stamp, body []byte) []byte
	// write sets the headers of a signature.
	write(h http.Header, s stamp, mac []byte)
	// read returns the stamp and the signatures. The error says which header is missing or malformed.
	read(h http.Header) (stamp, [][]byte, error)
	// check refuses a stamp that the format cannot have.
	check(s stamp) error
}

// stamp has the signed values beside the body, as in the headers. They are empty if the format has
// none.
type stamp struct{ id, time string }

// Sign returns the headers with the signature. The error is an [*hmacd.Error].
func (s Scheme) Sign(ctx context.Context, key *hmacd.Key, m Message) (http.Header, error) {
	if err := checkKeys(key); err != nil {
		return nil, err
	}
	if m.Time.IsZero() {
		m.Time = time.Now()
	}
	stamp := stamp{id: m.ID, time: strconv.FormatInt(m.Time.Unix(), 10)}
	if err := s.format.check(stamp); err != nil {
		return nil, &hmacd.Error{Reason: hmacd.ReasonInvalidArgument, Text: err.Error()}
	}
	mac, err := key.Generate(ctx, s.format.content(stamp, m.Body))
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	s.format.write(header, stamp, mac)
	return header, nil
}

// Verify returns nil if one of the keys has made one of the signatures, and the timestamp is at most
// 300 s in the past or in the future. The error matches [hmacd.ErrInvalidMAC] if a header is missing
// or malformed, the timestamp is out of tolerance, or no key has made a signature. If a call gave no
// verdict and no key matches, the error is that of this call. All errors are [*hmacd.Error].
//
// All calls share one deadline: that of the context, or [hmacd.Config.Timeout] after the start of
// Verify, whichever is earlier.
func (s Scheme) Verify(ctx context.Context, header http.Header, body []byte, keys ...*hmacd.Key) error {
	return s.verifyAt(ctx, time.Now(), header, body, keys)
}

func (s Scheme) verifyAt(ctx context.Context, now time.Time, header http.Header, body []byte, keys []*hmacd.Key) error {
	if err := checkKeys(keys...); err != nil {
		return err
	}
	stamp, macs, err := s.format.read(header)
	if err == nil {
		err = s.format.check(stamp)
	}
	if err == nil {
		err = checkTime(now, stamp.time)
	}
	if err == nil && len(macs) > maxSignatures {
		err = fmt.Errorf("more than %d signatures", maxSignatures)
	}
	if err != nil {
		return invalidMAC(err.Error())
	}
	return verifyAny(ctx, keys, s.format.content(stamp, body), macs)
}

// verifyAny makes a call for each pair of a key and a signature, until one matches or the deadline
// passes.
func verifyAny(ctx context.Context, keys []*hmacd.Key, content []byte, macs [][]byte) error {
	start := time.Now()
	var noVerdict error
	for _, key := range keys {
		err := verifyKey(ctx, start, key, content, macs)
		if err == nil {
			return nil
		}
		var failed *hmacd.Error
		if errors.As(err, &failed) && failed.Reason == hmacd.ReasonReservedMessage {
			return invalidMAC("hmacd makes no MAC of a message with this start")
		}
		if !errors.Is(err, hmacd.ErrInvalidMAC) && noVerdict == nil {
			noVerdict = err
		}
	}
	if noVerdict != nil {
		return noVerdict
	}
	return invalidMAC("no key has made the signature")
}

// verifyKey ends with the timeout of the key's client after the start. The error is the first one
// without a verdict, if there is one.
func verifyKey(ctx context.Context, start time.Time, key *hmacd.Key, content []byte, macs [][]byte) error {
	ctx, cancel := context.WithDeadline(ctx, start.Add(key.Timeout()))
	defer cancel()
	var failure error
	for _, mac := range macs {
		err := key.Verify(ctx, content, mac)
		if err == nil {
			return nil
		}
		if failure == nil || errors.Is(failure, hmacd.ErrInvalidMAC) {
			failure = err
		}
	}
	return failure
}

func checkKeys(keys ...*hmacd.Key) error {
	if len(keys) == 0 {
		return &hmacd.Error{Reason: hmacd.ReasonInvalidArgument, Text: "no key"}
	}
	for _, key := range keys {
		if key.Algorithm() != hmacd.HMACSHA256 {
			return &hmacd.Error{
				Reason: hmacd.ReasonInvalidArgument,
				Text:   fmt.Sprintf("the algorithm of a key is %v, but webhooks have HMAC_SHA_256", key.Algorithm()),
			}
		}
	}
	return nil
}

// checkTime accepts the empty text of a format without a timestamp.
func checkTime(now time.Time, text string) error {
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 40)
	if err != nil || text != strconv.FormatUint(seconds, 10) { // Not 01 for 1.
		return errors.New("the time stamp is not a number of seconds")
	}
	if age := now.Sub(time.Unix(int64(seconds), 0)); age.Abs() > tolerance {
		return fmt.Errorf("the time stamp differs from now by more than %v", tolerance)
	}
	return nil
}

func invalidMAC(text string) error {
	return &hmacd.Error{Reason: hmacd.ReasonKMSInvalidMAC, Text: text}
}
