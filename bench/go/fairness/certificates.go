package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"hmacd.dev/bench/pki"
)

func modestName(caller int) string { return fmt.Sprintf("modest-%d", caller) }

// greedyNames returns the names of the greedy caller's certificates. The authority of the modest callers
// issued the certificate of a greedy caller with one name. Another authority issued those of a greedy caller
// with many names.
func greedyNames(count int) []string {
	if count == 1 {
		return []string{"greedy-alone"}
	}
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("greedy-%d", i))
	}
	return names
}

// certificates writes the certificates of all callers, and client-ca.pem with both authorities.
func certificates(s settings) {
	check(os.MkdirAll(s.dir, 0o700))
	ofModest, err := pki.NewAuthority("issuer of the modest callers")
	check(err)
	ofGreedy, err := pki.NewAuthority("issuer of the greedy caller")
	check(err)
	check(pki.WriteAuthorities(filepath.Join(s.dir, "client-ca.pem"), ofModest, ofGreedy))
	for i := range s.callers {
		check(ofModest.IssueClient(s.dir, modestName(i), spiffe("modest", modestName(i))))
	}
	for _, name := range greedyNames(1) {
		check(ofModest.IssueClient(s.dir, name, spiffe("greedy", name)))
	}
	for _, name := range greedyNames(s.names) {
		check(ofGreedy.IssueClient(s.dir, name, spiffe("greedy", name)))
	}
}

func spiffe(kind, name string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: "fairness", Path: "/" + kind + "/" + name}
}
