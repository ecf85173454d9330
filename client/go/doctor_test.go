package hmacd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	hmacd "hmacd.dev/client/go"
	"hmacd.dev/client/go/hmacdtest"
	"hmacd.dev/client/go/internal/pki"
)

// healthy is a server with a health status.
type healthy struct {
	status grpc_health_v1.HealthCheckResponse_ServingStatus
}

func (h healthy) Register(server grpc.ServiceRegistrar) {
	service := health.NewServer()
	service.SetServingStatus("", h.status)
	grpc_health_v1.RegisterHealthServer(server, service)
}

func diagnose(t *testing.T, config hmacd.Config) string {
	t.Helper()
	lines := newClient(t, config).Doctor(t.Context())
	if len(lines) != len(config.Targets) {
		t.Fatalf("%d targets, but %q", len(config.Targets), lines)
	}
	return lines[0]
}

func TestDoctorNamesTheFirstCheckThatFails(t *testing.T) {
	const (
		serving    = grpc_health_v1.HealthCheckResponse_SERVING
		notServing = grpc_health_v1.HealthCheckResponse_NOT_SERVING
	)
	authority, other := pki.NewAuthority(t), pki.NewAuthority(t)
	good := authority.Issue(t, "127.0.0.1", time.Hour)
	server := func(pair pki.Pair, status grpc_health_v1.HealthCheckResponse_ServingStatus) string {
		return serveTLS(t, authority.Server(t, pair), healthy{status})
	}
	closed := listen(t, "tcp", "127.0.0.1:0")
	closed.Close()
	for name, test := range map[string]struct {
		ca     []byte
		client pki.Pair
		target string
		want   string
	}{
		"ok":             {authority.PEM, good, server(good, serving), "ok: TARGET, client certificate until 2"},
		"name":           {authority.PEM, good, "a..b:1", "failed: TARGET, name: "},
		"connection":     {authority.PEM, good, closed.Addr().String(), "failed: TARGET, connection: "},
		"no TLS":         {authority.PEM, good, listen(t, "tcp", "127.0.0.1:0").Addr().String(), "failed: TARGET, TLS: no answer"},
		"not trusted":    {other.PEM, good, server(good, serving), "failed: TARGET, TLS: the certificate of the daemon is not trusted"},
		"another name":   {authority.PEM, good, server(authority.Issue(t, "127.0.0.2", time.Hour), serving), "failed: TARGET, TLS: the certificate of the daemon is for another name"},
		"client refused": {authority.PEM, other.Issue(t, "127.0.0.1", time.Hour), server(good, serving), "failed: TARGET, client certificate: the daemon refused the client certificate"},
		"not serving":    {authority.PEM, good, server(good, notServing), "failed: TARGET, health status: NOT_SERVING"},
		"no health":      {authority.PEM, good, serveTLS(t, authority.Server(t, good), hmacdtest.New(nil)), "failed: TARGET, health status: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			pki.Write(t, folder, test.ca, test.client)
			config := tlsConfig(folder, test.target)
			if name == "no TLS" {
				config.Timeout = 2 * time.Second
			}
			want := strings.Replace(test.want, "TARGET", test.target, 1)
			if line := diagnose(t, config); !strings.HasPrefix(line, want) || strings.Contains(line, "\n") {
				t.Errorf("want %q, got %q", want, line)
			}
		})
	}
}

func TestDoctorReadsTheFilesAgain(t *testing.T) {
	authority, folder := pki.NewAuthority(t), t.TempDir()
	pki.Write(t, folder, authority.PEM, authority.Issue(t, "127.0.0.1", time.Hour))
	client := newClient(t, tlsConfig(folder, "127.0.0.1:1"))
	pki.Write(t, folder, authority.PEM, authority.Issue(t, "127.0.0.1", -time.Minute))
	if line := client.Doctor(t.Context())[0]; !strings.Contains(line, "files: the certificate of CertFile expired") {
		t.Errorf("got %q", line)
	}
	if err := os.Remove(filepath.Join(folder, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	if line := client.Doctor(t.Context())[0]; !strings.Contains(line, "files: CAFile is not readable") {
		t.Errorf("got %q", line)
	}
}

func TestDoctorHasALineForEachTarget(t *testing.T) {
	serving := serve(t, healthy{grpc_health_v1.HealthCheckResponse_SERVING})
	client := newClient(t, hmacd.Config{Targets: []string{"unix:/missing/hmacd.sock", serving}})
	lines := client.Doctor(t.Context())
	if !strings.HasPrefix(lines[0], "failed: unix:/missing/hmacd.sock, connection: ") || lines[1] != "ok: "+serving+", SERVING" {
		t.Errorf("got %q", lines)
	}
	client.Close()
	if line := client.Doctor(t.Context())[1]; !strings.HasPrefix(line, "failed: "+serving+", client: ") {
		t.Errorf("got %q", line)
	}
}

func TestDoctorOfTheDaemon(t *testing.T) {
	config := daemonConfig(t)
	if line := diagnose(t, config); !strings.HasPrefix(line, "ok: "+config.Targets[0]) || !strings.HasSuffix(line, ", SERVING") {
		t.Errorf("got %q", line)
	}
}
