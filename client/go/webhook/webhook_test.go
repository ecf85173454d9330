package webhook

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	hmacd "hmacd.dev/client/go"
	"hmacd.dev/client/go/hmacdtest"
)

// vectors are the webhooks of the shared vectors.
type vectors struct {
	Key      string
	Webhooks struct {
		Body                            string
		Time                            int64
		GitHub, Stripe, Slack, Standard map[string]string
		Variants                        []struct {
			Format, Why string
			Accepted    bool
			Headers     map[string]string
		}
	}
}

// sender is a sender of the shared vectors, with its key in a fake.
type sender struct {
	vectors
	fake       *hmacdtest.Fake
	key, other *hmacd.Key
}

func newSender(t *testing.T) sender {
	t.Helper()
	content, err := os.ReadFile("../../vectors/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var s sender
	if err := json.Unmarshal(content, &s.vectors); err != nil {
		t.Fatal(err)
	}
	secret, err := hex.DecodeString(s.Key)
	if err != nil {
		t.Fatal(err)
	}
	s.fake = hmacdtest.Start(t, map[string]hmacdtest.Key{
		"key":   {Algorithm: hmacd.HMACSHA256, Secret: secret},
		"other": {Algorithm: hmacd.HMACSHA256, Secret: []byte("another secret")},
	})
	client := s.fake.Client(t)
	s.key, s.other = client.Key("key", hmacd.HMACSHA256), client.Key("other", hmacd.HMACSHA256)
	return s
}

// schemes have each scheme with the headers of the vectors.
func (s sender) schemes() map[string]struct {
	Scheme
	headers map[string]string
} {
	return map[string]struct {
		Scheme
		headers map[string]string
	}{
		"GitHub":   {GitHub, s.Webhooks.GitHub},
		"Stripe":   {Stripe, s.Webhooks.Stripe},
		"Slack":    {Slack, s.Webhooks.Slack},
		"Standard": {Standard, s.Webhooks.Standard},
	}
}

func (s sender) time() time.Time { return time.Unix(s.Webhooks.Time, 0) }

// verify verifies the body with headers at a time after that of the vectors.
func (s sender) verify(t *testing.T, scheme Scheme, headers map[string]string, body string, after time.Duration, keys ...*hmacd.Key) error {
	t.Helper()
	return scheme.verifyAt(t.Context(), s.time().Add(after), headerOf(headers), []byte(body), keys)
}

func headerOf(values map[string]string) http.Header {
	header := http.Header{}
	for name, value := range values {
		header.Set(name, value)
	}
	return header
}

func expectInvalidMAC(t *testing.T, name string, err error) {
	t.Helper()
	var base *hmacd.Error
	if !errors.Is(err, hmacd.ErrInvalidMAC) || !errors.As(err, &base) {
		t.Errorf("%s: want ErrInvalidMAC, got %v", name, err)
	}
}

func TestVectorsAreSignedAndVerified(t *testing.T) {
	s := newSender(t)
	for name, scheme := range s.schemes() {
		header, err := scheme.Sign(t.Context(), s.key, Message{Body: []byte(s.Webhooks.Body), ID: "msg_1", Time: s.time()})
		if err != nil || !maps.EqualFunc(header, headerOf(scheme.headers), func(a, b []string) bool { return a[0] == b[0] }) {
			t.Errorf("%s: got %v, %v", name, header, err)
		}
		if err := s.verify(t, scheme.Scheme, scheme.headers, s.Webhooks.Body, 0, s.other, s.key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVariantsOfHeaders(t *testing.T) {
	s := newSender(t)
	schemes := map[string]Scheme{"github": GitHub, "stripe": Stripe, "slack": Slack, "standard": Standard}
	for _, variant := range s.Webhooks.Variants {
		name := variant.Format + ", " + variant.Why
		err := s.verify(t, schemes[variant.Format], variant.Headers, s.Webhooks.Body, 0, s.key)
		if variant.Accepted && err != nil {
			t.Errorf("%s: got %v", name, err)
		}
		if !variant.Accepted {
			expectInvalidMAC(t, name, err)
		}
	}
	if len(s.Webhooks.Variants) == 0 {
		t.Error("vectors.json has no variants")
	}
}

func TestReservedContentIsRefused(t *testing.T) {
	s := newSender(t)
	s.fake.Next(1, hmacdtest.Fail(hmacd.ReasonReservedMessage))
	expectInvalidMAC(t, "reserved", s.verify(t, GitHub, s.Webhooks.GitHub, s.Webhooks.Body, 0, s.key))
}

func TestChangedWebhookIsRefused(t *testing.T) {
	s := newSender(t)
	for name, scheme := range s.schemes() {
		expectInvalidMAC(t, name+" body", s.verify(t, scheme.Scheme, scheme.headers, s.Webhooks.Body+" ", 0, s.key))
		expectInvalidMAC(t, name+" key", s.verify(t, scheme.Scheme, scheme.headers, s.Webhooks.Body, 0, s.other))
		for header := range scheme.headers {
			for change, value := range map[string]string{
				"empty": "", "garbage": "garbage", "digit": scheme.headers[header] + "1", "prefix": "x" + scheme.headers[header],
			} {
				changed := maps.Clone(scheme.headers)
				changed[header] = value
				expectInvalidMAC(t, name+" "+header+" "+change, s.verify(t, scheme.Scheme, changed, s.Webhooks.Body, 0, s.key))
			}
			missing := maps.Clone(scheme.headers)
			delete(missing, header)
			expectInvalidMAC(t, name+" without "+header, s.verify(t, scheme.Scheme, missing, s.Webhooks.Body, 0, s.key))
			twice := headerOf(scheme.headers)
			twice.Add(header, scheme.headers[header])
			expectInvalidMAC(t, name+" twice "+header, scheme.verifyAt(t.Context(), s.time(), twice, []byte(s.Webhooks.Body), []*hmacd.Key{s.key}))
		}
	}
}

func TestToleranceIs300SecondsInBothDirections(t *testing.T) {
	s := newSender(t)
	for name, scheme := range s.schemes() {
		for _, after := range []time.Duration{-300 * time.Second, 300 * time.Second} {
			if err := s.verify(t, scheme.Scheme, scheme.headers, s.Webhooks.Body, after, s.key); err != nil {
				t.Errorf("%s after %v: %v", name, after, err)
			}
		}
		for _, after := range []time.Duration{-301 * time.Second, 301 * time.Second} {
			err := s.verify(t, scheme.Scheme, scheme.headers, s.Webhooks.Body, after, s.key)
			if name == "GitHub" { // It has no time stamp.
				if err != nil {
					t.Errorf("%s after %v: %v", name, after, err)
				}
				continue
			}
			expectInvalidMAC(t, name, err)
		}
	}
}

func TestOneOfSeveralSignaturesIsEnough(t *testing.T) {
	s := newSender(t)
	wrong := strings.Repeat("00", 32)
	stripe := map[string]string{stripeSignature: strings.Replace(s.Webhooks.Stripe[stripeSignature], ",", ",v0=x,v1="+wrong+",", 1)}
	standard := maps.Clone(s.Webhooks.Standard)
	standard[standardSignature] = "v1a,x v1," + strings.Repeat("A", 43) + "= " + standard[standardSignature]
	if err := s.verify(t, Stripe, stripe, s.Webhooks.Body, 0, s.key); err != nil {
		t.Errorf("Stripe: %v", err)
	}
	if err := s.verify(t, Standard, standard, s.Webhooks.Body, 0, s.key); err != nil {
		t.Errorf("Standard: %v", err)
	}
}

func TestManySignaturesAreRefusedWithoutACall(t *testing.T) {
	s := newSender(t)
	many := map[string]string{stripeSignature: s.Webhooks.Stripe[stripeSignature] + strings.Repeat(",v1="+strings.Repeat("00", 32), maxSignatures)}
	expectInvalidMAC(t, "Stripe", s.verify(t, Stripe, many, s.Webhooks.Body, 0, s.key))
	if s.fake.Calls() != 0 {
		t.Errorf("%d calls", s.fake.Calls())
	}
}

// TestSignatureDoesNotFitAnotherID moves the first dot of the signed content.
func TestSignatureDoesNotFitAnotherID(t *testing.T) {
	s := newSender(t)
	later := s.time().Add(time.Hour)
	body := "1700003600.body"
	header, err := Standard.Sign(t.Context(), s.key, Message{Body: []byte(body), ID: "msg", Time: s.time()})
	if err != nil {
		t.Fatal(err)
	}
	header.Set(standardID, "msg."+header.Get(standardTime))
	header.Set(standardTime, "1700003600")
	expectInvalidMAC(t, "moved", Standard.verifyAt(t.Context(), later, header, []byte("body"), []*hmacd.Key{s.key}))
	_, err = Standard.Sign(t.Context(), s.key, Message{Body: []byte(body), ID: "msg.1"})
	var refused *hmacd.Error
	if !errors.As(err, &refused) || refused.Reason != hmacd.ReasonInvalidArgument {
		t.Errorf("an id with a dot was signed: %v", err)
	}
}

func TestOutageIsNoVerdict(t *testing.T) {
	s := newSender(t)
	for name, scheme := range s.schemes() {
		s.fake.Next(1, hmacdtest.Fail(hmacd.ReasonAccessDenied))
		err := s.verify(t, scheme.Scheme, scheme.headers, s.Webhooks.Body, 0, s.key, s.other)
		if !hmacd.NoVerdict(err) || errors.Is(err, hmacd.ErrInvalidMAC) {
			t.Errorf("%s: want no verdict, got %v", name, err)
		}
		s.fake.Next(1, hmacdtest.Fail(hmacd.ReasonAccessDenied))
		if err := s.verify(t, scheme.Scheme, scheme.headers, s.Webhooks.Body, 0, s.other, s.key); err != nil {
			t.Errorf("%s: another key matches, but %v", name, err)
		}
	}
}

// TestCallsOfAVerificationShareOneDeadline has a daemon that never answers. The first call takes all of
// the time.
func TestCallsOfAVerificationShareOneDeadline(t *testing.T) {
	s := newSender(t)
	many := map[string]string{stripeSignature: s.Webhooks.Stripe[stripeSignature] + strings.Repeat(",v1="+strings.Repeat("00", 32), 3)}
	for name, test := range map[string]struct{ timeout, caller time.Duration }{
		"client":           {500 * time.Millisecond, time.Hour},
		"earlier, context": {time.Hour, 500 * time.Millisecond},
	} {
		config := s.fake.Config()
		config.Timeout = test.timeout
		client, err := hmacd.New(config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		before := s.fake.Calls()
		s.fake.Next(100, hmacdtest.NoAnswer())
		ctx, cancel := context.WithTimeout(t.Context(), test.caller)
		defer cancel()
		keys := []*hmacd.Key{client.Key("other", hmacd.HMACSHA256), client.Key("key", hmacd.HMACSHA256)}
		err = Stripe.verifyAt(ctx, s.time(), headerOf(many), []byte(s.Webhooks.Body), keys)
		if !errors.Is(err, hmacd.ErrDeadlineExceeded) || !hmacd.NoVerdict(err) {
			t.Errorf("%s: got %v", name, err)
		}
		if calls := s.fake.Calls() - before; calls > 1 {
			t.Errorf("%s: %d calls", name, calls)
		}
	}
}

func TestKeysAreChecked(t *testing.T) {
	s := newSender(t)
	sha512 := s.fake.Client(t).Key("key", hmacd.HMACSHA512)
	for name, keys := range map[string][]*hmacd.Key{"none": nil, "SHA-512": {s.key, sha512}} {
		err := s.verify(t, GitHub, s.Webhooks.GitHub, s.Webhooks.Body, 0, keys...)
		if !hmacd.NoVerdict(err) {
			t.Errorf("%s: got %v", name, err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the middleware was made", name)
				}
			}()
			Middleware(GitHub, keys...)
		}()
	}
}

func TestMiddleware(t *testing.T) {
	s := newSender(t)
	handler := Middleware(GitHub, s.key)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	signed := s.Webhooks.GitHub
	for name, test := range map[string]struct {
		body    string
		headers map[string]string
		outage  bool
		want    int
	}{
		"right":    {s.Webhooks.Body, signed, false, http.StatusOK},
		"wrong":    {s.Webhooks.Body + " ", signed, false, http.StatusUnauthorized},
		"unsigned": {s.Webhooks.Body, nil, false, http.StatusUnauthorized},
		"outage":   {s.Webhooks.Body, signed, true, http.StatusServiceUnavailable},
		"too long": {strings.Repeat("x", 65537), signed, false, http.StatusRequestEntityTooLarge},
		"empty":    {"", signed, false, http.StatusBadRequest},
	} {
		if test.outage {
			s.fake.Next(1, hmacdtest.Fail(hmacd.ReasonInternal))
		}
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(test.body))
		request.Header = headerOf(test.headers)
		handler.ServeHTTP(answer, request)
		if answer.Code != test.want {
			t.Errorf("%s: want %d, got %d", name, test.want, answer.Code)
		}
		if handled := answer.Code == http.StatusOK; handled != (answer.Body.String() == test.body) {
			t.Errorf("%s: the handler answered %q", name, answer.Body)
		}
	}
}

func TestTooLongContentIs413(t *testing.T) {
	s := newSender(t)
	body := strings.Repeat("x", 65530) // Longer than the limit with the time stamp.
	header, err := Slack.Sign(t.Context(), s.key, Message{Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	err = Slack.Verify(t.Context(), header, []byte(body), s.key)
	if status := statusOf(err); status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d for %v", status, err)
	}
}
