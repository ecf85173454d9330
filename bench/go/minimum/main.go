// Command minimum is the service that a Go team would write instead of hmacd: grpc-go, miekg/pkcs11 and
// a pool of sessions, each with a copy of the key. It has one key, no authentication and no checks.
//
// It is optimized for speed: session copies of the key, workers that serve many calls, and rare garbage
// collections. Other buffer sizes and shared buffers gave no improvement, so grpc-go's defaults stay.
//
//	minimum MODULE TOKEN-LABEL PIN-FILE KEY-LABEL SESSIONS SOCKET
package main

import (
	"context"
	"crypto/hmac"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/miekg/pkcs11"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	hmacdv1 "hmacd.dev/bench/hmacd/v1"
)

const (
	// The service needs a few megabytes. With Go's default of 100 percent, constant collections reduce the
	// throughput to a tenth.
	gcPercent = 800
	maxMemory = 256 << 20
)

// session is a logged-in session with its own copy of the key.
type session struct {
	handle pkcs11.SessionHandle
	key    pkcs11.ObjectHandle
}

// pool has the idle sessions. A session executes one operation at a time.
type pool struct {
	module    *pkcs11.Ctx
	mechanism []*pkcs11.Mechanism
	free      chan session
}

func newPool(path, tokenLabel, pin, keyLabel string, size int) (*pool, error) {
	module := pkcs11.New(path)
	if module == nil {
		return nil, fmt.Errorf("cannot load %s", path)
	}
	if err := module.Initialize(); err != nil {
		return nil, err
	}
	slot, err := findSlot(module, tokenLabel)
	if err != nil {
		return nil, err
	}
	p := &pool{
		module:    module,
		mechanism: []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_SHA256_HMAC, nil)},
		free:      make(chan session, size),
	}
	for i := range size {
		handle, err := module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			return nil, err
		}
		if i == 0 { // A login applies to all sessions of a process.
			if err := module.Login(handle, pkcs11.CKU_USER, pin); err != nil {
				return nil, err
			}
		}
		key, err := copyKey(module, handle, keyLabel)
		if err != nil {
			return nil, err
		}
		p.free <- session{handle, key}
	}
	return p, nil
}

func findSlot(module *pkcs11.Ctx, label string) (uint, error) {
	slots, err := module.GetSlotList(true)
	if err != nil {
		return 0, err
	}
	for _, slot := range slots {
		if info, err := module.GetTokenInfo(slot); err == nil && info.Label == label {
			return slot, nil
		}
	}
	return 0, fmt.Errorf("no token %s", label)
}

func copyKey(module *pkcs11.Ctx, handle pkcs11.SessionHandle, label string) (pkcs11.ObjectHandle, error) {
	err := module.FindObjectsInit(handle, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
	})
	if err != nil {
		return 0, err
	}
	found, _, err := module.FindObjects(handle, 1)
	if err != nil {
		return 0, err
	}
	if err := module.FindObjectsFinal(handle); err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("no key %s", label)
	}
	return module.CopyObject(handle, found[0], []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false)})
}

func (p *pool) mac(message []byte) ([]byte, error) {
	s := <-p.free
	defer func() { p.free <- s }()
	if err := p.module.SignInit(s.handle, p.mechanism, s.key); err != nil {
		return nil, err
	}
	return p.module.Sign(s.handle, message)
}

type service struct {
	hmacdv1.UnimplementedMacServiceServer
	pool *pool
}

func (s *service) GenerateMac(_ context.Context, r *hmacdv1.GenerateMacRequest) (*hmacdv1.GenerateMacResponse, error) {
	mac, err := s.pool.mac(r.GetMessage())
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &hmacdv1.GenerateMacResponse{
		KeyId: r.GetKeyId(), Mac: mac, MacAlgorithm: r.GetMacAlgorithm(), KeyVersion: 1,
	}, nil
}

func (s *service) VerifyMac(_ context.Context, r *hmacdv1.VerifyMacRequest) (*hmacdv1.VerifyMacResponse, error) {
	mac, err := s.pool.mac(r.GetMessage())
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	if !hmac.Equal(mac, r.GetMac()) {
		return nil, status.Error(codes.InvalidArgument, "the MAC does not match")
	}
	return &hmacdv1.VerifyMacResponse{
		KeyId: r.GetKeyId(), MacValid: true, MacAlgorithm: r.GetMacAlgorithm(), KeyVersion: 1,
	}, nil
}

func serve(arguments []string) error {
	if len(arguments) != 6 {
		return fmt.Errorf("usage: minimum MODULE TOKEN-LABEL PIN-FILE KEY-LABEL SESSIONS SOCKET")
	}
	pin, err := os.ReadFile(arguments[2])
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(arguments[4])
	if err != nil {
		return err
	}
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(maxMemory)
	sessions, err := newPool(arguments[0], arguments[1], strings.TrimSpace(string(pin)), arguments[3], size)
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", arguments[5])
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.NumStreamWorkers(uint32(runtime.GOMAXPROCS(0)) * 4))
	hmacdv1.RegisterMacServiceServer(server, &service{pool: sessions})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		server.GracefulStop()
	}()
	return server.Serve(listener)
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		log.Fatal("minimum: ", err)
	}
}
