package hmacd

import "context"

// Observer gets each call of a client. It must be safe for concurrent use.
type Observer interface {
	// Start is called at the start of a call, with the full method, for example
	// hmacd.v1.MacService/GenerateMac. The call uses the returned context. The returned function is
	// called once, at the end of the call.
	Start(ctx context.Context, method string) (context.Context, func(Observation))
}

// Observation is the end of a call. It has no message, no MAC and no name of a key.
type Observation struct {
	// Target is the target of the last attempt. It is empty if there was none.
	Target string
	// Attempts is the number of attempts, 0 or more.
	Attempts int
	// Err is nil after a success.
	Err *Error
}

type noObserver struct{}

func (noObserver) Start(ctx context.Context, _ string) (context.Context, func(Observation)) {
	return ctx, func(Observation) {}
}
