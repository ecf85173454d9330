// The command grpc generates and verifies a MAC with hmacd: grpc [KEY MESSAGE]
//
// Without a key, it creates one. The file "env" of hmacd dev sets the address and the certificates
// of hmacd in the environment.
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"os"

	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, arguments []string) error {
	conn, err := connect(fromEnv())
	if err != nil {
		return err
	}
	defer conn.Close()
	keys := hmacdv1.NewKeyServiceClient(conn)
	macs := hmacdv1.NewMacServiceClient(conn)

	keyID, message := "", []byte("pay 100 EUR to account 4711")
	if len(arguments) == 2 {
		keyID, message = arguments[0], []byte(arguments[1])
	} else {
		created, err := keys.CreateKey(ctx, &hmacdv1.CreateKeyRequest{KeySpec: hmacdv1.KeySpec_KEY_SPEC_HMAC_256})
		if err != nil {
			return err
		}
		keyID = created.GetKeyMetadata().GetKeyId()
		fmt.Println("key", keyID)
	}

	generated, err := macs.GenerateMac(ctx, &hmacdv1.GenerateMacRequest{
		KeyId:        keyID,
		Message:      message,
		MacAlgorithm: hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_256,
	})
	if err != nil {
		return err
	}
	fmt.Println("mac", hex.EncodeToString(generated.GetMac()))

	// An answer without an error means that the MAC is correct. No field needs a check.
	request := &hmacdv1.VerifyMacRequest{
		KeyId:        keyID,
		Message:      message,
		MacAlgorithm: hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_256,
		Mac:          generated.GetMac(),
	}
	if _, err := macs.VerifyMac(ctx, request); err != nil {
		return err
	}
	fmt.Println("verified")

	request.Message = append([]byte("not "), message...)
	_, err = macs.VerifyMac(ctx, request)
	switch reason(err) {
	case "KMS_INVALID_MAC":
		fmt.Println("refused", reason(err))
		return nil
	default: // Another error does not mean that the MAC is wrong. Success is a fault here.
		return fmt.Errorf("a changed message was not refused: %w", err)
	}
}
