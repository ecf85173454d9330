package hmacd_test

import (
	"context"
	"errors"
	"hash/crc32"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	hmacd "hmacd.dev/client/go"
	hmacdv1 "hmacd.dev/client/go/hmacd/v1"
	"hmacd.dev/client/go/hmacdtest"
)

const keyName = "alias/orders"

var (
	message    = []byte("pay 100 EUR to account 4711")
	secretKeys = map[string]hmacdtest.Key{keyName: {Algorithm: hmacd.HMACSHA256, Secret: []byte("secret of the key")}}
)

// newClient returns a client until the end of the test.
func newClient(t *testing.T, config hmacd.Config) *hmacd.Client {
	t.Helper()
	client, err := hmacd.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func newKey(t *testing.T, config hmacd.Config) *hmacd.Key {
	t.Helper()
	return newClient(t, config).Key(keyName, hmacd.HMACSHA256)
}

// with returns the settings of a client of several fakes. No attempt ends early on a busy machine.
func with(timeout time.Duration, fakes ...*hmacdtest.Fake) hmacd.Config {
	config := hmacd.Config{Timeout: timeout, AttemptTimeout: time.Minute}
	for _, fake := range fakes {
		config.Targets = append(config.Targets, fake.Config().Targets...)
	}
	return config
}

// expectError returns the error, which must have the reason.
func expectError(t *testing.T, err error, reason hmacd.Reason) *hmacd.Error {
	t.Helper()
	var failed *hmacd.Error
	if !errors.As(err, &failed) || failed.Reason != reason {
		t.Fatalf("want %s, got %v", reason, err)
	}
	return failed
}

func generate(t *testing.T, key *hmacd.Key) []byte {
	t.Helper()
	mac, err := key.Generate(t.Context(), message)
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

func TestKeyHasTheARNOfItsLastAnswer(t *testing.T) {
	client := hmacdtest.Start(t, secretKeys).Client(t)
	bound := client.Key(keyName, hmacd.HMACSHA256)
	if bound.ARN() != "" {
		t.Errorf("got %q before a call", bound.ARN())
	}
	generate(t, bound)
	opened, err := client.OpenKey(t.Context(), keyName)
	if err != nil {
		t.Fatal(err)
	}
	if bound.ARN() == "" || bound.ARN() != opened.ARN() || opened.Algorithm() != hmacd.HMACSHA256 {
		t.Errorf("got %q, %q, %v", bound.ARN(), opened.ARN(), opened.Algorithm())
	}
	_, err = client.OpenKey(t.Context(), "alias/missing")
	expectError(t, err, hmacd.ReasonKeyNotFound)
}

func TestFakeRefusesALongMessage(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	config := fake.Config()
	config.MaxMessageBytes = 1 << 20
	key := newKey(t, config)
	if _, err := key.Generate(t.Context(), make([]byte, 65536)); err != nil {
		t.Error(err)
	}
	_, err := key.Generate(t.Context(), make([]byte, 65537))
	got := expectError(t, err, hmacd.ReasonMessageTooLong)
	var tooLong *hmacd.MessageTooLongError
	if !errors.As(err, &tooLong) || tooLong.Limit != 65536 || tooLong.Size != 65537 || got.Attempts != 1 || got.MayHaveRun {
		t.Errorf("got %+v", got)
	}
}

func TestInvalidArgumentsAreRefusedWithoutACall(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	key := fake.Client(t).Key(keyName, hmacd.HMACSHA256)
	for _, call := range []func([]byte) error{
		func(m []byte) error { _, err := key.Generate(t.Context(), m); return err },
		func(m []byte) error { return key.Verify(t.Context(), m, make([]byte, 32)) },
	} {
		expectError(t, call(nil), hmacd.ReasonInvalidArgument)
		err := call(make([]byte, 65537))
		expectError(t, err, hmacd.ReasonMessageTooLong)
		var tooLong *hmacd.MessageTooLongError
		if !errors.As(err, &tooLong) || tooLong.Limit != 65536 || tooLong.Size != 65537 {
			t.Errorf("got %v", err)
		}
	}
	_, err := fake.Client(t).Key(keyName, 0).Generate(t.Context(), message)
	expectError(t, err, hmacd.ReasonInvalidArgument)
	expectError(t, key.Verify(t.Context(), message, make([]byte, 31)), hmacd.ReasonKMSInvalidMAC)
	if fake.Calls() != 0 {
		t.Errorf("%d calls", fake.Calls())
	}
}

// TestOnlyAWrongMACIsInvalidMAC covers all reasons of the daemon.
func TestOnlyAWrongMACIsInvalidMAC(t *testing.T) {
	mac := generate(t, hmacdtest.Start(t, secretKeys).Client(t).Key(keyName, hmacd.HMACSHA256))
	for number, name := range hmacdv1.ErrorReason_name {
		if number == 0 {
			continue
		}
		reason := hmacd.Reason(strings.TrimPrefix(name, "ERROR_REASON_"))
		failing := hmacdtest.Start(t, secretKeys)
		failing.Next(200, hmacdtest.Fail(reason))
		err := newKey(t, with(200*time.Millisecond, failing)).Verify(t.Context(), message, mac)
		isWrong := reason == hmacd.ReasonKMSInvalidMAC
		if errors.Is(err, hmacd.ErrInvalidMAC) != isWrong || hmacd.NoVerdict(err) == isWrong {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

func TestErrorHasItsFields(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	fake.Next(1, hmacdtest.Fail(hmacd.ReasonTokenBusy))
	fake.Next(1, hmacdtest.Fail(hmacd.ReasonAccessDenied))
	_, err := newKey(t, fake.Config()).Generate(t.Context(), message)
	got := expectError(t, err, hmacd.ReasonAccessDenied)
	if got.Retryable || got.MayHaveRun || got.Target != fake.Config().Targets[0] || got.Attempts != 2 || got.RequestID == "" {
		t.Errorf("got %+v", got)
	}
	if want := "ACCESS_DENIED: ordered by the test (target " + got.Target + ", 2 attempts)"; err.Error() != want {
		t.Errorf("want %q, got %q", want, err)
	}
}

func TestEarlierAttemptMayHaveRun(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	fake.Next(1, hmacdtest.Fail(hmacd.ReasonTokenUnavailable))
	fake.Next(1, hmacdtest.Fail(hmacd.ReasonAccessDenied))
	_, err := newKey(t, fake.Config()).Generate(t.Context(), message)
	if got := expectError(t, err, hmacd.ReasonAccessDenied); !got.MayHaveRun {
		t.Errorf("got %+v", got)
	}
}

func TestDamageInTransitIsRepeatedOnce(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	key := newKey(t, fake.Config())
	mac := generate(t, key)
	for name, call := range map[string]func() error{
		"generate": func() error { _, err := key.Generate(t.Context(), message); return err },
		"verify":   func() error { return key.Verify(t.Context(), message, mac) },
	} {
		for _, fault := range []hmacdtest.Fault{hmacdtest.DamagedCRC32C(), hmacdtest.Fail(hmacd.ReasonChecksumMismatch)} {
			fake.Next(1, fault)
			if err := call(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			fake.Next(2, fault)
			if got := expectError(t, call(), hmacd.ReasonChecksumMismatch); got.Attempts != 2 {
				t.Errorf("%s: got %+v", name, got)
			}
		}
	}
}

// answering is a server with fixed answers.
type answering struct {
	hmacdv1.UnimplementedMacServiceServer
	generate *hmacdv1.GenerateMacResponse
	verify   *hmacdv1.VerifyMacResponse
}

func (a answering) GenerateMac(context.Context, *hmacdv1.GenerateMacRequest) (*hmacdv1.GenerateMacResponse, error) {
	return a.generate, nil
}

func (a answering) VerifyMac(context.Context, *hmacdv1.VerifyMacRequest) (*hmacdv1.VerifyMacResponse, error) {
	return a.verify, nil
}

func TestAnswerThatIsNotConfirmedIsDamage(t *testing.T) {
	const sha256, sha512 = hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_256, hmacdv1.MacAlgorithm_MAC_ALGORITHM_HMAC_SHA_512
	mac := make([]byte, 32)
	sum := crc32.Checksum(mac, crc32.MakeTable(crc32.Castagnoli))
	call := func(server answering) (generated, verified error) {
		key := newKey(t, hmacd.Config{Targets: []string{serve(t, server)}})
		_, generated = key.Generate(t.Context(), message)
		return generated, key.Verify(t.Context(), message, mac)
	}
	generated, verified := call(answering{
		generate: &hmacdv1.GenerateMacResponse{Mac: mac, MacAlgorithm: sha256, MacCrc32C: sum, VerifiedMessageCrc32C: true},
		verify:   &hmacdv1.VerifyMacResponse{MacValid: true, MacAlgorithm: sha256, VerifiedMessageCrc32C: true, VerifiedMacCrc32C: true},
	})
	if generated != nil || verified != nil {
		t.Fatalf("got %v, %v", generated, verified)
	}
	for _, damaged := range []answering{
		{generate: &hmacdv1.GenerateMacResponse{}, verify: &hmacdv1.VerifyMacResponse{}},
		{
			generate: &hmacdv1.GenerateMacResponse{Mac: mac, MacAlgorithm: sha256, MacCrc32C: sum + 1, VerifiedMessageCrc32C: true},
			verify:   &hmacdv1.VerifyMacResponse{MacAlgorithm: sha256, VerifiedMessageCrc32C: true, VerifiedMacCrc32C: true},
		},
		{
			generate: &hmacdv1.GenerateMacResponse{Mac: mac, MacAlgorithm: sha256, MacCrc32C: sum},
			verify:   &hmacdv1.VerifyMacResponse{MacValid: true, MacAlgorithm: sha256, VerifiedMacCrc32C: true},
		},
		{
			generate: &hmacdv1.GenerateMacResponse{Mac: mac[:31], MacAlgorithm: sha256, MacCrc32C: crc32.Checksum(mac[:31], crc32.MakeTable(crc32.Castagnoli)), VerifiedMessageCrc32C: true},
			verify:   &hmacdv1.VerifyMacResponse{MacValid: true, MacAlgorithm: sha256, VerifiedMessageCrc32C: true},
		},
		{
			generate: &hmacdv1.GenerateMacResponse{Mac: mac, MacAlgorithm: sha512, MacCrc32C: sum, VerifiedMessageCrc32C: true},
			verify:   &hmacdv1.VerifyMacResponse{MacValid: true, MacAlgorithm: sha512, VerifiedMessageCrc32C: true, VerifiedMacCrc32C: true},
		},
	} {
		generated, verified := call(damaged)
		expectError(t, generated, hmacd.ReasonChecksumMismatch)
		expectError(t, verified, hmacd.ReasonChecksumMismatch)
	}
}

func TestDamagedAnswersOfTheStubsAreErrors(t *testing.T) {
	client := newClient(t, hmacd.Config{Targets: []string{serve(t, answering{
		generate: &hmacdv1.GenerateMacResponse{Mac: []byte{1}, MacCrc32C: 1},
		verify:   &hmacdv1.VerifyMacResponse{},
	})}})
	macs := hmacdv1.NewMacServiceClient(client)
	_, err := macs.GenerateMac(t.Context(), &hmacdv1.GenerateMacRequest{})
	expectError(t, err, hmacd.ReasonChecksumMismatch)
	_, err = macs.VerifyMac(t.Context(), &hmacdv1.VerifyMacRequest{})
	expectError(t, err, hmacd.ReasonChecksumMismatch)
}

func TestOutageIsNoVerdict(t *testing.T) {
	t.Parallel()
	fake := hmacdtest.Start(t, secretKeys)
	key := newKey(t, with(2*time.Second, fake))
	fake.Stop()
	err := key.Verify(t.Context(), message, make([]byte, 32))
	got := expectError(t, err, hmacd.ReasonConnectionFailed)
	if got.MayHaveRun || !got.Retryable || errors.Is(err, hmacd.ErrInvalidMAC) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %+v", got)
	}
}

func TestCallWaitsForTheRestartOfItsOnlyTarget(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	key := newKey(t, with(time.Minute, fake))
	generate(t, key)
	fake.Stop()
	mac := make(chan error)
	go func() { mac <- key.Verify(t.Context(), message, make([]byte, 32)) }()
	fake.Restart(t)
	if err := <-mac; !errors.Is(err, hmacd.ErrInvalidMAC) {
		t.Errorf("want the verdict, got %v", err)
	}
}

func TestCallsUseTheOtherTargetWhileOneIsStopped(t *testing.T) {
	stopped, serving := hmacdtest.Start(t, secretKeys), hmacdtest.Start(t, secretKeys)
	key := newKey(t, with(time.Minute, stopped, serving))
	generate(t, key)
	generate(t, key)
	if stopped.Calls() != 1 || serving.Calls() != 1 {
		t.Errorf("want turns, got %d and %d calls", stopped.Calls(), serving.Calls())
	}
	stopped.Stop()
	for range 20 {
		generate(t, key)
	}
}

func TestSilentTargetIsLeftAfterTheAttemptTimeout(t *testing.T) {
	silent, serving := hmacdtest.Start(t, secretKeys), hmacdtest.Start(t, secretKeys)
	silent.Next(100, hmacdtest.NoAnswer())
	config := with(time.Minute, silent, serving)
	config.AttemptTimeout = 500 * time.Millisecond
	key := newKey(t, config)
	generate(t, key)
	generate(t, key)
	if silent.Calls() == 0 {
		t.Error("the silent target got no call")
	}
}

func TestStoppingTargetIsLeft(t *testing.T) {
	stopping, serving := hmacdtest.Start(t, secretKeys), hmacdtest.Start(t, secretKeys)
	stopping.Next(100, hmacdtest.Fail(hmacd.ReasonStopping))
	generate(t, newKey(t, with(time.Minute, stopping, serving)))
	if stopping.Calls() != 1 || serving.Calls() != 1 {
		t.Errorf("got %d and %d calls", stopping.Calls(), serving.Calls())
	}
}

func TestBusyTargetIsRepeatedAfterABackOff(t *testing.T) {
	for _, fault := range []hmacdtest.Fault{
		hmacdtest.Fail(hmacd.ReasonTokenBusy),
		hmacdtest.FailWith(status.Error(codes.Unavailable, "a proxy without a daemon")),
	} {
		fake := hmacdtest.Start(t, secretKeys)
		fake.Next(3, fault)
		generate(t, newKey(t, with(time.Minute, fake)))
		if fake.Calls() != 4 {
			t.Errorf("got %d calls", fake.Calls())
		}
	}
}

func TestLateAnswerIsUsed(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	fake.Next(1, hmacdtest.Late(20*time.Millisecond))
	generate(t, newKey(t, with(time.Minute, fake)))
}

// blocking is a server whose calls wait for the end of their context, or for the test.
type blocking struct {
	hmacdv1.UnimplementedMacServiceServer
	started chan time.Time // the deadline of the attempt
	ended   chan struct{}
	release chan struct{}
}

func newBlocking() *blocking {
	return &blocking{started: make(chan time.Time, 1), ended: make(chan struct{}), release: make(chan struct{})}
}

func (b *blocking) GenerateMac(ctx context.Context, _ *hmacdv1.GenerateMacRequest) (*hmacdv1.GenerateMacResponse, error) {
	deadline, _ := ctx.Deadline()
	b.started <- deadline
	select {
	case <-ctx.Done():
		close(b.ended)
		return nil, ctx.Err()
	case <-b.release:
		return nil, status.Error(codes.Internal, "released")
	}
}

func TestDeadlineEndsTheCallAndIsSent(t *testing.T) {
	for name, test := range map[string]struct{ timeout, caller time.Duration }{
		"timeout":                  {2 * time.Second, time.Hour},
		"the caller's, if earlier": {time.Hour, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newBlocking()
			key := newKey(t, hmacd.Config{Targets: []string{serve(t, server)}, Timeout: test.timeout})
			begin := time.Now() // Before the caller's deadline starts.
			ctx, cancel := context.WithTimeout(t.Context(), test.caller)
			defer cancel()
			_, err := key.Generate(ctx, message)
			got := expectError(t, err, hmacd.ReasonDeadlineExceeded)
			if took := time.Since(begin); took < 2*time.Second {
				t.Errorf("ended after %v", took)
			}
			if !errors.Is(err, hmacd.ErrDeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) || !got.MayHaveRun {
				t.Errorf("got %+v", got)
			}
			if deadline := <-server.started; deadline.After(begin.Add(time.Hour / 2)) {
				t.Errorf("the daemon got the deadline %v", deadline)
			}
		})
	}
}

func TestCancellationEndsTheCallOnTheWire(t *testing.T) {
	server := newBlocking()
	key := newKey(t, hmacd.Config{Targets: []string{serve(t, server)}, Timeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-server.started
		cancel()
	}()
	_, err := key.Generate(ctx, message)
	if got := expectError(t, err, hmacd.ReasonCancelled); got.Retryable || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v", got)
	}
	<-server.ended
}

// busyFor is TOKEN_BUSY with a time after which a retry makes sense.
func busyFor(t *testing.T, delay time.Duration) hmacdtest.Fault {
	t.Helper()
	answer, err := status.New(codes.ResourceExhausted, "").WithDetails(
		&errdetails.ErrorInfo{Reason: "TOKEN_BUSY", Domain: "hmacd.dev"},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	if err != nil {
		t.Fatal(err)
	}
	return hmacdtest.FailWith(answer.Err())
}

func TestCancellationEndsABackOff(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	fake.Next(1, busyFor(t, time.Minute))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for fake.Calls() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err := newKey(t, with(time.Hour, fake)).Generate(ctx, message)
	expectError(t, err, hmacd.ReasonCancelled)
}

func TestAttemptAfterTheDeadlineIsNotAwaited(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	fake.Next(1, busyFor(t, time.Hour))
	_, err := newKey(t, with(time.Minute, fake)).Generate(t.Context(), message)
	if got := expectError(t, err, hmacd.ReasonTokenBusy); got.Attempts != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestCloseWaitsForCallsAndRefusesNewOnes(t *testing.T) {
	server := newBlocking()
	client := newClient(t, hmacd.Config{Targets: []string{serve(t, server)}, Timeout: time.Minute})
	client.SetCloseTimeout(time.Minute)
	key := client.Key(keyName, hmacd.HMACSHA256)
	ended := make(chan error, 1)
	go func() {
		_, err := key.Generate(t.Context(), message)
		ended <- err
	}()
	<-server.started
	var closers sync.WaitGroup
	closers.Go(func() { client.Close() })
	for { // Until Close has begun.
		if err := key.Verify(t.Context(), message, make([]byte, 32)); errors.Is(err, hmacd.ErrClosed) {
			break
		}
	}
	server.release <- struct{}{}
	closers.Wait()
	if got := expectError(t, <-ended, hmacd.ReasonConnectionFailed); !strings.Contains(got.Text, "Internal") {
		t.Errorf("the call in flight did not get its answer: %v", got)
	}
	if err := client.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestCloseCancelsCallsAfterItsTimeout(t *testing.T) {
	server := newBlocking()
	client := newClient(t, hmacd.Config{Targets: []string{serve(t, server)}, Timeout: time.Minute})
	client.SetCloseTimeout(0)
	ended := make(chan error, 1)
	go func() {
		_, err := client.Key(keyName, hmacd.HMACSHA256).Generate(t.Context(), message)
		ended <- err
	}()
	<-server.started
	client.Close()
	err := <-ended
	if got := expectError(t, err, hmacd.ReasonClosed); !errors.Is(err, hmacd.ErrClosed) || !got.MayHaveRun || got.Retryable {
		t.Errorf("got %+v", got)
	}
	<-server.ended
}

// busy refuses all calls of KeyService.
type busy struct {
	hmacdv1.UnimplementedKeyServiceServer
	calls map[string]int
}

func (b busy) refuse(method string) error {
	b.calls[method]++
	if b.calls[method] > 1 {
		return status.Error(codes.Internal, "")
	}
	return status.Error(codes.Unavailable, "")
}

func (b busy) CreateKey(context.Context, *hmacdv1.CreateKeyRequest) (*hmacdv1.CreateKeyResponse, error) {
	return nil, b.refuse("CreateKey")
}

func (b busy) ListKeys(context.Context, *hmacdv1.ListKeysRequest) (*hmacdv1.ListKeysResponse, error) {
	return nil, b.refuse("ListKeys")
}

func TestReadsAreRepeatedAndChangesAreNot(t *testing.T) {
	server := busy{calls: map[string]int{}}
	keys := hmacdv1.NewKeyServiceClient(newClient(t, hmacd.Config{Targets: []string{serve(t, server)}}))
	_, err := keys.CreateKey(t.Context(), &hmacdv1.CreateKeyRequest{})
	expectError(t, err, hmacd.ReasonConnectionFailed)
	_, err = keys.ListKeys(t.Context(), &hmacdv1.ListKeysRequest{})
	expectError(t, err, hmacd.ReasonConnectionFailed)
	if server.calls["CreateKey"] != 1 || server.calls["ListKeys"] != 2 {
		t.Errorf("got %v", server.calls)
	}
}

// deadlines records the time that a call of KeyService has.
type deadlines struct {
	hmacdv1.UnimplementedKeyServiceServer
	remaining map[string]time.Duration
}

func (d deadlines) record(ctx context.Context, method string) {
	end, _ := ctx.Deadline()
	d.remaining[method] = time.Until(end)
}

func (d deadlines) CreateKey(ctx context.Context, _ *hmacdv1.CreateKeyRequest) (*hmacdv1.CreateKeyResponse, error) {
	d.record(ctx, "CreateKey")
	return &hmacdv1.CreateKeyResponse{}, nil
}

func (d deadlines) ListKeys(ctx context.Context, _ *hmacdv1.ListKeysRequest) (*hmacdv1.ListKeysResponse, error) {
	d.record(ctx, "ListKeys")
	return &hmacdv1.ListKeysResponse{}, nil
}

func TestChangesHaveNoAttemptTimeout(t *testing.T) {
	server := deadlines{remaining: map[string]time.Duration{}}
	targets := []string{serve(t, server), serve(t, server)}
	config := hmacd.Config{Targets: targets, Timeout: time.Hour, AttemptTimeout: 10 * time.Minute}
	keys := hmacdv1.NewKeyServiceClient(newClient(t, config))
	if _, err := keys.CreateKey(t.Context(), &hmacdv1.CreateKeyRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.ListKeys(t.Context(), &hmacdv1.ListKeysRequest{}); err != nil {
		t.Fatal(err)
	}
	if server.remaining["CreateKey"] <= 10*time.Minute || server.remaining["ListKeys"] > 10*time.Minute {
		t.Errorf("got %v", server.remaining)
	}
}

type observer struct {
	methods []string
	ends    []hmacd.Observation
}

func (o *observer) Start(ctx context.Context, method string) (context.Context, func(hmacd.Observation)) {
	o.methods = append(o.methods, method)
	return ctx, func(end hmacd.Observation) { o.ends = append(o.ends, end) }
}

func TestObserverGetsEachCallOnce(t *testing.T) {
	fake := hmacdtest.Start(t, secretKeys)
	observed := &observer{}
	config := fake.Config()
	config.Observer = observed
	key := newKey(t, config)
	fake.Next(1, hmacdtest.Fail(hmacd.ReasonTokenBusy))
	mac := generate(t, key)
	mac[0] ^= 1
	err := key.Verify(t.Context(), message, mac)
	if len(observed.methods) != 2 || observed.methods[0] != "hmacd.v1.MacService/GenerateMac" || len(observed.ends) != 2 {
		t.Fatalf("got %+v", observed)
	}
	if end := observed.ends[0]; end.Attempts != 2 || end.Target != config.Targets[0] || end.Err != nil {
		t.Errorf("got %+v", end)
	}
	if end := observed.ends[1]; end.Attempts != 1 || end.Err != err {
		t.Errorf("got %+v", end)
	}
}

func TestClientIsSafeForConcurrentUse(t *testing.T) {
	first, second := hmacdtest.Start(t, secretKeys), hmacdtest.Start(t, secretKeys)
	first.Next(20, hmacdtest.Fail(hmacd.ReasonTokenBusy))
	key := newKey(t, with(time.Minute, first, second))
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 20 {
				mac, err := key.Generate(t.Context(), message)
				if err == nil {
					err = key.Verify(t.Context(), message, mac)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
}
