package hmacd_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	hmacd "hmacd.dev/client/go"
	"hmacd.dev/client/go/hmacdjwt"
	"hmacd.dev/client/go/webhook"
)

func ExampleKey_Verify() {
	client, err := hmacd.New(hmacd.ConfigFromEnv())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	key := client.Key("alias/orders", hmacd.HMACSHA256)
	mac, err := key.Generate(context.Background(), []byte("pay 100 EUR"))
	if err != nil {
		log.Fatal(err)
	}
	switch err := key.Verify(context.Background(), []byte("pay 100 EUR"), mac); {
	case err == nil:
		fmt.Println("The MAC is right.")
	case errors.Is(err, hmacd.ErrInvalidMAC):
		fmt.Println("The MAC is wrong.")
	default:
		fmt.Println("No verdict:", err)
	}
}

// A server that accepts signed webhooks only.
func Example_webhook() {
	client, err := hmacd.New(hmacd.ConfigFromEnv())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	verified := webhook.Middleware(webhook.Standard, client.Key("alias/webhooks", hmacd.HMACSHA256))
	http.Handle("POST /hooks", verified(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent) // r.Body is verified.
	})))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}

// A server that issues and verifies JSON Web Tokens.
func Example_jwt() {
	ctx := context.Background()
	client, err := hmacd.New(hmacd.ConfigFromEnv())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	keys := map[string]*hmacd.Key{"k1": client.Key("alias/tokens", hmacd.HMACSHA256)}
	claims := jwt.MapClaims{"sub": "4711", "exp": jwt.NewNumericDate(time.Now().Add(time.Hour))}
	token, err := hmacdjwt.Sign(ctx, "k1", keys["k1"], claims)
	if err != nil {
		log.Fatal(err)
	}
	_, err = jwt.Parse(token, hmacdjwt.Keyfunc(ctx, keys), jwt.WithExpirationRequired())
	switch {
	case err == nil:
		fmt.Println("The token is right.")
	case hmacd.NoVerdict(err):
		fmt.Println("503: no verdict")
	default:
		fmt.Println("401: the token is wrong")
	}
}
