package hmacdotel_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	hmacd "hmacd.dev/client/go"
	"hmacd.dev/client/go/hmacdotel"
	"hmacd.dev/client/go/hmacdtest"
)

func TestCallsHaveSpansAndDurations(t *testing.T) {
	spans, reader := tracetest.NewSpanRecorder(), metric.NewManualReader()
	observer, err := hmacdotel.New(
		trace.NewTracerProvider(trace.WithSpanProcessor(spans)), metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	fake := hmacdtest.Start(t, map[string]hmacdtest.Key{"alias/secret-name": {Algorithm: hmacd.HMACSHA256, Secret: []byte("secret")}})
	config := fake.Config()
	config.Observer = observer
	client, err := hmacd.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	key := client.Key("alias/secret-name", hmacd.HMACSHA256)
	fake.Next(1, hmacdtest.Fail(hmacd.ReasonTokenBusy))
	if _, err := key.Generate(t.Context(), []byte("message")); err != nil {
		t.Fatal(err)
	}
	if err := key.Verify(t.Context(), []byte("message"), make([]byte, 32)); err == nil {
		t.Fatal("a wrong MAC was verified")
	}

	target := attribute.String("server.address", strings.TrimPrefix(config.Targets[0], "unix:"))
	wrong := attribute.String("error.type", "KMS_INVALID_MAC")
	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("want 2 spans, got %d", len(ended))
	}
	expectSpan(t, ended[0], "hmacd.v1.MacService/GenerateMac", target, attribute.Int("hmacd.attempts", 2))
	expectSpan(t, ended[1], "hmacd.v1.MacService/VerifyMac", target, wrong, attribute.Int("hmacd.attempts", 1))

	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &metrics); err != nil {
		t.Fatal(err)
	}
	histogram := metrics.ScopeMetrics[0].Metrics[0]
	points := histogram.Data.(metricdata.Histogram[float64]).DataPoints
	if histogram.Name != "rpc.client.duration" || len(points) != 2 {
		t.Errorf("got %+v", histogram)
	}
	for _, secret := range []string{"secret-name", "message"} {
		if strings.Contains(fmt.Sprintf("%+v %+v", ended[0].Attributes(), points), secret) {
			t.Errorf("%q is in the telemetry", secret)
		}
	}
}

func TestTargetHasItsHostAndItsPort(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	observer, err := hmacdotel.New(trace.NewTracerProvider(trace.WithSpanProcessor(spans)), metric.NewMeterProvider())
	if err != nil {
		t.Fatal(err)
	}
	_, end := observer.Start(t.Context(), "service/method")
	end(hmacd.Observation{Target: "hmacd.example.org:8443", Attempts: 1})
	expectSpan(t, spans.Ended()[0], "service/method",
		attribute.String("server.address", "hmacd.example.org"), attribute.Int("server.port", 8443),
		attribute.Int("hmacd.attempts", 1))
}

func TestReasonOfANewerDaemonIsUnknown(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	observer, err := hmacdotel.New(trace.NewTracerProvider(trace.WithSpanProcessor(spans)), metric.NewMeterProvider())
	if err != nil {
		t.Fatal(err)
	}
	for reason, want := range map[hmacd.Reason]string{
		"NEWER_REASON": "UNKNOWN", hmacd.ReasonClosed: "CLOSED", hmacd.ReasonTokenBusy: "TOKEN_BUSY",
	} {
		_, end := observer.Start(t.Context(), "service/method")
		end(hmacd.Observation{Err: &hmacd.Error{Reason: reason}})
		expectSpan(t, spans.Ended()[len(spans.Ended())-1], "service/method",
			attribute.Int("hmacd.attempts", 0), attribute.String("error.type", want))
	}
}

func expectSpan(t *testing.T, span trace.ReadOnlySpan, name string, attributes ...attribute.KeyValue) {
	t.Helper()
	service, method := path.Split(name)
	attributes = append(attributes, attribute.String("rpc.system", "grpc"),
		attribute.String("rpc.service", strings.TrimSuffix(service, "/")), attribute.String("rpc.method", method))
	want, got := attribute.NewSet(attributes...), attribute.NewSet(span.Attributes()...)
	if span.Name() != name || span.SpanKind() != api.SpanKindClient || !want.Equals(&got) {
		t.Errorf("want %s with %v, got %s, %v with %v", name, attributes, span.Name(), span.SpanKind(), span.Attributes())
	}
}
