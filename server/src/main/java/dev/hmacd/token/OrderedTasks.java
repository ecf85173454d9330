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
/// left the lock. So a listener gets the states in their order, under no lock, and the last state
/// that it gets is the current one.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The queue is thread-safe.
final class OrderedTasks {
  private static final Logger log = LoggerFactory.getLogger(OrderedTasks.class);

  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean running = new AtomicBoolean();

  void add(Runnable task) {
    tasks.add(task);
  }

  /// Runs the tasks that were added before this call, unless another thread runs them already, or
  /// this thread does (a task may call this method).
  void run() {
    // Again after the end: a task may have come between the last poll and the end.
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
