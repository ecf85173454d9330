package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.grpc.Status.Code;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.data.HistogramPointData;
import io.opentelemetry.sdk.metrics.data.MetricData;
import io.opentelemetry.sdk.testing.exporter.InMemoryMetricReader;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.ReadWriteSpan;
import io.opentelemetry.sdk.trace.ReadableSpan;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.SpanProcessor;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.data.StatusData;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Spans and durations of calls, with the SDK of OpenTelemetry.
class TelemetryTest {
  private static final byte[] MESSAGE = "secret message".getBytes(UTF_8);
  private static final String KEY = "alias/orders";
  private static final AttributeKey<String> RPC_SYSTEM = AttributeKey.stringKey("rpc.system");
  private static final AttributeKey<String> RPC_SERVICE = AttributeKey.stringKey("rpc.service");
  private static final AttributeKey<String> RPC_METHOD = AttributeKey.stringKey("rpc.method");
  private static final AttributeKey<Long> SERVER_PORT = AttributeKey.longKey("server.port");
  private static final AttributeKey<String> SERVER_ADDRESS =
      AttributeKey.stringKey("server.address");
  private static final AttributeKey<String> ERROR_TYPE = AttributeKey.stringKey("error.type");
  private static final AttributeKey<Long> ATTEMPTS = AttributeKey.longKey("hmacd.attempts");

  private final InMemorySpanExporter spans = InMemorySpanExporter.create();
  private final InMemoryMetricReader metrics = InMemoryMetricReader.create();
  private final OpenTelemetry telemetry =
      OpenTelemetrySdk.builder()
          .setTracerProvider(
              SdkTracerProvider.builder()
                  .addSpanProcessor(SimpleSpanProcessor.create(spans))
                  .build())
          .setMeterProvider(SdkMeterProvider.builder().registerMetricReader(metrics).build())
          .build();
  private final FakeDaemon daemon;
  private final HmacdClient hmacd;
  private final HmacdKey key;

  TelemetryTest(@TempDir Path folder) {
    daemon = FakeDaemon.overUnixSocket(folder.resolve("hmacd.sock"));
    hmacd =
        HmacdClient.builder()
            .target(daemon.target())
            .deadlineAfter(Duration.ofMinutes(2))
            .openTelemetry(telemetry)
            .build();
    key = hmacd.key(KEY, MacAlgorithm.HMAC_SHA_256);
  }

  @AfterEach
  void close() {
    hmacd.close();
    daemon.close();
  }

  private SpanData span() {
    List<SpanData> finished = spans.getFinishedSpanItems();
    assertThat(finished).hasSize(1);
    return finished.get(0);
  }

  private static Attributes rpc(String method) {
    return Attributes.of(
        RPC_SYSTEM, "grpc", RPC_SERVICE, "hmacd.v1.MacService", RPC_METHOD, method);
  }

  private Attributes common(String method) {
    String path = daemon.target().substring("unix:".length());
    return rpc(method).toBuilder().put(SERVER_ADDRESS, path).build();
  }

  private static Map<AttributeKey<?>, Object> withAttempts(Attributes attributes, long attempts) {
    return attributes.toBuilder().put(ATTEMPTS, attempts).build().asMap();
  }

  private static Map<AttributeKey<?>, Object> attributes(SpanData span) {
    return span.getAttributes().asMap();
  }

  private void assertOneDuration(Attributes attributes) {
    List<MetricData> all = List.copyOf(metrics.collectAllMetrics());
    assertThat(all)
        .singleElement()
        .returns("rpc.client.duration", MetricData::getName)
        .returns("ms", MetricData::getUnit);
    assertThat(all.get(0).getHistogramData().getPoints())
        .singleElement()
        .returns(1L, HistogramPointData::getCount)
        .returns(attributes, HistogramPointData::getAttributes)
        .satisfies(point -> assertThat(point.getSum()).isPositive());
  }

  @Test
  void callHasASpanAndADuration() {
    key.generate(MESSAGE);
    assertThat(span())
        .returns("hmacd.v1.MacService/GenerateMac", SpanData::getName)
        .returns(SpanKind.CLIENT, SpanData::getKind)
        .returns(StatusData.unset(), SpanData::getStatus)
        .returns(withAttempts(common("GenerateMac"), 1), TelemetryTest::attributes);
    assertOneDuration(common("GenerateMac"));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void exceptionOfTheTelemetryDoesNotChangeTheOutcome(boolean atStart) {
    var telemetry =
        OpenTelemetrySdk.builder()
            .setTracerProvider(
                SdkTracerProvider.builder().addSpanProcessor(new FailingProcessor(atStart)).build())
            .build();
    HmacdKey observed;
    try (var client =
        HmacdClient.builder()
            .target(daemon.target())
            .deadlineAfter(Duration.ofMinutes(2))
            .openTelemetry(telemetry)
            .build()) {
      observed = client.key(KEY, MacAlgorithm.HMAC_SHA_256);
      assertThat(observed.generate(MESSAGE).keyVersion()).isEqualTo(1);
      assertThatExceptionOfType(InvalidMacException.class)
          .isThrownBy(() -> observed.verify(MESSAGE, new byte[32]));
    }
    assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> observed.generate(MESSAGE));
  }

