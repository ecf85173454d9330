// The command aws generates and verifies a MAC with AWS's SDK, as with AWS KMS: aws [KEY MESSAGE]
//
// Without a key, it creates one. AWS_ENDPOINT_URL_KMS sets the endpoint of hmacd.
// The file "env" of hmacd dev sets it, and also an access key and the region.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, arguments []string) error {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := kms.NewFromConfig(settings)

	var keyID *string
	message := []byte("pay 100 EUR to account 4711")
	if len(arguments) == 2 {
		keyID, message = &arguments[0], []byte(arguments[1])
	} else {
		created, err := client.CreateKey(ctx, &kms.CreateKeyInput{
			KeySpec:  types.KeySpecHmac256,
			KeyUsage: types.KeyUsageTypeGenerateVerifyMac,
		})
		if err != nil {
			return err
		}
		keyID = created.KeyMetadata.KeyId
		fmt.Println("key", *keyID)
	}

	generated, err := client.GenerateMac(ctx, &kms.GenerateMacInput{
		KeyId:        keyID,
		Message:      message,
		MacAlgorithm: types.MacAlgorithmSpecHmacSha256,
	})
	if err != nil {
		return err
	}
	fmt.Println("mac", hex.EncodeToString(generated.Mac))

	// An answer without an error means that the MAC is correct.
	request := &kms.VerifyMacInput{
		KeyId:        keyID,
		Message:      message,
		MacAlgorithm: types.MacAlgorithmSpecHmacSha256,
		Mac:          generated.Mac,
	}
	if _, err := client.VerifyMac(ctx, request); err != nil {
		return err
	}
	fmt.Println("verified")

	request.Message = append([]byte("not "), message...)
	_, err = client.VerifyMac(ctx, request)
	var wrong *types.KMSInvalidMacException
	if !errors.As(err, &wrong) { // Another error does not mean that the MAC is wrong. Success is a fault here.
		return fmt.Errorf("a changed message was not refused: %w", err)
	}
	fmt.Println("refused", wrong.ErrorCode())
	return nil
}
