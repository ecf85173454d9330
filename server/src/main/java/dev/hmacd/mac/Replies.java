package dev.hmacd.mac;

import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/// Leaves the outcome of work with who waits for it.
final class Replies {
  private Replies() {}

  static <T> void send(
      CompletableFuture<T> work, Reply<T> reply, Function<Throwable, Failure> failures) {
    var _ =
        work.whenComplete(
            (value, failure) -> {
              if (failure == null) {
                reply.succeed(value);
              } else {
                reply.fail(failures.apply(failure));
              }
            });
  }
}