  /// Throws an exception at the start or at the end of each span.
  private record FailingProcessor(boolean atStart) implements SpanProcessor {
    @Override
    public void onStart(Context parent, ReadWriteSpan span) {
      if (atStart) {
        throw new IllegalStateException("an exception of the test");
      }
    }

    @Override
    public boolean isStartRequired() {
      return true;
    }

    @Override
    public void onEnd(ReadableSpan span) {
      throw new NoSuchMethodError("an error of the test");
    }

    @Override
    public boolean isEndRequired() {
      return true;
    }
  }

  @Test
  void retriedCallHasOneSpanWithItsAttempts() {
    daemon.failing(2, Code.RESOURCE_EXHAUSTED, "TOKEN_BUSY");
    key.generate(MESSAGE);
    assertThat(attributes(span())).isEqualTo(withAttempts(common("GenerateMac"), 3));
    assertOneDuration(common("GenerateMac"));
  }

  @Test
  void failedCallHasItsReason() {
    assertThatExceptionOfType(InvalidMacException.class)
        .isThrownBy(() -> key.verify(MESSAGE, new byte[32]));
    Attributes failed = common("VerifyMac").toBuilder().put(ERROR_TYPE, "KMS_INVALID_MAC").build();
    assertThat(span())
        .returns("hmacd.v1.MacService/VerifyMac", SpanData::getName)
        .returns(withAttempts(failed, 1), TelemetryTest::attributes)
        .returns(StatusData.create(StatusCode.ERROR, "KMS_INVALID_MAC"), SpanData::getStatus);
    assertOneDuration(failed);
  }

  @Test
  void cancelledCallHasOneSpan() throws InterruptedException {
    daemon.hanging();
    var call = hmacd.generateMacAsync(KEY, MESSAGE, MacAlgorithm.HMAC_SHA_256);
    assertThat(call.cancel(true)).isTrue();
    assertThat(span().getAttributes().get(ERROR_TYPE)).isEqualTo("CANCELLED");
  }

  @Test
  void callOfAClosedClientHasNoTarget() {
    hmacd.close();
    assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> key.generate(MESSAGE));
    Attributes closed = rpc("GenerateMac").toBuilder().put(ERROR_TYPE, "CLOSED").build();
    assertThat(attributes(span())).isEqualTo(withAttempts(closed, 0));
  }

  @Test
  void parentIsTheSpanOfTheCaller() {
    Span parent = telemetry.getTracer("test").spanBuilder("parent").startSpan();
    var unused = Context.current().with(parent).wrapSupplier(() -> key.generate(MESSAGE)).get();
    assertThat(span().getParentSpanContext()).isEqualTo(parent.getSpanContext());
  }

  @Test
  void nothingHasAMessageAMacOrTheNameOfAKey() {
    Mac mac = key.generate(MESSAGE);
    key.verify(MESSAGE, mac.toByteArray());
    assertThatExceptionOfType(InvalidMacException.class)
        .isThrownBy(() -> key.verify(MESSAGE, new byte[32]));
    assertThatExceptionOfType(HmacdException.class)
        .isThrownBy(() -> hmacd.describeKey("no-such-key"));
    assertThat(spans.getFinishedSpanItems().toString() + metrics.collectAllMetrics())
        .contains("KMS_INVALID_MAC")
        .doesNotContain(
            "secret message",
            "orders",
            "no-such-key",
            FakeDaemon.KEY_ID,
            HexFormat.of().formatHex(mac.toByteArray()));
  }

  static List<Arguments> targets() {
    return List.of(
        arguments("hmacd.example.org:8443", "hmacd.example.org", 8443L),
        arguments("[::1]:8443", "::1", 8443L),
        arguments("unix:/run/hmacd.sock", "/run/hmacd.sock", null));
  }

  @ParameterizedTest
  @MethodSource("targets")
  void targetHasItsAddressAndItsPort(String target, String address, @Nullable Long port) {
    new OpenTelemetryObserver(telemetry)
        .start("service/method")
        .end(CallFacts.NO_ATTEMPT.attemptedAt(target), "");
    assertThat(span().getAttributes().get(SERVER_ADDRESS)).isEqualTo(address);
    assertThat(span().getAttributes().get(SERVER_PORT)).isEqualTo(port);
  }
}
