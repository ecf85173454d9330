package dev.hmacd.mac;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/// Leaves the outcome of work with who waits for it, by the deadline: work that takes longer is
/// seen through, and its caller is told that it is late.
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
