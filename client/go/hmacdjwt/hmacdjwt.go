// Package hmacdjwt signs and verifies JSON Web Tokens (RFC 7519) with keys of hmacd, for
// github.com/golang-jwt/jwt/v5:
//
//	token, err := hmacdjwt.Sign(ctx, "k1", key, claims)
//	parsed, err := jwt.Parse(token, hmacdjwt.Keyfunc(ctx, map[string]*hmacd.Key{"k1": key}))
//
// It does not change the registered signing methods of golang-jwt.
//
// The error of an outage matches [jwt.ErrTokenUnverifiable], and [hmacd.NoVerdict] returns true for
// it. It never matches [jwt.ErrTokenSignatureInvalid].
package hmacdjwt

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	hmacd "hmacd.dev/client/go"
)

// Errors of [Keyfunc] for a refused token. Parse wraps them in [jwt.ErrTokenUnverifiable].
var (
	ErrUnknownKID = errors.New("hmacdjwt: the kid of the token is not allowed")
	ErrAlgorithm  = errors.New("hmacdjwt: the alg of the token is not that of the key")
	ErrCritical   = errors.New("hmacdjwt: the token has critical extensions, and none is supported")
)

// Sign returns a token with the claims and the header kid. The algorithm of the key decides alg:
// HS256, HS384 or HS512. The signed part of a token must not be longer than
// [hmacd.Config.MaxMessageBytes].
func Sign(ctx context.Context, kid string, key *hmacd.Key, claims jwt.Claims) (string, error) {
	method, err := methodOf(key)
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	return token.SignedString(Bind(ctx, key))
}

// Keyfunc returns the function that verifies the signatures of tokens in Parse, with one call of
// hmacd for each token. It allows the kids of the map only. A token without a kid, with another kid,
// with another alg than that of its key, or with critical extensions, is refused without a call. The
// context applies to all calls of the function: create it for each request.
func Keyfunc(ctx context.Context, keys map[string]*hmacd.Key) jwt.Keyfunc {
	keys = maps.Clone(keys)
	return func(token *jwt.Token) (any, error) {
		kid, hasKID := token.Header["kid"].(string)
		key, allowed := keys[kid]
		if !hasKID || !allowed {
			return nil, ErrUnknownKID
		}
		method, err := methodOf(key)
		if err != nil {
			return nil, err
		}
		if token.Method.Alg() != method.Alg() {
			return nil, ErrAlgorithm
		}
		if hasExtension(token.Header) {
			return nil, ErrCritical
		}
		end := strings.LastIndexByte(token.Raw, '.')
		signed, signature := token.Raw[:end], token.Raw[end+1:]
		// Parse reports each error of a signing method as a bad signature. So the call is here, and the
		// signing method only has its verdict.
		if base64.RawURLEncoding.EncodeToString(token.Signature) == signature {
			err = key.Verify(ctx, []byte(signed), token.Signature)
		} else { // Otherwise, several texts would be the same token.
			err = &hmacd.Error{Reason: hmacd.ReasonKMSInvalidMAC, Text: "the signature is not in canonical base64url"}
		}
		if err != nil && !errors.Is(err, hmacd.ErrInvalidMAC) {
			return nil, err
		}
		token.Method = method
		return verdict{signed: signed, signature: string(token.Signature), err: err}, nil
	}
}

// hasExtension returns whether a header has critical extensions. golang-jwt ignores them, and b64,
// with which the payload is not in base64url (RFC 7797).
func hasExtension(header map[string]any) bool {
	_, hasCritical := header["crit"]
	b64, hasB64 := header["b64"]
	return hasCritical || hasB64 && b64 != true
}

func methodOf(key *hmacd.Key) (*SigningMethod, error) {
	for _, method := range []*SigningMethod{HS256, HS384, HS512} {
		if method.algorithm == key.Algorithm() {
			return method, nil
		}
	}
	return nil, fmt.Errorf("hmacdjwt: JSON Web Tokens have no algorithm %v", key.Algorithm())
}
