package hmacdtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"hash/crc32"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	hmacd "hmacd.dev/client/go"
	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

var hashes = map[hmacd.Algorithm]func() hash.Hash{
	hmacd.HMACSHA224: sha256.New224,
	hmacd.HMACSHA256: sha256.New,
	hmacd.HMACSHA384: sha512.New384,
	hmacd.HMACSHA512: sha512.New,
}

// requestID is the id of all calls of a fake.
const requestID = "00000000-0000-4000-8000-000000000000"

// maxMessageBytes is the default of the daemon's grpc.limits.max_message_bytes.
const maxMessageBytes = 65536

type macService struct {
	hmacdv1.UnimplementedMacServiceServer
	fake *Fake
}

func (s macService) GenerateMac(ctx context.Context, r *hmacdv1.GenerateMacRequest) (*hmacdv1.GenerateMacResponse, error) {
	fault := s.fake.begin()
	mac, err := s.fake.mac(ctx, fault, r, r.MessageCrc32C)
	if err != nil {
		return nil, err
	}
	sum := crc32c(mac)
	if fault.damages {
		sum++
	}
	return &hmacdv1.GenerateMacResponse{
		KeyId: arn(r.GetKeyId()), Mac: mac, MacAlgorithm: r.GetMacAlgorithm(), KeyVersion: 1,
		MacCrc32C: sum, VerifiedMessageCrc32C: r.MessageCrc32C != nil,
	}, nil
}

func (s macService) VerifyMac(ctx context.Context, r *hmacdv1.VerifyMacRequest) (*hmacdv1.VerifyMacResponse, error) {
	fault := s.fake.begin()
	mac, err := s.fake.mac(ctx, fault, r, r.MessageCrc32C)
	switch {
	case err != nil:
		return nil, err
	case r.MacCrc32C != nil && r.GetMacCrc32C() != crc32c(r.GetMac()):
		return nil, refusal(hmacd.ReasonChecksumMismatch)
	case !hmac.Equal(mac, r.GetMac()):
		return nil, refusal(hmacd.ReasonKMSInvalidMAC)
	}
	return &hmacdv1.VerifyMacResponse{
		KeyId: arn(r.GetKeyId()), MacValid: true, MacAlgorithm: r.GetMacAlgorithm(), KeyVersion: 1,
		VerifiedMessageCrc32C: r.MessageCrc32C != nil && !fault.damages, VerifiedMacCrc32C: r.MacCrc32C != nil,
	}, nil
}

// macRequest is a request of both methods.
type macRequest interface {
	GetKeyId() string
	GetMessage() []byte
	GetMacAlgorithm() hmacdv1.MacAlgorithm
}

// mac checks a request with the CRC32C sum of its message, and computes the MAC.
func (f *Fake) mac(ctx context.Context, fault Fault, r macRequest, sum *uint32) ([]byte, error) {
	if err := grpc.SetTrailer(ctx, metadata.Pairs("x-request-id", requestID)); err != nil {
		return nil, err
	}
	if err := fault.apply(ctx); err != nil {
		return nil, err
	}
	key, found := f.keys[r.GetKeyId()]
	switch {
	case r.GetKeyId() == "" || r.GetMacAlgorithm() == hmacdv1.MacAlgorithm_MAC_ALGORITHM_UNSPECIFIED,
		len(r.GetMessage()) == 0:
		return nil, refusal(hmacd.ReasonInvalidField)
	case len(r.GetMessage()) > maxMessageBytes:
		return nil, refusalWith(hmacd.ReasonMessageTooLong, map[string]string{
			"maximum": strconv.Itoa(maxMessageBytes), "given": strconv.Itoa(len(r.GetMessage())),
		})
	case sum != nil && *sum != crc32c(r.GetMessage()):
		return nil, refusal(hmacd.ReasonChecksumMismatch)
	case bytes.HasPrefix(r.GetMessage(), []byte("hmacd check value v1\x00")):
		return nil, refusal(hmacd.ReasonReservedMessage)
	case !found:
		return nil, refusal(hmacd.ReasonKeyNotFound)
	case hmacd.Algorithm(r.GetMacAlgorithm()) != key.Algorithm:
		return nil, refusal(hmacd.ReasonInvalidKeyUsage)
	}
	mac := hmac.New(hashes[key.Algorithm], key.Secret)
	mac.Write(r.GetMessage())
	return mac.Sum(nil), nil
}

type keyService struct {
	hmacdv1.UnimplementedKeyServiceServer
	fake *Fake
}

func (s keyService) DescribeKey(_ context.Context, r *hmacdv1.DescribeKeyRequest) (*hmacdv1.DescribeKeyResponse, error) {
	key, found := s.fake.keys[r.GetKeyId()]
	if !found {
		return nil, refusal(hmacd.ReasonKeyNotFound)
	}
	return &hmacdv1.DescribeKeyResponse{KeyMetadata: &hmacdv1.KeyMetadata{
		KeyArn: arn(r.GetKeyId()), KeyState: hmacdv1.KeyState_KEY_STATE_ENABLED,
		MacAlgorithms: []hmacdv1.MacAlgorithm{hmacdv1.MacAlgorithm(key.Algorithm)},
	}}, nil
}

func arn(name string) string { return "arn:aws:kms:us-east-1:000000000000:key/" + name }

func crc32c(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }
