package hmacd

import (
	"context"
	"hash/crc32"
	"sync/atomic"
	"time"

	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

// Key is a key with its algorithm. It is safe for concurrent use.
type Key struct {
	client    *Client
	name      string
	algorithm Algorithm
	arn       atomic.Pointer[string]
}

// OpenKey returns the key with the algorithm and the ARN of DescribeKey. The caller needs permission
// for DescribeKey.
func (c *Client) OpenKey(ctx context.Context, name string) (*Key, error) {
	answer, err := hmacdv1.NewKeyServiceClient(c).DescribeKey(ctx, &hmacdv1.DescribeKeyRequest{KeyId: name})
	if err != nil {
		return nil, err
	}
	algorithms := answer.GetKeyMetadata().GetMacAlgorithms()
	if len(algorithms) != 1 || Algorithm(algorithms[0]).Size() == 0 {
		return nil, invalidArgument("the key has the algorithms %v, but this version of the client needs one that it knows", algorithms)
	}
	key := c.Key(name, Algorithm(algorithms[0]))
	key.answered(answer.GetKeyMetadata().GetKeyArn())
	return key, nil
}

// Algorithm returns the algorithm of the key.
func (k *Key) Algorithm() Algorithm { return k.algorithm }

// ARN returns the ARN of the key in the last answer. It is empty before the first answer.
func (k *Key) ARN() string {
	if arn := k.arn.Load(); arn != nil {
		return *arn
	}
	return ""
}

// MaxMessageBytes returns [Config.MaxMessageBytes] of the client.
func (k *Key) MaxMessageBytes() int { return k.client.config.MaxMessageBytes }

// Timeout returns [Config.Timeout] of the client.
func (k *Key) Timeout() time.Duration { return k.client.config.Timeout }

// Generate returns the MAC of a message of 1 to [Config.MaxMessageBytes] bytes. The MAC has
// [Algorithm.Size] bytes. The error is an [*Error].
func (k *Key) Generate(ctx context.Context, message []byte) ([]byte, error) {
	if err := k.check(message); err != nil {
		return nil, err
	}
	sum := crc32c(message)
	answer := &hmacdv1.GenerateMacResponse{}
	err := k.client.call(ctx, operation{
		method: hmacdv1.MacService_GenerateMac_FullMethodName,
		request: &hmacdv1.GenerateMacRequest{
			KeyId: k.name, Message: message, MacAlgorithm: k.algorithm.proto(), MessageCrc32C: &sum,
		},
		answer: answer,
		undamaged: func() bool {
			return answer.GetVerifiedMessageCrc32C() && answer.GetMacCrc32C() == crc32c(answer.GetMac()) &&
				answer.GetMacAlgorithm() == k.algorithm.proto() && len(answer.GetMac()) == k.algorithm.Size()
		},
	})
	if err != nil {
		return nil, err
	}
	k.answered(answer.GetKeyId())
	return answer.GetMac(), nil
}

// Verify returns nil only if the daemon has confirmed that mac is the MAC of the message. The error
// matches [ErrInvalidMAC] only if the MAC is wrong. Any other error is no verdict. All errors are
// [*Error].
func (k *Key) Verify(ctx context.Context, message, mac []byte) error {
	if err := k.check(message); err != nil {
		return err
	}
	if len(mac) != k.algorithm.Size() {
		return &Error{Reason: ReasonKMSInvalidMAC, Text: "the MAC has another length than that of the algorithm"}
	}
	messageSum, macSum := crc32c(message), crc32c(mac)
	answer := &hmacdv1.VerifyMacResponse{}
	err := k.client.call(ctx, operation{
		method: hmacdv1.MacService_VerifyMac_FullMethodName,
		request: &hmacdv1.VerifyMacRequest{
			KeyId: k.name, Message: message, MacAlgorithm: k.algorithm.proto(), Mac: mac,
			MessageCrc32C: &messageSum, MacCrc32C: &macSum,
		},
		answer: answer,
		undamaged: func() bool {
			return answer.GetMacValid() && answer.GetVerifiedMessageCrc32C() && answer.GetVerifiedMacCrc32C() &&
				answer.GetMacAlgorithm() == k.algorithm.proto()
		},
	})
	if err != nil {
		return err
	}
	k.answered(answer.GetKeyId())
	return nil
}

// check refuses a message or an algorithm before the call.
func (k *Key) check(message []byte) error {
	limit := k.client.config.MaxMessageBytes
	switch {
	case k.algorithm.Size() == 0:
		return invalidArgument("%v is not an algorithm of hmacd", k.algorithm)
	case len(message) == 0:
		return invalidArgument("the message is empty, but must have 1 to %d bytes", limit)
	case len(message) > limit:
		tooLong := &MessageTooLongError{Limit: limit, Size: len(message)}
		return &Error{Reason: ReasonMessageTooLong, Text: "the message is too long: " + tooLong.Error(), cause: tooLong}
	default:
		return nil
	}
}

func (k *Key) answered(arn string) { k.arn.Store(&arn) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c is the checksum of the fields of hmacd's API (RFC 3720).
func crc32c(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }
