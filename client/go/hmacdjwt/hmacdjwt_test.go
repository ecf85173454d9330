package hmacdjwt_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	hmacd "hmacd.dev/client/go"
	"hmacd.dev/client/go/hmacdjwt"
	"hmacd.dev/client/go/hmacdtest"
)

// vectors are the tokens of the shared vectors.
type vectors struct {
	Key string
	JWT struct {
		Claims jwt.MapClaims
		Right  []struct{ Alg, KID, Token string }
		// Accepted tokens are not those that Sign makes.
		Accepted, Wrong []struct{ Why, Alg, Token string }
	}
}

var algorithms = map[string]hmacd.Algorithm{"HS256": hmacd.HMACSHA256, "HS384": hmacd.HMACSHA384, "HS512": hmacd.HMACSHA512}

// issuer has the key of the vectors under each algorithm.
type issuer struct {
	vectors
	fake *hmacdtest.Fake
	keys map[string]*hmacd.Key // by alg
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	content, err := os.ReadFile("../../vectors/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	i := issuer{keys: map[string]*hmacd.Key{}}
	if err := json.Unmarshal(content, &i.vectors); err != nil {
		t.Fatal(err)
	}
	secret, err := hex.DecodeString(i.Key)
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]hmacdtest.Key{}
	for alg, algorithm := range algorithms {
		served[alg] = hmacdtest.Key{Algorithm: algorithm, Secret: secret}
	}
	i.fake = hmacdtest.Start(t, served)
	client := i.fake.Client(t)
	for alg, algorithm := range algorithms {
		i.keys[alg] = client.Key(alg, algorithm)
	}
	return i
}

// parse verifies a token with the key of an alg under the kid k1.
func (i issuer) parse(t *testing.T, alg, token string) (*jwt.Token, error) {
	t.Helper()
	return jwt.Parse(token, hmacdjwt.Keyfunc(t.Context(), map[string]*hmacd.Key{"k1": i.keys[alg]}))
}

func TestRightTokensAreVerified(t *testing.T) {
	i := newIssuer(t)
	for _, right := range i.JWT.Right {
		token, err := i.parse(t, right.Alg, right.Token)
		if err != nil || !token.Valid || token.Claims.(jwt.MapClaims)["sub"] != i.JWT.Claims["sub"] {
			t.Errorf("%s: got %+v, %v", right.Alg, token, err)
		}
	}
}

func TestOtherRightTokensAreVerified(t *testing.T) {
	i := newIssuer(t)
	for _, accepted := range i.JWT.Accepted {
		if token, err := i.parse(t, accepted.Alg, accepted.Token); err != nil || !token.Valid {
			t.Errorf("%s: got %v", accepted.Why, err)
		}
	}
	if len(i.JWT.Accepted) == 0 {
		t.Error("vectors.json has no accepted tokens")
	}
}

func TestTokenWithoutKIDNeverHasTheKeyOfAnEmptyKID(t *testing.T) {
	i := newIssuer(t)
	for _, wrong := range i.JWT.Wrong {
		if strings.Contains(wrong.Why, "kid") {
			token, err := jwt.Parse(wrong.Token, hmacdjwt.Keyfunc(t.Context(), map[string]*hmacd.Key{"": i.keys[wrong.Alg]}))
			if err == nil || token.Valid {
				t.Errorf("%s: the token was verified", wrong.Why)
			}
		}
	}
}

func TestWrongTokensAreRefused(t *testing.T) {
	i := newIssuer(t)
	for _, wrong := range i.JWT.Wrong {
		token, err := i.parse(t, wrong.Alg, wrong.Token)
		if err == nil || token.Valid || hmacd.NoVerdict(err) {
			t.Errorf("%s: got %+v, %v", wrong.Why, token, err)
		}
	}
}

func TestBadSignatureIsAVerdict(t *testing.T) {
	i := newIssuer(t)
	token := i.JWT.Right[0].Token
	body, signature := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+1:]
	for name, changed := range map[string]string{
		"changed":   body + "A" + signature[1:],
		"truncated": body + signature[:len(signature)-4],
		"none":      body,
	} {
		_, err := i.parse(t, "HS256", changed)
		if !errors.Is(err, jwt.ErrTokenSignatureInvalid) || !errors.Is(err, hmacd.ErrInvalidMAC) || hmacd.NoVerdict(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestOtherTextOfASignatureIsRefusedWithoutACall(t *testing.T) {
	i := newIssuer(t)
	token := i.JWT.Right[0].Token
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	// 43 digits have 2 bits after the 32 bytes.
	unusedBit := token[:last] + string(digits[strings.IndexByte(digits, token[last])|1])
	for _, changed := range []string{unusedBit, token + "\n", token[:last] + "\n" + token[last:]} {
		parsed, err := i.parse(t, "HS256", changed)
		if err == nil || parsed.Valid || hmacd.NoVerdict(err) {
			t.Errorf("%q: got %+v, %v", changed, parsed, err)
		}
	}
	if i.fake.Calls() != 0 {
		t.Errorf("%d calls", i.fake.Calls())
	}
}

func TestOutageIsNoBadSignature(t *testing.T) {
	i := newIssuer(t)
	for _, reason := range []hmacd.Reason{hmacd.ReasonAccessDenied, hmacd.ReasonInternal, hmacd.ReasonKeyNotUsable} {
		i.fake.Next(1, hmacdtest.Fail(reason))
		token, err := i.parse(t, "HS256", i.JWT.Right[0].Token)
		var failed *hmacd.Error
		if !errors.As(err, &failed) || failed.Reason != reason || !hmacd.NoVerdict(err) {
			t.Errorf("want %s, got %v", reason, err)
		}
		if errors.Is(err, jwt.ErrTokenSignatureInvalid) || errors.Is(err, jwt.ErrSignatureInvalid) || token.Valid {
			t.Errorf("%s is a bad signature: %v", reason, err)
		}
	}
}

func TestContextEndsTheCall(t *testing.T) {
	i := newIssuer(t)
	i.fake.Next(1, hmacdtest.NoAnswer())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := jwt.Parse(i.JWT.Right[0].Token, hmacdjwt.Keyfunc(ctx, map[string]*hmacd.Key{"k1": i.keys["HS256"]}))
	if !errors.Is(err, context.Canceled) || errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		t.Errorf("got %v", err)
	}
}

// unsecured returns a token with a header of an attacker.
func unsecured(t *testing.T, header map[string]any) string {
	t.Helper()
	token := jwt.New(jwt.SigningMethodHS256)
	token.Header = header
	text, err := token.SignedString([]byte("a key of the attacker"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestHeadersAreRefusedWithoutACall(t *testing.T) {
	i := newIssuer(t)
	for name, test := range map[string]struct {
		header map[string]any
		want   error
	}{
		"no kid":      {map[string]any{"alg": "HS256"}, hmacdjwt.ErrUnknownKID},
		"another kid": {map[string]any{"alg": "HS256", "kid": "k2"}, hmacdjwt.ErrUnknownKID},
		"kid number":  {map[string]any{"alg": "HS256", "kid": 1}, hmacdjwt.ErrUnknownKID},
		"none":        {map[string]any{"alg": "none", "kid": "k1"}, hmacdjwt.ErrAlgorithm},
		"another alg": {map[string]any{"alg": "HS512", "kid": "k1"}, hmacdjwt.ErrAlgorithm},
		"no base64":   {map[string]any{"alg": "HS256", "kid": "k1", "b64": false}, hmacdjwt.ErrCritical},
		"base64 text": {map[string]any{"alg": "HS256", "kid": "k1", "b64": "false"}, hmacdjwt.ErrCritical},
		"no critical": {map[string]any{"alg": "HS256", "kid": "k1", "crit": []string{}}, hmacdjwt.ErrCritical},
		"extension":   {map[string]any{"alg": "HS256", "kid": "k1", "crit": []string{"x"}, "x": 1}, hmacdjwt.ErrCritical},
		"critical":    {map[string]any{"alg": "HS256", "kid": "k1", "crit": []string{"b64"}, "b64": false}, hmacdjwt.ErrCritical},
	} {
		_, err := i.parse(t, "HS256", unsecured(t, test.header))
		if !errors.Is(err, test.want) || hmacd.NoVerdict(err) {
			t.Errorf("%s: want %v, got %v", name, test.want, err)
		}
	}
	if i.fake.Calls() != 0 {
		t.Errorf("%d calls", i.fake.Calls())
	}
}

func TestSignedTokensAreVerified(t *testing.T) {
	i := newIssuer(t)
	secret, err := hex.DecodeString(i.Key)
	if err != nil {
		t.Fatal(err)
	}
	for alg, key := range i.keys {
		token, err := hmacdjwt.Sign(t.Context(), "k1", key, i.JWT.Claims)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := i.parse(t, alg, token); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		// golang-jwt's own methods still verify with the secret.
		parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return secret, nil }, jwt.WithValidMethods([]string{alg}))
		if err != nil || parsed.Header["kid"] != "k1" {
			t.Errorf("%s: got %+v, %v", alg, parsed, err)
		}
	}
}

func TestExpiredTokenIsRefused(t *testing.T) {
	i := newIssuer(t)
	token, err := hmacdjwt.Sign(t.Context(), "k1", i.keys["HS256"], jwt.MapClaims{"exp": 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.parse(t, "HS256", token); !errors.Is(err, jwt.ErrTokenExpired) {
		t.Errorf("got %v", err)
	}
}

func TestOtherKeysAreRefused(t *testing.T) {
	i := newIssuer(t)
	sha224 := i.fake.Client(t).Key("key", hmacd.HMACSHA224)
	if _, err := hmacdjwt.Sign(t.Context(), "k1", sha224, i.JWT.Claims); err == nil {
		t.Error("HMAC_SHA_224 signed a token")
	}
	if _, err := jwt.New(hmacdjwt.HS256).SignedString([]byte("secret")); !errors.Is(err, jwt.ErrInvalidKeyType) {
		t.Errorf("got %v", err)
	}
	if _, err := jwt.New(hmacdjwt.HS256).SignedString(hmacdjwt.Bind(t.Context(), i.keys["HS512"])); !errors.Is(err, jwt.ErrInvalidKey) {
		t.Errorf("got %v", err)
	}
	if err := hmacdjwt.HS256.Verify("a.b", nil, hmacdjwt.Bind(t.Context(), i.keys["HS256"])); !errors.Is(err, jwt.ErrInvalidKeyType) {
		t.Errorf("got %v", err)
	}
}
