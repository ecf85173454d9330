package hmacd

import (
	"fmt"

	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

// Algorithm is HMAC (RFC 2104) with a hash of SHA-2. The zero value is no algorithm.
type Algorithm int

// The algorithms of hmacd. Each key has exactly one.
const (
	HMACSHA224 = Algorithm(hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_224)
	HMACSHA256 = Algorithm(hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_256)
	HMACSHA384 = Algorithm(hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_384)
	HMACSHA512 = Algorithm(hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_512)
)

// Size returns the length of a MAC in bytes: 28, 32, 48 or 64. It is 0 if a is no algorithm.
func (a Algorithm) Size() int {
	switch a {
	case HMACSHA224:
		return 28
	case HMACSHA256:
		return 32
	case HMACSHA384:
		return 48
	case HMACSHA512:
		return 64
	default:
		return 0
	}
}

// String returns the name in hmacd's API, for example HMAC_SHA_256.
func (a Algorithm) String() string {
	if size := a.Size(); size != 0 {
		return fmt.Sprintf("HMAC_SHA_%d", size*8)
	}
	return fmt.Sprintf("Algorithm(%d)", int(a))
}

func (a Algorithm) proto() hmacdv1.MacAlgorithm { return hmacdv1.MacAlgorithm(a) }
