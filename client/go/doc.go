// Package hmacd is a client of hmacd, a daemon that computes HMACs under keys in an HSM.
//
// A [Client] is created once and shared:
//
//	client, err := hmacd.New(hmacd.ConfigFromEnv())
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	key := client.Key("alias/orders", hmacd.HMACSHA256)
//	mac, err := key.Generate(ctx, message)
//
// [Key.Verify] has three outcomes. Without an error, the MAC is right. With [ErrInvalidMAC], the MAC
// is wrong. Any other error is no verdict: do not treat it as a wrong MAC or as a right MAC.
//
// Each call has a deadline, and CRC32C checksums in both directions. The client retries a call on
// another daemon if a retry is safe. client/BEHAVIOR.md of the repository has the rules.
package hmacd

const version = "0.1.0"
