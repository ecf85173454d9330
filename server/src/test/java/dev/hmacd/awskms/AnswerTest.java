package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.access.Principal;
import dev.hmacd.http.Exchange;
import dev.hmacd.http.Response;
import dev.hmacd.key.ArnScope;
import dev.hmacd.testing.Eventually;
import dev.hmacd.usecase.Call;
import java.lang.ref.WeakReference;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// A step of a request that waits, such as for its signing key.
final class AnswerTest {
  private final AtomicInteger runs = new AtomicInteger();
  private final ClientThatMayLeave client = new ClientThatMayLeave();
  private final Answer answer =
      new Answer(
          Call.ofDaemon(Principal.uid(0), 0),
          client,
          new Failures(new ArnScope("aws", "eu-central-1", "123456789012")));

  @Test
  void stepRunsOnce() {
    Runnable later = answer.unlessAbandoned(runs::incrementAndGet);
    later.run();
    later.run();
    assertThat(runs).hasValue(1);
  }

  /// The body of a request counts no more after its client has gone, so nothing may keep it.
  @Test
  void stepIsDroppedWithItsClient() {
    var body = new Object();
    var kept = new WeakReference<>(body);
    Runnable later = answer.unlessAbandoned(step(body));
    body = null;
    client.leave();
    Eventually.holds(
        "the body is garbage",
        () -> {
          System.gc();
          return kept.refersTo(null);
        });
    later.run();
    assertThat(runs).hasValue(0);
  }

  private Runnable step(Object body) {
    return () -> {
      assertThat(body).isNotNull();
      runs.incrementAndGet();
    };
  }

  private static final class ClientThatMayLeave implements Exchange {
    private @Nullable Runnable whenGone;

    void leave() {
      if (whenGone != null) {
        whenGone.run();
      }
    }

    @Override
    public void respond(Supplier<@Nullable Response> release) {}

    @Override
    public boolean isGone() {
      return false;
    }

    @Override
    public void whenGone(Runnable action) {
      whenGone = action;
    }

    @Override
    public boolean admit(Object principal) {
      return true;
    }

    @Override
    public Executor executor() {
      return Runnable::run;
    }
  }
}
