package hmacdjwt

import (
	"context"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	hmacd "hmacd.dev/client/go"
)

// SigningMethod is a [jwt.SigningMethod] with keys of hmacd, for tokens that [Sign] cannot make.
type SigningMethod struct {
	alg       string
	algorithm hmacd.Algorithm
}

// The signing methods. They are not registered: those of golang-jwt with the same alg stay.
var (
	HS256 = &SigningMethod{"HS256", hmacd.HMACSHA256}
	HS384 = &SigningMethod{"HS384", hmacd.HMACSHA384}
	HS512 = &SigningMethod{"HS512", hmacd.HMACSHA512}
)

// BoundKey is a key with the context of its calls.
type BoundKey struct {
	ctx context.Context // golang-jwt has no parameter for a context.
	key *hmacd.Key
}

// Bind returns the key for [jwt.Token.SignedString].
func Bind(ctx context.Context, key *hmacd.Key) BoundKey { return BoundKey{ctx, key} }

// verdict is the result of [Keyfunc] for one signature.
type verdict struct {
	signed, signature string
	err               error // nil if the signature is right
}

// Alg returns the name of the algorithm in the header of a token.
func (m *SigningMethod) Alg() string { return m.alg }

// Sign returns the signature. The key must be a [BoundKey] with the algorithm of the method.
func (m *SigningMethod) Sign(signed string, key any) ([]byte, error) {
	bound, isBound := key.(BoundKey)
	if !isBound {
		return nil, fmt.Errorf("%w: hmacdjwt signs with a BoundKey", jwt.ErrInvalidKeyType)
	}
	if bound.key.Algorithm() != m.algorithm {
		return nil, fmt.Errorf("%w: the algorithm of the key is %v", jwt.ErrInvalidKey, bound.key.Algorithm())
	}
	return bound.key.Generate(bound.ctx, []byte(signed))
}

// Verify returns the verdict of [Keyfunc]. It refuses all other keys, because Parse would report an
// outage in this method as a bad signature.
func (m *SigningMethod) Verify(signed string, signature []byte, key any) error {
	v, isVerdict := key.(verdict)
	if !isVerdict {
		return fmt.Errorf("%w: hmacdjwt verifies with Keyfunc", jwt.ErrInvalidKeyType)
	}
	if v.signed != signed || v.signature != string(signature) {
		return jwt.ErrSignatureInvalid
	}
	return v.err
}
