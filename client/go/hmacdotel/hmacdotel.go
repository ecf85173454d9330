// Package hmacdotel reports calls of hmacd to OpenTelemetry: one span and one duration for each call.
//
//	observer, err := hmacdotel.New(otel.GetTracerProvider(), otel.GetMeterProvider())
//	config.Observer = observer
//
// A program that does not import this package does not contain OpenTelemetry.
package hmacdotel

import (
	"context"
	"net"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	hmacd "hmacd.dev/client/go"
)

const scope = "hmacd.dev/client/go/hmacdotel"

// observer is safe for concurrent use.
type observer struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
}

// New returns an observer for [hmacd.Config]. Spans have the name of the method. The histogram
// rpc.client.duration is in milliseconds.
func New(tracers trace.TracerProvider, meters metric.MeterProvider) (hmacd.Observer, error) {
	duration, err := meters.Meter(scope).Float64Histogram("rpc.client.duration",
		metric.WithUnit("ms"), metric.WithDescription("Duration of a call of hmacd with its retries."))
	if err != nil {
		return nil, err
	}
	return &observer{tracer: tracers.Tracer(scope), duration: duration}, nil
}

// Start starts a span. The returned function ends it.
func (o *observer) Start(ctx context.Context, method string) (context.Context, func(hmacd.Observation)) {
	begin := time.Now()
	ctx, span := o.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, func(end hmacd.Observation) {
		attributes := []attribute.KeyValue{
			attribute.String("rpc.system", "grpc"),
			attribute.String("server.address", address(end.Target)),
		}
		if end.Err != nil {
			reason := "UNKNOWN" // A reason of a newer daemon. Otherwise each of its texts would be a time series.
			if end.Err.Reason.Known() {
				reason = string(end.Err.Reason)
			}
			attributes = append(attributes, attribute.String("error.type", reason))
			span.SetStatus(codes.Error, reason)
		}
		span.SetAttributes(attributes...)
		span.SetAttributes(attribute.Int("hmacd.attempts", end.Attempts))
		span.End()
		milliseconds := float64(time.Since(begin)) / float64(time.Millisecond)
		o.duration.Record(ctx, milliseconds, metric.WithAttributes(attributes...))
	}
}

// address returns the host of host:port, and all of the target of a Unix socket.
func address(target string) string {
	if host, _, err := net.SplitHostPort(target); err == nil && host != "unix" {
		return host
	}
	return target
}
