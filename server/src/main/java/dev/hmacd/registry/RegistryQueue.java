package dev.hmacd.registry;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.limit.Owner;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Executes the tasks of the registry on one thread, one after the other.
///
/// Urgent tasks are executed before all other tasks. Loads and the other tasks take turns, each
/// kind in the order of acceptance, so that a call that waits for its key does not wait for all
/// changes. After [#MAX_URGENT_IN_SUCCESSION] urgent tasks, one other waiting task is executed, so
/// that a flood of urgent tasks does not stop all other tasks.
///
/// Each [Urgency] has its own bound on waiting tasks. So the operations of callers cannot take the
/// places of urgent changes, or of the daemon. If all urgent places are taken, an urgent task of an
/// owner with fewer demotes the newest urgent task of the owner with the most to an ordinary task.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The lock guards all fields that change.
final class RegistryQueue {
  /// The urgency of a task, with the number of its tasks that may wait.
  enum Urgency {
    /// A change that stops a key or an access key.
    URGENT(32),
    /// A read of entries that calls wait for.
    LOAD(1),
    /// Any other operation of a caller.
    ORDINARY(256),
    /// An operation of the daemon itself, such as the change that sets a generated key to ENABLED.
    /// The operation waits in the order of the ordinary tasks, but has a place of its own: a
    /// refusal would leave the key in state CREATING.
    DAEMON(1024);

    private final int places;

    Urgency(int places) {
      this.places = places;
    }

    /// Maximum number of waiting tasks of this urgency.
    int places() {
      return places;
    }
  }

  /// Maximum number of urgent tasks that are executed one after the other while another task waits.
  static final int MAX_URGENT_IN_SUCCESSION = 8;

  private static final Logger log = LoggerFactory.getLogger(RegistryQueue.class);

  private final ReentrantLock lock = new ReentrantLock();

  /// Signals that a task was added, or that the queue was closed.
  private final Condition changed = lock.newCondition();

  private final Thread thread;

  @GuardedBy("lock")
  private final Deque<Task> urgent = new ArrayDeque<>();

  @GuardedBy("lock")
  private final Deque<Task> loads = new ArrayDeque<>();

  /// The waiting tasks that are neither urgent nor loads.
  @GuardedBy("lock")
  private final Deque<Task> others = new ArrayDeque<>();

  /// Number of waiting tasks by urgency.
  @GuardedBy("lock")
  private final Map<Urgency, Integer> waiting = new EnumMap<>(Urgency.class);

  /// Number of urgent tasks that were executed in succession while another task waited.
  @GuardedBy("lock")
  private int urgentInSuccession;

  /// Whether the last task that was not urgent was a load.
  @GuardedBy("lock")
  private boolean loadedLast;

  @GuardedBy("lock")
  private boolean accepting;

  private record Task(Urgency urgency, Owner owner, Runnable work) {
    String principal() {
      return owner.principal();
    }
  }

  RegistryQueue(String threadName) {
    thread = Thread.ofPlatform().name(threadName).unstarted(this::run);
  }

  /// Starts the thread, and accepts tasks from now on.
  void start() {
    lock.lock();
    try {
      accepting = true;
    } finally {
      lock.unlock();
    }
    thread.start();
  }

  /// As [#offer(Urgency, Owner, Runnable)], for a task of the daemon.
  boolean offer(Urgency urgency, Runnable work) {
    return offer(urgency, Owner.DAEMON, work);
  }

