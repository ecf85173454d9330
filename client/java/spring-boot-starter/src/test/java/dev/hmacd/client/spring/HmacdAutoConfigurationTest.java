package dev.hmacd.client.spring;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.hmacd.client.ClosedException;
import dev.hmacd.client.DeadlineExceededException;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.InvalidMacException;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.MessageTooLongException;
import dev.hmacd.client.testing.FakeHmacd;
import dev.hmacd.client.testing.Fault;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

/// The client of an application context, with a fake of the daemon.
@Timeout(120)
class HmacdAutoConfigurationTest {
  private static final String KEY = "alias/orders";
  private static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;
  private static final byte[] MESSAGE = "hello".getBytes(UTF_8);

  private final FakeHmacd fake =
      FakeHmacd.start().key(KEY, ALGORITHM, "a secret of this test".getBytes(UTF_8));
  private final ApplicationContextRunner empty =
      new ApplicationContextRunner()
          .withConfiguration(AutoConfigurations.of(HmacdAutoConfiguration.class));
  private final ApplicationContextRunner application =
      empty.withPropertyValues("hmacd.targets=" + fake.target(), "hmacd.timeout=2m");

  @AfterEach
  void close() {
    fake.close();
  }

  @Test
  void clientCallsTheTarget() {
    application.run(
        context -> {
          HmacdClient hmacd = context.getBean(HmacdClient.class);
          byte[] mac = hmacd.generateMac(KEY, MESSAGE, ALGORITHM).toByteArray();
          hmacd.verifyMac(KEY, MESSAGE, ALGORITHM, mac);
          mac[0] ^= 1;
          assertThatThrownBy(() -> hmacd.verifyMac(KEY, MESSAGE, ALGORITHM, mac))
              .isInstanceOf(InvalidMacException.class);
        });
    assertThat(fake.attempts()).isEqualTo(3);
  }

  @Test
  void callsAlternateBetweenTargets() {
    try (var other =
        FakeHmacd.start().key(KEY, ALGORITHM, "a secret of this test".getBytes(UTF_8))) {
      application
          .withPropertyValues("hmacd.targets=" + fake.target() + "," + other.target())
          .run(
              context -> {
                HmacdClient hmacd = context.getBean(HmacdClient.class);
                hmacd.generateMac(KEY, MESSAGE, ALGORITHM);
                hmacd.generateMac(KEY, MESSAGE, ALGORITHM);
              });
      assertThat(fake.attempts()).isPositive();
      assertThat(other.attempts()).isPositive();
    }
  }

  @Test
  void clientClosesWithTheContext() {
    var client = new AtomicReference<HmacdClient>();
    application.run(
        context -> {
          client.set(context.getBean(HmacdClient.class));
          client.get().generateMac(KEY, MESSAGE, ALGORITHM);
        });
    assertThatThrownBy(() -> client.get().generateMac(KEY, MESSAGE, ALGORITHM))
        .isInstanceOf(ClosedException.class);
  }

  @Test
  void clientOfTheApplicationReplacesTheClientOfTheProperties() {
    empty
        .withBean(
            "own", HmacdClient.class, () -> HmacdClient.builder().target(fake.target()).build())
        .run(context -> assertThat(context).hasSingleBean(HmacdClient.class).hasBean("own"));
  }

  @Test
  void customizersApplyAfterTheProperties() {
    application
        .withPropertyValues("hmacd.max-message-bytes=5")
        .withBean(HmacdClientCustomizer.class, () -> builder -> builder.maxMessageBytes(6))
        .run(
            context -> {
              HmacdClient hmacd = context.getBean(HmacdClient.class);
              hmacd.generateMac(KEY, "hello!".getBytes(UTF_8), ALGORITHM);
            });
    assertThat(fake.attempts()).isEqualTo(1);
  }

  @Test
  void callsAreReportedToTheOnlyOpenTelemetry() {
    assertThat(spansOfACall(application)).containsExactly("hmacd.v1.MacService/GenerateMac");
    assertThat(spansOfACall(application.withBean("noop", OpenTelemetry.class, OpenTelemetry::noop)))
        .isEmpty();
  }

  /// The names of the spans in an application with a bean of type [OpenTelemetry]. The context
  /// closes the bean, which deletes the spans.
  private static List<String> spansOfACall(ApplicationContextRunner application) {
    var exporter = InMemorySpanExporter.create();
    var traces =
        SdkTracerProvider.builder().addSpanProcessor(SimpleSpanProcessor.create(exporter)).build();
    var telemetry = OpenTelemetrySdk.builder().setTracerProvider(traces).build();
    List<String> names = new ArrayList<>();
    application
        .withBean("telemetry", OpenTelemetry.class, () -> telemetry)
        .run(
            context -> {
              HmacdClient hmacd = context.getBean(HmacdClient.class);
              hmacd.generateMac(KEY, MESSAGE, ALGORITHM);
              exporter.getFinishedSpanItems().forEach(span -> names.add(span.getName()));
            });
    return names;
  }

