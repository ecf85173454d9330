package dev.hmacd;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/// Closes registered parts in the reverse order of their registration, each once.
///
/// A part that fails or exceeds its time limit does not keep the other parts open. Each part closes
/// on a thread of its own, so that a hanging part cannot block the caller. Not thread-safe.
final class Closer implements AutoCloseable {
  private record Part(String name, Duration limit, AutoCloseable closeable) {}

  private final Deque<Part> open = new ArrayDeque<>();

  /// Registers a part. The part may be closed without a start.
  ///
  /// @param name for the thread and for the error message
  /// @param limit time after which the next part is closed, whether or not this part is closed
  void register(String name, Duration limit, AutoCloseable part) {
    open.push(new Part(name, limit, part));
  }

  /// Closes all parts that are still open. Throws the first failure; the other failures are
  /// suppressed exceptions of it.
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

  /// Waits for the end of a thread. An interrupt does not end the wait: the order of the parts
  /// matters.
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
      } catch (Exception | Error e) { // The closer throws it on the caller's thread.
        failure = e;
      }
    }
  }
}
