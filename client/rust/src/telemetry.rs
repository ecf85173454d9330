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
            span.with_attributes(method_attributes(path)).start(&**tracer)
        });
        Recording { instruments: self, path, span, start: Instant::now() }
    }
}

fn method_attributes(path: &'static str) -> [KeyValue; 3] {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    [KeyValue::new("rpc.system", "grpc"), KeyValue::new("rpc.service", service), KeyValue::new("rpc.method", method)]
}

/// The address and the port of a target. A Unix socket has its path, and no port. Without an attempt, there is no
/// target.
fn server_attributes(target: &str) -> Vec<KeyValue> {
    if let Some(path) = target.strip_prefix("unix:") {
        return vec![KeyValue::new("server.address", path.to_owned())];
    }
    match target.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<i64>().ok()?))) {
        Some((host, port)) => vec![
            KeyValue::new("server.address", host.trim_matches(['[', ']']).to_owned()),
            KeyValue::new("server.port", port),
        ],
        None => Vec::new(),
    }
}

impl Recording<'_> {
    /// Ends a call with its last target, its number of attempts, and its error.
    pub fn end(mut self, target: &str, attempts: u32, error: Option<&Error>) {
        let mut attributes = server_attributes(target);
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
            attributes.extend(method_attributes(self.path));
            duration.record(self.start.elapsed().as_secs_f64() * 1000.0, &attributes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_has_its_address_and_its_port() {
        let texts = |target| {
            server_attributes(target).iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect::<Vec<_>>()
        };
        assert_eq!(vec!["server.address=hmacd.example.org", "server.port=8443"], texts("hmacd.example.org:8443"));
        assert_eq!(vec!["server.address=::1", "server.port=8443"], texts("[::1]:8443"));
        assert_eq!(vec!["server.address=/run/hmacd.sock"], texts("unix:/run/hmacd.sock"));
        assert!(texts("").is_empty());
    }
}
