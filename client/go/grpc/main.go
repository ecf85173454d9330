// The command grpc generates and verifies a MAC with hmacd: grpc [KEY MESSAGE]
//
// Without a key, it creates one. The file "env" of hmacd dev sets the address and the certificates
// of hmacd in the environment.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"os"

	hmacd "hmacd.dev/client/go"
	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, arguments []string) error {
	client, err := hmacd.New(hmacd.ConfigFromEnv())
	if err != nil {
		return err
	}
	defer client.Close()

	name, message := "", []byte("pay 100 EUR to account 4711")
	if len(arguments) == 2 {
		name, message = arguments[0], []byte(arguments[1])
	} else {
		// The stubs of all services work over the client.
		created, err := hmacdv1.NewKeyServiceClient(client).CreateKey(ctx,
			&hmacdv1.CreateKeyRequest{KeySpec: hmacdv1.KeySpec_KEY_SPEC_HMAC_256})
		if err != nil {
			return err
		}
		name = created.GetKeyMetadata().GetKeyId()
		fmt.Println("key", name)
	}

	key := client.Key(name, hmacd.HMACSHA256)
	mac, err := key.Generate(ctx, message)
	if err != nil {
		return err
	}
	fmt.Println("mac", hex.EncodeToString(mac))

	// Without an error, the MAC is right.
	if err := key.Verify(ctx, message, mac); err != nil {
		return err
	}
	fmt.Println("verified")

	err = key.Verify(ctx, append([]byte("not "), message...), mac)
	if !errors.Is(err, hmacd.ErrInvalidMAC) { // Another error is no verdict. Success is a fault here.
		return fmt.Errorf("a changed message was not refused: %w", err)
	}
	fmt.Println("refused", err)
	return nil
}
