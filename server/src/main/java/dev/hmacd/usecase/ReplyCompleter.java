package dev.hmacd.usecase;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/// Completes a reply with the result of a future or, at the deadline of the call, with the failure
/// [Failure.DeadlineExceeded]. The work continues after the deadline.
final class ReplyCompleter {
  private ReplyCompleter() {}

  static <T> void complete(
      Call call, CompletableFuture<T> work, Reply<T> reply, Function<Throwable, Failure> failures) {
    complete(call, work, reply, failures, Reauthorization.NONE);
  }

  /// @param check authorization check that runs at the release of the result
  static <T> void complete(
      Call call,
      CompletableFuture<T> work,
      Reply<T> reply,
      Function<Throwable, Failure> failures,
      Reauthorization check) {
    long rest = Math.max(0, call.deadlineNanos() - System.nanoTime());
    var _ =
        work.copy()
            .orTimeout(rest, TimeUnit.NANOSECONDS)
            .whenComplete(
                (value, failure) -> {
                  if (failure == null) {
                    reply.succeed(value, check);
                  } else {
                    reply.fail(failures.apply(failure));
                  }
                });
  }
}
