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

/// A deferred step of a request, for example after its signing key is loaded.
final class AwsReplyTest {
  private final AtomicInteger runs = new AtomicInteger();
  private final DisconnectingClient client = new DisconnectingClient();
  private final AwsReply reply =
      new AwsReply(
          Call.ofDaemon(Principal.uid(0), 0),
          client,
          new AwsErrors(new ArnScope("aws", "eu-central-1", "123456789012")));

  @Test
  void stepRunsOnce() {
    Runnable later = reply.unlessAbandoned(runs::incrementAndGet);
    later.run();
    later.run();
    assertThat(runs).hasValue(1);
  }

  /// The body of a request no longer counts as memory after its client disconnects. So nothing may
  /// reference the body.
  @Test
  void stepIsReleasedAfterTheClientDisconnects() {
    var body = new Object();
    var kept = new WeakReference<>(body);
    Runnable later = reply.unlessAbandoned(step(body));
    body = null;
    client.disconnect();
    Eventually.holds(
        "the body is garbage collected",
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

  private static final class DisconnectingClient implements Exchange {
    private @Nullable Runnable whenGone;

    void disconnect() {
      if (whenGone != null) {
        whenGone.run();
      }
    }

    @Override
    public void respond(Supplier<@Nullable Response> release, int heldBytes) {}

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
