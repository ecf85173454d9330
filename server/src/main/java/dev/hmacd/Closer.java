package dev.hmacd;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/// Closes registered parts in the reverse order of their registration, each once.
///
/// Also closes the other parts if one part fails or exceeds its time limit. Each part closes on a
/// thread of its own, so that a hanging part cannot block the caller. Not thread-safe.
final class Closer implements AutoCloseable {
  private record Part(String name, Duration limit, AutoCloseable closeable) {}

  private final Deque<Part> open = new ArrayDeque<>();

  /// Registers a part to close. Closing a part must also work if the part was never started.
  ///
  /// @param name name of the part in thread names and error messages
  /// @param limit time after which the closer goes on to the next part
  void register(String name, Duration limit, AutoCloseable part) {
    open.push(new Part(name, limit, part));
  }

  /// Closes all parts that are still open. Throws the first failure, with the other failures as
  /// suppressed exceptions.
  @Override
  public void close() {
    Throwable first = null;
    while (!open.isEmpty()) {
      Throwable failure = failureOf(open.pop());
      if (first == null) {
        first = failure;
      } else if (failure != null) {
        first.addSuppressed(failure);
      }
    }
    if (first instanceof Error e) {
      throw e;
    }
    if (first instanceof RuntimeException e) {
      throw e;
    }
    if (first != null) {
      throw new IllegalStateException(first);
    }
  }

  /// Closes a part. Returns the failure, or null after a success.
  private static @Nullable Throwable failureOf(Part part) {
    var closing = new Closing(part.closeable());
    Thread thread = Thread.ofPlatform().name("hmacd-close-" + part.name()).daemon().start(closing);
    if (hasEnded(thread, part.limit())) {
      return closing.failure;
    }
    return new IllegalStateException(
        part.name() + " not closed within its time limit of " + part.limit().toMillis() + " ms");
  }

  /// Waits until a thread has ended, or the time limit has passed. An interrupt does not end the
  /// wait, because the parts must close in order.
  private static boolean hasEnded(Thread thread, Duration limit) {
    long end = System.nanoTime() + limit.toNanos();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return thread.join(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static final class Closing implements Runnable {
    private final AutoCloseable closeable;
    private volatile @Nullable Throwable failure;

    Closing(AutoCloseable closeable) {
      this.closeable = closeable;
    }

    @Override
    public void run() {
      try {
        closeable.close();
      } catch (Exception | Error e) { // Closer throws the failure on the caller's thread.
        failure = e;
      }
    }
  }
}
