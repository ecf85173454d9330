//! Spans and durations of calls in OpenTelemetry. No attribute has a message, a MAC or a key name.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::global::{BoxedSpan, BoxedTracer};
use opentelemetry::metrics::{Histogram, Meter};
use opentelemetry::trace::{Span, SpanKind, Status, Tracer};
use tokio::time::Instant;

use crate::error::Error;

/// The tracer and the meter of a client. Both are optional.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telemetry {
    pub tracer: Option<Arc<BoxedTracer>>,
    pub meter: Option<Meter>,
}

/// The instruments of a client.
pub(crate) struct Instruments {
    tracer: Option<Arc<BoxedTracer>>,
    duration: Option<Histogram<f64>>,
}

/// A call that is recorded. Its drop ends the span.
pub(crate) struct Recording<'a> {
    instruments: &'a Instruments,
    path: &'static str,
    span: Option<BoxedSpan>,
    start: Instant,
}

impl Instruments {
    pub fn new(telemetry: &Telemetry) -> Instruments {
        let duration = telemetry.meter.as_ref().map(|meter| {
            let histogram = meter.f64_histogram("rpc.client.duration");
            histogram.with_unit("ms").with_description("Duration of calls to hmacd, with their retries.").build()
        });
        Instruments { tracer: telemetry.tracer.clone(), duration }
    }

    /// Begins a call. `path` is the path of its method.
    pub fn start(&self, path: &'static str) -> Recording<'_> {
        let span = self.tracer.as_ref().map(|tracer| {
            let span = tracer.span_builder(path.trim_start_matches('/')).with_kind(SpanKind::Client);
            span.with_attributes([KeyValue::new("rpc.system", "grpc")]).start(&**tracer)
        });
        Recording { instruments: self, path, span, start: Instant::now() }
    }
}

impl Recording<'_> {
    /// Ends a call with its last target, its number of attempts, and its error.
    pub fn end(mut self, target: &str, attempts: u32, error: Option<&Error>) {
        let (service, method) = self.path.trim_start_matches('/').split_once('/').unwrap_or((self.path, ""));
        let mut attributes =
            vec![KeyValue::new("rpc.system", "grpc"), KeyValue::new("server.address", target.to_owned())];
        attributes.extend(error.map(|error| KeyValue::new("error.type", error.known_reason().to_owned())));
        if let Some(span) = &mut self.span {
            span.set_attributes(attributes.iter().cloned());
            span.set_attribute(KeyValue::new("hmacd.attempts", i64::from(attempts)));
            if let Some(error) = error {
                span.set_status(Status::error(error.known_reason().to_owned()));
            }
            span.end();
        }
        if let Some(duration) = &self.instruments.duration {
            attributes.extend([KeyValue::new("rpc.service", service), KeyValue::new("rpc.method", method)]);
            duration.record(self.start.elapsed().as_secs_f64() * 1000.0, &attributes);
        }
    }
}
