package dev.hmacd.usecase;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/// Completes a reply with the result of a future or, at the caller's deadline, with a failure. The
/// work continues after the deadline.
final class Replies {
  private Replies() {}

  static <T> void send(
      Caller caller,
      CompletableFuture<T> work,
      Reply<T> reply,
      Function<Throwable, Failure> failures) {
    long rest = Math.max(0, caller.deadlineNanos() - System.nanoTime());
    var _ =
        work.copy()
            .orTimeout(rest, TimeUnit.NANOSECONDS)
            .whenComplete(
                (value, failure) -> {
                  if (failure == null) {
                    reply.succeed(value);
                  } else {
                    reply.fail(failures.apply(failure));
                  }
                });
  }
}