  @Test
  void openTelemetryIsOptional() {
    application
        .withClassLoader(new FilteredClassLoader(OpenTelemetry.class))
        .run(
            context -> {
              HmacdClient hmacd = context.getBean(HmacdClient.class);
              hmacd.generateMac(KEY, MESSAGE, ALGORITHM);
              assertThat(context).doesNotHaveBean(HmacdClientCustomizer.class);
            });
  }

  @Test
  void limitsApply() {
    application
        .withPropertyValues("hmacd.max-message-bytes=5", "hmacd.timeout=500ms")
        .run(
            context -> {
              HmacdClient hmacd = context.getBean(HmacdClient.class);
              var tooLong =
                  catchThrowableOfType(
                      MessageTooLongException.class,
                      () -> hmacd.generateMac(KEY, "hello!".getBytes(UTF_8), ALGORITHM));
              assertThat(tooLong.limit()).isEqualTo(5);
              hmacd
                  .withDeadlineAfter(Duration.ofMinutes(2))
                  .generateMac(KEY, MESSAGE, ALGORITHM); // Connects.
              fake.next(1, Fault.late(Duration.ofSeconds(3))); // Before the default timeout, 5 s.
              assertThatThrownBy(() -> hmacd.generateMac(KEY, MESSAGE, ALGORITHM))
                  .isInstanceOf(DeadlineExceededException.class);
            });
  }

  @Test
  void unixSocketNeedsNoFiles() {
    application
        .withPropertyValues("hmacd.ca=/none", "hmacd.certificate=", "hmacd.private-key=")
        .run(context -> assertThat(context).hasSingleBean(HmacdClient.class));
  }

  @Test
  void targetsAreRequired() {
    empty.run(
        context ->
            assertThat(context)
                .getFailure()
                .rootCause()
                .isInstanceOf(HmacdPropertyException.class)
                .hasMessage("The property hmacd.targets is not set."));
  }

  @ParameterizedTest
  @ValueSource(strings = {"hmacd.ca", "hmacd.certificate", "hmacd.private-key"})
  void filesAreRequiredForTheNetwork(String missing) {
    empty
        .withPropertyValues(
            "hmacd.targets=localhost:1",
            "hmacd.ca=/ca",
            "hmacd.certificate=/c",
            "hmacd.private-key=/k")
        .withPropertyValues(missing + "=")
        .run(
            context ->
                assertThat(context)
                    .getFailure()
                    .rootCause()
                    .hasMessage("The property " + missing + " is not set."));
  }

  @ParameterizedTest
  @CsvSource({
    "hmacd.targets, http://localhost, http://localhost",
    "hmacd.timeout, 0s, PT0S",
    "hmacd.attempt-timeout, -1s, PT-1S",
    "hmacd.max-message-bytes, 0, 0",
    "hmacd.file-interval, 6s, PT6S",
  })
  void unusableValueIsNamed(String property, String value, String shown) {
    application
        .withPropertyValues(property + "=" + value)
        .run(
            context ->
                assertThat(propertyException(context.getStartupFailure()))
                    .hasMessageStartingWith("The property " + property + " is not usable: ")
                    .hasMessageEndingWith(": " + shown));
  }

  @Test
  void unreadableFileIsNamed() {
    empty
        .withPropertyValues(
            "hmacd.targets=localhost:1",
            "hmacd.ca=/none/ca.pem",
            "hmacd.certificate=/none/cert.pem",
            "hmacd.private-key=/none/key.pem")
        .run(
            context ->
                assertThat(propertyException(context.getStartupFailure()))
                    .hasMessageContaining("hmacd.ca")
                    .hasMessageContaining("/none/ca.pem"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"hmacd.ca", "hmacd.certificate", "hmacd.private-key"})
  void contentOfAFileIsNotShown(String property) {
    empty
        .withPropertyValues(
            "hmacd.targets=localhost:1",
            "hmacd.ca=/ca",
            "hmacd.certificate=/c",
            "hmacd.private-key=/k")
        .withPropertyValues(property + "=-----BEGIN PRIVATE KEY-----\nSECRET+/=\n-----END")
        .run(
            context -> {
              Throwable failure = requireNonNull(context.getStartupFailure());
              assertThat(propertyException(failure))
                  .hasMessageContaining(" has the content of a file, not a path; set ");
              assertThat(failure).hasStackTraceContaining(property);
              var trace = new StringWriter();
              failure.printStackTrace(new PrintWriter(trace));
              assertThat(trace.toString()).doesNotContain("SECRET");
            });
  }

  private static HmacdPropertyException propertyException(@Nullable Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof HmacdPropertyException found) {
        return found;
      }
    }
    throw new AssertionError("the context has no failure of a property", failure);
  }
}
