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
	"path"
	"strconv"
	"strings"
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
		service, name := path.Split(method)
		attributes := append([]attribute.KeyValue{
			attribute.String("rpc.system", "grpc"),
			attribute.String("rpc.service", strings.TrimSuffix(service, "/")),
			attribute.String("rpc.method", name),
		}, server(end.Target)...)
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

// server returns the address and the port of a target. A Unix socket has its path, and no port.
func server(target string) []attribute.KeyValue {
	if socket, isUnix := strings.CutPrefix(target, "unix:"); isUnix {
		return []attribute.KeyValue{attribute.String("server.address", socket)}
	}
	host, text, err := net.SplitHostPort(target)
	port, _ := strconv.Atoi(text)
	if err != nil { // No attempt was made.
		return nil
	}
	return []attribute.KeyValue{attribute.String("server.address", host), attribute.Int("server.port", port)}
}