  /// Adds a task.
  ///
  /// @param owner the owner of an urgent task, compared by the name of its principal
  /// @return false if no place for a task of this urgency is free, or the queue does not accept
  ///   tasks ([#isAccepting]); then the task is never executed
  boolean offer(Urgency urgency, Owner owner, Runnable work) {
    lock.lock();
    try {
      if (!accepting || !hasPlace(urgency, owner)) {
        return false;
      }
      tasks(urgency).addLast(new Task(urgency, owner, work));
      waiting.merge(urgency, 1, Integer::sum);
      changed.signal();
      return true;
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private Deque<Task> tasks(Urgency urgency) {
    return switch (urgency) {
      case URGENT -> urgent;
      case LOAD -> loads;
      case ORDINARY, DAEMON -> others;
    };
  }

  /// Whether a task of an owner finds a place. Demotes another urgent task if necessary.
  @GuardedBy("lock")
  private boolean hasPlace(Urgency urgency, Owner owner) {
    return waiting.getOrDefault(urgency, 0) < urgency.places()
        || (urgency == Urgency.URGENT && demoteFor(owner));
  }

  /// Demotes the newest urgent task of the owner with the most urgent tasks to an ordinary task.
  /// The demoted task waits even if no ordinary place is free, because the queue has accepted it.
  ///
  /// @return false if no owner has at least two urgent tasks more than the given owner
  @GuardedBy("lock")
  private boolean demoteFor(Owner owner) {
    Map<String, Long> held =
        urgent.stream().collect(Collectors.groupingBy(Task::principal, Collectors.counting()));
    long most = Collections.max(held.values());
    if (most < held.getOrDefault(owner.principal(), 0L) + 2) {
      return false;
    }
    Iterator<Task> newest = urgent.descendingIterator();
    Task demoted = newest.next();
    while (held.getOrDefault(demoted.principal(), 0L) < most) {
      demoted = newest.next();
    }
    newest.remove();
    waiting.merge(Urgency.URGENT, -1, Integer::sum);
    others.addLast(new Task(Urgency.ORDINARY, demoted.owner(), demoted.work()));
    waiting.merge(Urgency.ORDINARY, 1, Integer::sum);
    return true;
  }

  /// Whether the queue was started and is not closed.
  boolean isAccepting() {
    lock.lock();
    try {
      return accepting;
    } finally {
      lock.unlock();
    }
  }

  private void run() {
    for (Runnable task = next(); task != null; task = next()) {
      try {
        task.run();
      } catch (RuntimeException | Error e) {
        // A failed task must not end the thread: all later changes of the registry need it.
        log.atError().setCause(e).log("Registry task failed with an unexpected Java exception");
      }
    }
  }

  /// Waits for the next task. Returns null if the queue is closed and all accepted tasks were
  /// executed.
  private @Nullable Runnable next() {
    lock.lock();
    try {
      while (urgent.isEmpty() && loads.isEmpty() && others.isEmpty()) {
        if (!accepting) {
          return null;
        }
        changed.awaitUninterruptibly();
      }
      Task next = (isUrgentNext() ? urgent : isLoadNext() ? loads : others).removeFirst();
      waiting.merge(next.urgency(), -1, Integer::sum);
      return next.work();
    } finally {
      lock.unlock();
    }
  }

  /// Whether an urgent task is executed next. At least one task waits.
  @GuardedBy("lock")
  private boolean isUrgentNext() {
    if (loads.isEmpty() && others.isEmpty()) {
      urgentInSuccession = 0;
      return true;
    }
    if (urgent.isEmpty() || urgentInSuccession >= MAX_URGENT_IN_SUCCESSION) {
      urgentInSuccession = 0;
      return false;
    }
    urgentInSuccession++;
    return true;
  }

  /// Whether a load is executed next, if no urgent task is.
  @GuardedBy("lock")
  private boolean isLoadNext() {
    loadedLast = !loads.isEmpty() && (others.isEmpty() || !loadedLast);
    return loadedLast;
  }

  /// Accepts no more tasks, and waits until the accepted tasks were executed and the thread has
  /// ended.
  ///
  /// @return false if the thread did not end within the time limit
  boolean close(Duration limit) throws InterruptedException {
    lock.lock();
    try {
      accepting = false;
      changed.signal();
    } finally {
      lock.unlock();
    }
    return thread.getState() == Thread.State.NEW || thread.join(limit);
  }
}
