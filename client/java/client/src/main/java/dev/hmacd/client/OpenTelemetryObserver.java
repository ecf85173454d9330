package dev.hmacd.client;

import com.google.errorprone.annotations.ThreadSafe;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.AttributesBuilder;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/// Reports each call to OpenTelemetry: one span, and one value of the histogram
/// `rpc.client.duration`, in milliseconds. Only this class uses OpenTelemetry, which is an optional
/// dependency.
@ThreadSafe
final class OpenTelemetryObserver implements CallObserver {
  private static final String SCOPE = "dev.hmacd.client";
  private static final double NANOS_IN_A_MILLISECOND = TimeUnit.MILLISECONDS.toNanos(1);

  private static final AttributeKey<String> RPC_SYSTEM = AttributeKey.stringKey("rpc.system");
  private static final AttributeKey<String> RPC_SERVICE = AttributeKey.stringKey("rpc.service");
  private static final AttributeKey<String> RPC_METHOD = AttributeKey.stringKey("rpc.method");
  private static final AttributeKey<String> SERVER_ADDRESS =
      AttributeKey.stringKey("server.address");
  private static final AttributeKey<Long> SERVER_PORT = AttributeKey.longKey("server.port");
  private static final AttributeKey<String> ERROR_TYPE = AttributeKey.stringKey("error.type");
  private static final AttributeKey<Long> ATTEMPTS = AttributeKey.longKey("hmacd.attempts");

  private final Tracer tracer;
  private final DoubleHistogram duration;

  OpenTelemetryObserver(OpenTelemetry telemetry) {
    this.tracer = telemetry.getTracer(SCOPE);
    this.duration =
        telemetry
            .getMeter(SCOPE)
            .histogramBuilder("rpc.client.duration")
            .setUnit("ms")
            .setDescription("Duration of a call of hmacd with its retries.")
            .build();
  }

  @Override
  public Observation start(String method) {
    // The parent is the span of the calling thread.
    Context parent = Context.current();
    Span span =
        tracer.spanBuilder(method).setParent(parent).setSpanKind(SpanKind.CLIENT).startSpan();
    long begin = System.nanoTime();
    var ended = new AtomicBoolean();
    return (facts, errorType) -> {
      if (ended.compareAndSet(false, true)) {
        double milliseconds = (System.nanoTime() - begin) / NANOS_IN_A_MILLISECOND;
        Attributes attributes = attributes(method, facts, errorType);
        if (!errorType.isEmpty()) {
          span.setStatus(StatusCode.ERROR, errorType);
        }
        span.setAllAttributes(attributes).setAttribute(ATTEMPTS, (long) facts.attempts()).end();
        duration.record(milliseconds, attributes, parent.with(span));
      }
    };
  }

  private static Attributes attributes(String method, CallFacts facts, String errorType) {
    int slash = method.lastIndexOf('/');
    AttributesBuilder attributes =
        Attributes.builder()
            .put(RPC_SYSTEM, "grpc")
            .put(RPC_SERVICE, method.substring(0, slash))
            .put(RPC_METHOD, method.substring(slash + 1));
    if (!facts.target().isEmpty()) {
      Target target = Target.parse(facts.target());
      if (target instanceof Target.HostPort named) {
        attributes.put(SERVER_ADDRESS, named.name().getHost());
        attributes.put(SERVER_PORT, (long) named.name().getPort());
      } else if (target instanceof Target.UnixSocket socket) {
        attributes.put(SERVER_ADDRESS, socket.address().toString());
      }
    }
    if (!errorType.isEmpty()) {
      attributes.put(ERROR_TYPE, errorType);
    }
    return attributes.build();
  }
}
