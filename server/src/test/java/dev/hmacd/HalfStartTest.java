package dev.hmacd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.token.CircuitBreaker;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenInfo;
import dev.hmacd.token.TokenSession;
import dev.hmacd.v1.KeySpec;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/// A start that fails closes what it has opened, so that the next start succeeds.
final class HalfStartTest {
  static final List<Throwable> UNEXPECTED =
      List.of(new IllegalStateException("unexpected"), new NoClassDefFoundError("unexpected"));

  /// A token whose next open fails in an unexpected way.
  private record FailingToken(Token real, AtomicReference<@Nullable Throwable> failure)
      implements Token {
    @Override
    public TokenInfo info() {
      return real.info();
    }

    @Override
    public CircuitBreaker circuit() {
      return real.circuit();
    }

    @Override
    public TokenSession open() throws TokenException {
      Throwable next = failure.getAndSet(null);
      if (next instanceof RuntimeException e) {
        throw e;
      }
      if (next instanceof Error e) {
        throw e;
      }
      return real.open();
    }

    @Override
    public boolean reinitialize(BooleanSupplier needed) throws TokenException {
      return real.reinitialize(needed);
    }

    @Override
    public void retryPin() {
      real.retryPin();
    }
  }

  @ParameterizedTest
  @FieldSource("UNEXPECTED")
  void unexpectedFailureLeavesTheStartAndClosesAllParts(Throwable unexpected) {
    var failure = new AtomicReference<@Nullable Throwable>();
    try (var daemon =
        LoopbackDaemon.withAdmin().wrapping(token -> new FailingToken(token, failure))) {
      daemon.start();
      daemon.daemon().close();
      // The own keys exist now, so that the first lane opens the first session.
      failure.set(unexpected);
      assertThatThrownBy(daemon::open).isSameAs(unexpected);
      assertThat(daemon.socket()).doesNotExist();
      daemon.start();
      assertThat(daemon.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256)).isNotEmpty();
    }
  }

  @Test
  void secondCloseDoesNothing() {
    try (var daemon = LoopbackDaemon.withAdmin().start()) {
      daemon.daemon().close();
      daemon.daemon().close();
      assertThat(daemon.socket()).doesNotExist();
    }
  }
}
