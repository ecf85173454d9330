package hmacd

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSettingsOfTheEnvironment(t *testing.T) {
	environment := map[string]string{
		"HMACD_TARGET": "a.example:8443, unix:/run/hmacd.sock",
		"HMACD_CA":     "ca.pem", "HMACD_CERT": "cert.pem", "HMACD_KEY": "key.pem",
	}
	want := Config{
		Targets: []string{"a.example:8443", "unix:/run/hmacd.sock"},
		CAFile:  "ca.pem", CertFile: "cert.pem", KeyFile: "key.pem",
	}
	got := configFrom(func(name string) string { return environment[name] })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestDefaults(t *testing.T) {
	got, _, err := Config{Targets: []string{"unix:/s"}}.complete()
	want := Config{
		Targets: []string{"unix:/s"}, Timeout: 5 * time.Second, AttemptTimeout: time.Second,
		MaxMessageBytes: 65536, FileInterval: 2 * time.Second,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestLargestMaxMessageBytesIsAccepted(t *testing.T) {
	for _, most := range []int{1, 1 << 20} {
		got, _, err := Config{Targets: []string{"unix:/s"}, MaxMessageBytes: most}.complete()
		if err != nil || got.MaxMessageBytes != most {
			t.Errorf("got %d, %v", got.MaxMessageBytes, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, text := range []string{"a.example:1", "127.0.0.1:65535", "[::1]:8443", "unix:/run/s"} {
		if _, err := parseAddress(text); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"", "a", ":1", "a:0", "a:65536", "a:http", "https://a:1", "unix:s", "unix:", "a b:1", "::1:1"} {
		if got, err := parseAddress(text); err == nil {
			t.Errorf("%q was accepted as %+v", text, got)
		}
	}
}

func TestInvalidSettingIsNamedWithItsValue(t *testing.T) {
	targets := []string{"unix:/s"}
	for want, config := range map[string]Config{
		"Targets is empty":           {},
		"Targets has 17 daemons":     {Targets: make([]string, 17)},
		`Targets has "a"`:            {Targets: []string{"a"}},
		"Timeout is -1s":             {Targets: targets, Timeout: -time.Second},
		"AttemptTimeout is -1ns":     {Targets: targets, AttemptTimeout: -1},
		"MaxMessageBytes is -1":      {Targets: targets, MaxMessageBytes: -1},
		"MaxMessageBytes is 1048577": {Targets: targets, MaxMessageBytes: 1<<20 + 1},
		"FileInterval is 999ms":      {Targets: targets, FileInterval: 999 * time.Millisecond},
		"FileInterval is 5.001s":     {Targets: targets, FileInterval: 5001 * time.Millisecond},
		"CAFile is empty":            {Targets: []string{"a:1"}},
		"CAFile is not readable":     {Targets: []string{"a:1"}, CAFile: "/missing", CertFile: "/missing", KeyFile: "/missing"},
		"missing: no such file or":   {Targets: []string{"a:1"}, CAFile: "/missing", CertFile: "/missing", KeyFile: "/missing"},
	} {
		client, err := New(config)
		var refused *Error
		if !errors.As(err, &refused) || refused.Reason != ReasonInvalidArgument || !strings.Contains(refused.Text, want) {
			t.Errorf("want %q, got %v, %v", want, client, err)
		}
	}
}
