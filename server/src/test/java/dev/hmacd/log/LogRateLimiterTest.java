package dev.hmacd.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/// Rate limit of a log message.
final class LogRateLimiterTest {
  @Test
  void firstEventIsLoggedAtOnce() {
    var limiter = new LogRateLimiter(Duration.ofDays(1));
    assertThat(limiter.happened()).isEqualTo(1);
  }

  @Test
  void furtherEventsOfTheIntervalAreNotLogged() {
    var limiter = new LogRateLimiter(Duration.ofDays(1));
    long _ = limiter.happened();
    for (int i = 0; i < 100; i++) {
      assertThat(limiter.happened()).isZero();
    }
  }

  @Test
  void messageAfterTheIntervalHasTheNumberOfAllEvents() {
    var limiter = new LogRateLimiter(Duration.ofMillis(20));
    long _ = limiter.happened();
    long events = 0;
    long counted;
    do {
      counted = limiter.happened();
      events++;
    } while (counted == 0);
    assertThat(counted).isEqualTo(events);
  }
}
