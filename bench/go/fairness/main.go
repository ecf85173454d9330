// Command fairness is the callers of scripts/bench-fairness, which starts it in one of three roles.
//
//	fairness certificates -dir DIR -callers N -names N  makes two authorities, and certificates for all callers
//	fairness modest [OPTION...]                         makes ten calls a second for each modest caller
//	fairness greedy [OPTION...]                         keeps many calls in flight
//
// The modest callers are open-loop: a late answer does not delay the next call. Both roles check every MAC.
// Their output is lines of JSON.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	hmacdv1 "hmacd.dev/bench/hmacd/v1"
	"hmacd.dev/bench/pki"
)

type settings struct {
	dir, address, ca, secret string
	callers, names           int
	seconds                  int
	seed                     uint64
	connections, streams     int
	resends                  int
}

func parse(arguments []string) settings {
	var s settings
	flags := flag.NewFlagSet("fairness", flag.ExitOnError)
	flags.StringVar(&s.dir, "dir", "", "folder with the certificates of the callers")
	flags.StringVar(&s.address, "address", "", "HOST:PORT of the daemon")
	flags.StringVar(&s.ca, "ca", "", "file with the authorities of the daemon's certificate")
	flags.StringVar(&s.secret, "secret", "", "file with the value of the key "+key)
	flags.IntVar(&s.callers, "callers", 9, "number of modest callers")
	flags.IntVar(&s.names, "names", 1, "number of principals of the greedy caller")
	flags.IntVar(&s.seconds, "seconds", 20, "duration of the calls of the modest callers")
	flags.Uint64Var(&s.seed, "seed", 1, "seed of the times of calls: the same seed gives the same times")
	flags.IntVar(&s.connections, "connections", 64, "connections of the greedy caller")
	flags.IntVar(&s.streams, "streams", 200, "calls in flight on each of these connections")
	flags.IntVar(&s.resends, "resends", 5000, "maximum number of refused calls that are sent again in a second")
	check(flags.Parse(arguments))
	return s
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("fairness: ")
	if len(os.Args) < 2 {
		log.Fatal("usage: fairness certificates|modest|greedy [OPTION...]")
	}
	s := parse(os.Args[2:])
	switch role := os.Args[1]; role {
	case "certificates":
		certificates(s)
	case "modest":
		modest(s)
	case "greedy":
		runGreedy(s)
	default:
		log.Fatalf("unknown role %s; the roles are certificates, modest, greedy", role)
	}
}

const key = "alias/bench"

func request(message []byte) *hmacdv1.GenerateMacRequest {
	return &hmacdv1.GenerateMacRequest{
		KeyId: key, Message: message, MacAlgorithm: hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_256,
	}
}

func (s settings) readSecret() []byte {
	secret, err := os.ReadFile(s.secret)
	check(err)
	return secret
}

func macOf(secret, message []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write(message)
	return m.Sum(nil)
}

func (s settings) tlsOf(name string) *tls.Config {
	config, err := pki.ClientConfig(s.ca, filepath.Join(s.dir, name+".pem"), filepath.Join(s.dir, name+"-key.pem"))
	check(err)
	return config
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func printJSON(value any) {
	text, err := json.Marshal(value)
	check(err)
	fmt.Println(string(text))
}
