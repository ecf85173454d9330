package dev.hmacd.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.usecase.Failure;
import io.grpc.Attributes;
import io.grpc.netty.InternalGracefulServerCloseCommand;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The times of a [CertificateEnd], with a clock that only the test advances.
final class CertificateEndScheduleTest {
  private static final Duration GRACE = Duration.ofSeconds(10);
  private static final Duration TEN_YEARS = Duration.ofDays(3650);
  private static final List<Double> RANDOMS = List.of(0.0, 0.5, Math.nextDown(1.0));

  /// The result of `runScheduledPendingTasks` without a scheduled task.
  private static final long NONE = -1;

  private final MockTicker ticker = Ticker.newMockTicker();
  private final EmbeddedChannel channel = EmbeddedChannel.builder().ticker(ticker).build();
  private final AtomicReference<Duration> remaining = new AtomicReference<>(TEN_YEARS);

  private CertificateEnd started(Duration left) {
    remaining.set(left);
    return CertificateEnd.start(channel, remaining::get, GRACE);
  }

  private void advance(Duration by) {
    remaining.set(remaining.get().minus(by));
    ticker.advance(by.toNanos(), TimeUnit.NANOSECONDS);
    channel.runPendingTasks();
  }

  private @Nullable Object written() {
    return channel.readOutbound();
  }

  private void assertClosesGracefully() {
    assertThat(written())
        .usingRecursiveComparison()
        .isEqualTo(
            InternalGracefulServerCloseCommand.create(
                CertificateEnd.DEBUG_DATA, GRACE.toNanos(), TimeUnit.NANOSECONDS));
  }

  static Stream<Duration> remainders() {
    return Stream.of(
        Duration.ofSeconds(Long.MIN_VALUE),
        Duration.ofDays(-1),
        Duration.ofNanos(-1),
        Duration.ZERO,
        Duration.ofNanos(1),
        Duration.ofSeconds(1).minusNanos(1),
        Duration.ofSeconds(1),
        Duration.ofSeconds(5),
        Duration.ofMinutes(4).minusNanos(1),
        Duration.ofMinutes(4),
        Duration.ofHours(1),
        Duration.ofDays(90),
        TEN_YEARS,
        Duration.ofDays(365 * 8000),
        Duration.ofSeconds(Long.MAX_VALUE, 999_999_999));
  }

  @ParameterizedTest
  @MethodSource("remainders")
  void delayIsNeverNegativeOrLong(Duration left) {
    for (double random : RANDOMS) {
      Duration lead = CertificateEnd.lead(left, random);
      Duration delay = CertificateEnd.delay(left, lead);
      assertThat(delay).isBetween(Duration.ZERO, CertificateEnd.MAX_DELAY);
      assertThat(lead).isBetween(Duration.ZERO, Duration.ofMinutes(2));
      if (left.isPositive()) {
        assertThat(delay).isPositive();
        assertThat(lead.multipliedBy(2)).isLessThanOrEqualTo(left);
      } else {
        assertThat(delay).isZero();
      }
    }
  }

  @Test
  void leadIsRandom() {
    Duration hour = Duration.ofHours(1);
    assertThat(CertificateEnd.lead(hour, 0)).isEqualTo(Duration.ofMinutes(1));
    assertThat(CertificateEnd.lead(hour, 0.5)).isEqualTo(Duration.ofSeconds(90));
    assertThat(CertificateEnd.lead(Duration.ofSeconds(4), 0)).isEqualTo(Duration.ofSeconds(1));
    assertThat(CertificateEnd.lead(Duration.ofSeconds(4), 0.5)).isEqualTo(Duration.ofMillis(1500));
  }

  /// Each connection of a client with the old certificate gets a GOAWAY of its own.
  @Test
  void clientWithoutARenewedCertificateReconnectsAFewTimes() {
    for (double random : RANDOMS) {
      Duration left = TEN_YEARS;
      int connections = 0;
      while (left.isPositive()) {
        left = CertificateEnd.lead(left, random); // It connects again at once.
        connections++;
      }
      assertThat(connections).isBetween(3, 9);
    }
  }

  @Test
  void closesOnceBeforeTheEnd() {
    CertificateEnd end = started(Duration.ofSeconds(40));
    advance(Duration.ofSeconds(19)); // The lead is 10 to 20 seconds.
    assertThat(written()).isNull();
    advance(Duration.ofSeconds(12));
    assertClosesGracefully();
    advance(Duration.ofHours(2));
    CertificateEnd.refused(attributes(end), new Failure.Unauthenticated());
    assertThat(written()).isNull();
    assertThat(channel.runScheduledPendingTasks()).isEqualTo(NONE);
  }

  private static Attributes attributes(CertificateEnd end) {
    return Attributes.newBuilder().set(CertificateEnd.KEY, end).build();
  }

  @Test
  void lastingCertificateIsCheckedEachHour() {
    CertificateEnd _ = started(TEN_YEARS);
    for (int i = 0; i < 3; i++) {
      assertThat(channel.runScheduledPendingTasks()).isEqualTo(CertificateEnd.MAX_DELAY.toNanos());
      advance(CertificateEnd.MAX_DELAY);
      assertThat(written()).isNull();
    }
    remaining.set(Duration.ZERO); // For example, the certificate is not trusted any more.
    ticker.advance(CertificateEnd.MAX_DELAY.toNanos(), TimeUnit.NANOSECONDS);
    channel.runPendingTasks();
    assertClosesGracefully();
  }

  @Test
  void timerEndsWithTheConnection() {
    CertificateEnd _ = started(TEN_YEARS);
    assertThat(channel.runScheduledPendingTasks()).isPositive();
    channel.unsafe().close(channel.newPromise()); // `channel.close` would cancel all tasks.
    assertThat(channel.isOpen()).isFalse();
    assertThat(channel.runScheduledPendingTasks()).isEqualTo(NONE);
  }

  @Test
  void onlyARefusalForTheCertificateClosesTheConnection() {
    Attributes attributes = attributes(started(TEN_YEARS));
    CertificateEnd.refused(attributes, new Failure.MethodNotFound());
    CertificateEnd.refused(Attributes.EMPTY, new Failure.Unauthenticated());
    assertThat(written()).isNull();
    CertificateEnd.refused(attributes, new Failure.Unauthenticated());
    assertClosesGracefully();
  }
}
