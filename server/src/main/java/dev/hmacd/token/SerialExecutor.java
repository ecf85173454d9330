package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs callbacks in the order of their addition, one at a time, on the threads that call [#run].
///
/// A caller adds a callback while it holds the lock of its state, and calls [#run] after it has
/// released the lock. So a listener gets all states in order, and the current state last. No lock
/// is held while a callback runs.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The queue is thread-safe.
final class SerialExecutor {
  private static final Logger log = LoggerFactory.getLogger(SerialExecutor.class);

  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean running = new AtomicBoolean();

  void add(Runnable task) {
    tasks.add(task);
  }

  /// Runs the added callbacks. Returns at once if another thread is already running callbacks, or
  /// if a callback calls this method.
  void run() {
    // Loops, because another thread may add a task between the last poll and the reset of
    // `running`.
    while (!tasks.isEmpty() && running.compareAndSet(false, true)) {
      try {
        for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
          run(task);
        }
      } finally {
        running.set(false);
      }
    }
  }

  private static void run(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException | Error e) {
      // A failed callback must not end the thread that calls run(). The next callbacks report a
      // later state.
      log.atError()
          .setCause(e)
          .log("Token health callback failed with an unexpected Java exception");
    }
  }
}
