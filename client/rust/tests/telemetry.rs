//! Tests of spans and metrics with the fake.

use hmacd::testing::{Fake, Fault};
use hmacd::v1::ErrorReason;
use hmacd::{Algorithm, Client, Settings};
use opentelemetry::global::BoxedTracer;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};

const KEY: &str = "alias/orders";

#[tokio::test]
async fn call_has_a_span_with_its_attempts_and_its_error() {
    let fake = Fake::start([(KEY, Algorithm::HmacSha256, b"secret".as_slice())]).unwrap();
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let tracer = BoxedTracer::new(Box::new(provider.tracer("test")));
    let client = Client::new(Settings::new([fake.target()]).tracer(tracer)).unwrap();
    let key = client.key(KEY, Algorithm::HmacSha256);

    fake.order(1, Fault::Fails(ErrorReason::TokenBusy));
    key.generate("a secret message").await.unwrap();
    fake.order(1, Fault::Fails(ErrorReason::AccessDenied));
    key.verify("a secret message", [0; 32]).await.unwrap_err();
    fake.order(1, Fault::Fails(ErrorReason::Unspecified)); // A reason that the client does not know.
    let unknown = key.generate("a secret message").await.unwrap_err();
    assert_eq!("UNSPECIFIED", unknown.reason());

    let spans = exporter.get_finished_spans().unwrap();
    let [generate, verify, unknown] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(("hmacd.v1.MacService/GenerateMac", &SpanKind::Client), (&*generate.name, &generate.span_kind));
    assert_eq!("hmacd.v1.MacService/VerifyMac", verify.name);
    let attributes = |span: &opentelemetry_sdk::trace::SpanData| {
        let mut texts: Vec<_> = span.attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
        texts.sort();
        texts.dedup();
        texts
    };
    let address = format!("server.address={}", fake.target().trim_start_matches("unix:"));
    let service = "rpc.service=hmacd.v1.MacService";
    let expected = |outcome: &[&'static str], method: &'static str| {
        let mut all: Vec<_> = outcome.iter().map(ToString::to_string).collect();
        all.extend([method, service, "rpc.system=grpc", &address].map(str::to_owned));
        all
    };
    assert_eq!(expected(&["hmacd.attempts=2"], "rpc.method=GenerateMac"), attributes(generate));
    let denied = expected(&["error.type=ACCESS_DENIED", "hmacd.attempts=1"], "rpc.method=VerifyMac");
    assert_eq!(denied, attributes(verify));
    assert_eq!(Status::error("ACCESS_DENIED"), verify.status);
    let method = if unknown.name.ends_with("VerifyMac") { "rpc.method=VerifyMac" } else { "rpc.method=GenerateMac" };
    assert_eq!(expected(&["error.type=UNKNOWN", "hmacd.attempts=1"], method), attributes(unknown));
    assert_eq!(Status::error("UNKNOWN"), unknown.status);
}

#[tokio::test]
async fn duration_of_calls_is_a_histogram() {
    let fake = Fake::start([(KEY, Algorithm::HmacSha256, b"secret".as_slice())]).unwrap();
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
    let client = Client::new(Settings::new([fake.target()]).meter(provider.meter("test"))).unwrap();
    for _ in 0..3 {
        client.key(KEY, Algorithm::HmacSha256).generate("hello").await.unwrap();
    }
    provider.force_flush().unwrap();
    let finished = exporter.get_finished_metrics().unwrap();
    let metric = finished.iter().flat_map(|all| all.scope_metrics()).flat_map(|scope| scope.metrics()).next().unwrap();
    assert_eq!(("rpc.client.duration", "ms"), (metric.name(), metric.unit()));
    let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else { panic!("{metric:?}") };
    assert_eq!(vec![3], histogram.data_points().map(|point| point.count()).collect::<Vec<_>>());
}
