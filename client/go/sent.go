package hmacd

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// sentFlag is set when gRPC gives an attempt to a connection. Without it, the attempt certainly did
// not reach the daemon.
type sentFlag struct{ atomic.Bool }

type sentKey struct{}

func withSentFlag(ctx context.Context) (context.Context, *sentFlag) {
	flag := &sentFlag{}
	return context.WithValue(ctx, sentKey{}, flag), flag
}

// sentHandler sets the flag of the attempt's context.
type sentHandler struct{}

func (sentHandler) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if _, isSent := event.(*stats.OutHeader); !isSent {
		return
	}
	if flag, found := ctx.Value(sentKey{}).(*sentFlag); found {
		flag.Store(true)
	}
}

func (sentHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (sentHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (sentHandler) HandleConn(context.Context, stats.ConnStats)                       {}
