package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"hmacd.dev/bench/pki"
)

// nobody is the uid of the modest caller on the Unix socket, if this program runs as root.
const nobody = 65534

// authorityName is the common name of the authority in client_ca.
const authorityName = "abuse"

// world is the configuration of attackers and of the modest caller.
type world struct {
	Dir                string
	AWS, GRPC, Socket  string
	Metrics            string
	Region             string
	GreedyID, GreedyPw string // Access keys.
	ModestID, ModestPw string
	Key, LongKey       string // The second has the longest description.
	Size               float64
	Patience           time.Duration // The timeout of a call of the modest caller.
	ScrapePatience     time.Duration // The timeout of a scrape of the modest caller.
	OtherUID           bool          // Whether modest caller and attacker are different users.
	Seed               int64

	tlsMutex sync.Mutex
	tls      map[string]*tls.Config
}

func readWorld(file string) *world {
	text, err := os.ReadFile(file)
	check(err)
	w := &world{}
	check(json.Unmarshal(text, w))
	return w
}

func (w *world) write() string {
	text, err := json.Marshal(w)
	check(err)
	file := filepath.Join(w.Dir, "world.json")
	check(os.WriteFile(file, text, 0o644))
	return file
}

func (w *world) file(name string) string { return filepath.Join(w.Dir, name) }

// tlsOf returns the TLS configuration for a certificate: greedy, modest or none. The principal of none
// has no rule.
func (w *world) tlsOf(name string) *tls.Config {
	w.tlsMutex.Lock()
	defer w.tlsMutex.Unlock()
	if w.tls == nil {
		w.tls = map[string]*tls.Config{}
	}
	if w.tls[name] == nil {
		config, err := pki.ClientConfig(w.file("tls/ca.pem"), w.file("tls/"+name+".pem"), w.file("tls/"+name+"-key.pem"))
		check(err)
		w.tls[name] = config
	}
	return w.tls[name]
}

// makeWorld writes certificates and a configuration with the default limits into the folder of hmacd dev.
func makeWorld(o options) *world {
	dir, err := filepath.Abs(o.dir)
	check(err)
	w := &world{
		Dir: dir, Region: "us-east-1", Size: float64(o.times), OtherUID: os.Getuid() == 0, Seed: o.seed,
		Socket: filepath.Join(dir, "abuse.sock"), AWS: freeAddress(), GRPC: freeAddress(), Metrics: freeAddress(),
		Patience: modestLimit, ScrapePatience: scrapeLimit,
	}
	if o.short || o.soak > 0 && o.soak < 60 {
		// These runs are tests, which must pass on a busy machine.
		w.Patience *= 6
		w.ScrapePatience *= 6
	}
	if o.short {
		w.Size /= 20
	}
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	check(err)
	variables := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^export ([A-Z0-9_]+)='([^']*)'$`).FindAllStringSubmatch(string(env), -1) {
		variables[m[1]] = m[2]
	}
	w.GreedyID, w.GreedyPw = variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
	w.ModestID, w.ModestPw = variables["HMACD_AKID2"], variables["HMACD_SECRET2"]
	check(os.Chmod(dir, 0o711)) // The modest caller is another user.
	certificates(filepath.Join(dir, "tls"))
	dev, err := os.ReadFile(filepath.Join(dir, "hmacd.yaml"))
	check(err)
	token := regexp.MustCompile(`(?m)^token: .*$`).FindString(string(dev))
	check(os.WriteFile(filepath.Join(dir, "abuse.yaml"), fmt.Appendf(nil, `
grpc:
  listen: %s
  tls: {certificate: tls/server.pem, private_key: tls/server-key.pem, client_ca: tls/ca.pem}
  unix_socket: {path: %s, mode: rw-rw-rw-}
  reflection: true
%s
registry: {path: registry.db}
arn: {region: us-east-1, account: "000000000000"}
aws_kms: {listen: "%s"}
metrics: {listen: "%s"}
access:
  rules:
    - principals: ["spiffe://abuse/greedy", "uid:%d", "arn:aws:iam::000000000000:user/dev"]
      actions: ["*"]
      keys: ["*"]
    - principals: ["spiffe://abuse/modest", "uid:%d", "arn:aws:iam::000000000000:user/nobody"]
      actions: [GenerateMac]
      keys: ["*"]
`, w.GRPC, w.Socket, token, w.AWS, w.Metrics, os.Getuid(), nobody), 0o600))
	return w
}

func freeAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	defer listener.Close()
	return listener.Addr().String()
}

func certificates(dir string) {
	check(os.MkdirAll(dir, 0o755))
	authority, err := pki.NewAuthority(authorityName)
	check(err)
	check(pki.WriteAuthorities(filepath.Join(dir, "ca.pem"), authority))
	check(authority.IssueServer(dir, "server"))
	for _, name := range []string{"greedy", "modest", "none"} {
		check(authority.IssueClient(dir, name, &url.URL{Scheme: "spiffe", Host: "abuse", Path: "/" + name}))
	}
	if os.Getuid() == 0 {
		check(os.Chown(filepath.Join(dir, "modest-key.pem"), nobody, nobody))
	}
}

// signed is a request to the AWS edge with its signature (Signature Version 4).
type signed struct {
	fields [][2]string // Names in lowercase; host is the first.
	body   string
}

func (w *world) sign(id, secret, operation, body string) signed {
	now := time.Now().UTC().Format("20060102T150405Z")
	scope := now[:8] + "/" + w.Region + "/kms/aws4_request"
	s := signed{fields: [][2]string{
		{"host", w.AWS}, {"x-amz-date", now}, {"x-amz-target", "TrentService." + operation},
	}, body: body}
	var canonical, names strings.Builder
	for i, f := range s.fields {
		fmt.Fprintf(&canonical, "%s:%s\n", f[0], f[1])
		if i > 0 {
			names.WriteByte(';')
		}
		names.WriteString(f[0])
	}
	request := "POST\n/\n\n" + canonical.String() + "\n" + names.String() + "\n" + hexSHA256(body)
	key := []byte("AWS4" + secret)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+now+"\n"+scope+"\n"+hexSHA256(request)))
	s.fields = append(s.fields, [2]string{"authorization", fmt.Sprintf(
		"AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", id, scope, names.String(), signature)})
	return s
}

// http1 returns the request in HTTP/1.1.
func (s signed) http1() []byte {
	var b strings.Builder
	b.WriteString("POST / HTTP/1.1\r\n")
	for _, f := range s.fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	fmt.Fprintf(&b, "content-length: %d\r\n\r\n%s", len(s.body), s.body)
	return []byte(b.String())
}

// http2Fields returns the header fields of the request in HTTP/2.
func (s signed) http2Fields() [][2]string {
	return append([][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", s.fields[0][1]},
	}, s.fields[1:]...)
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hexSHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (w *world) macJSON() string {
	return `{"KeyId":"` + w.Key + `","Message":"aGVsbG8=","MacAlgorithm":"HMAC_SHA_256"}`
}

// generateMac returns a GenerateMacRequest in a gRPC frame.
func (w *world) generateMac() []byte {
	message := field(nil, 1, []byte(w.Key))
	message = field(message, 2, []byte("hello"))
	return grpcFrame(append(message, 3<<3, 2)) // HMAC_SHA_256
}

// field appends a length-delimited protobuf field.
func field(message []byte, number int, value []byte) []byte {
	message = append(message, byte(number<<3|2))
	length := len(value)
	for ; length > 0x7f; length >>= 7 {
		message = append(message, byte(length|0x80))
	}
	return append(append(message, byte(length)), value...)
}

func grpcFrame(message []byte) []byte {
	n := len(message)
	return append([]byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, message...)
}
