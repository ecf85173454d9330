package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs callbacks in the order of their addition, one at a time, on the threads that call [#run].
///
/// A caller adds callbacks under the lock of the state that they report, and runs them after it has
/// left the lock. With this order, a listener gets the states in their order, without a lock, and
/// the current state last.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The queue is thread-safe.
final class OrderedTasks {
  private static final Logger log = LoggerFactory.getLogger(OrderedTasks.class);

  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean running = new AtomicBoolean();

  void add(Runnable task) {
    tasks.add(task);
  }

  /// Runs the added tasks. Returns at once if another thread is already running tasks, or if a task
  /// calls this method.
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
      // A failed task must not end the thread that calls run(). The next tasks report a later
      // state.
      log.atError().setCause(e).log("Token health callback failed: unexpected error");
    }
  }
}
