package dev.hmacd.token;

import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Fault;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A thread with a session of its own, and the handles of the keys that it has used. A session
/// takes one operation at a time, and a native call can hang: a lane confines both.
final class Lane implements Runnable {
  /// Handles that a lane keeps; each may be a session object in the token's memory.
  private static final int MAX_HANDLES = 4096;

  /// Of one job; more than two only when sessions were put in doubt in between.
  private static final int MAX_ATTEMPTS = 4;

  private static final Logger log = LoggerFactory.getLogger(Lane.class);

  private final Token token;
  private final Lanes lanes;
  private final LaneObserver observer;

  /// Least recently used first.
  private final Map<KeyObject, Long> handles = new LinkedHashMap<>(16, 0.75f, true);

  /// Keys that are gone from the token, whose handles and copies are to go, too.
  private final Queue<KeyObject> gone = new ConcurrentLinkedQueue<>();

  /// Written by the lane alone; others look whether there is one.
  private volatile @Nullable TokenSession session;

  /// What runs now; read by the watch.
  private volatile @Nullable Job<?> current;

  /// When that began.
  private volatile long startedNanos;

  private volatile long lastAnswerNanos;

  /// Whether another lane has its place.
  private volatile boolean retired;

  private volatile @Nullable Thread thread;

  /// @param lastAnswerNanos when the token last did what the lane whose place this has asked it to
  Lane(Token token, Lanes lanes, LaneObserver observer, long lastAnswerNanos) {
    this.lastAnswerNanos = lastAnswerNanos;
    this.token = token;
    this.lanes = lanes;
    this.observer = observer;
  }

  /// Opens the session before there is a thread, so that a start with a broken token fails.
  void open() throws TokenException {
    session();
  }

  /// Starts the lane's thread.
  void start(String name) {
    thread = Thread.ofPlatform().name(name).start(this);
  }

  @Override
  public void run() {
    try {
      while (!retired) {
        Job<?> job = lanes.take();
        unloadGone();
        if (job != null && job.isStop()) {
          return;
        }
        if (job != null) {
          perform(job);
        }
      }
    } finally {
      closeSession();
      lanes.ended(this);
    }
  }

  private <T> void perform(Job<T> job) {
    long start = System.nanoTime();
    if (job.isExpired(start)) {
      job.late();
      return;
    }
    if (job.isAnswered()) {
      return;
    }
    if (job.isAbandoned()) {
      job.late(); // Nobody waits for it, but somebody may count it.
      return;
    }
    if (!lanes.mayPerform(job)) {
      job.failed(Lanes.outOfService());
      return;
    }
    startedNanos = start;
    current = job;
    try {
      T value = attempt(job);
      long end = System.nanoTime();
      lastAnswerNanos = end;
      observer.finished(start - job.queuedAtNanos, end - start);
      job.done(value);
    } catch (TokenException e) {
      if (e.fault() == Fault.CAPACITY && lanes.hasSessionBeside(this)) {
        current = null;
        lanes.giveBack(job);
        lanes.pause();
        return;
      }
      long end = System.nanoTime();
      if (e.fault() == Fault.NONE) {
        lastAnswerNanos = end; // The token did not fail: it said no.
      }
      observer.finished(start - job.queuedAtNanos, end - start);
      lanes.failed(e);
      job.failed(e);
    } catch (RuntimeException | Error e) {
      // Nobody foresaw it, so the session may be in any state. A lane outlives errors, too: memory
      // that a caller's answer did not find is there for the next.
      log.atError().setCause(e).log("A token operation failed in an unforeseen way");
      closeSession();
      job.failed(TokenException.fault(Fault.DEVICE, "unforeseen failure", e));
    } finally {
      current = null;
    }
  }

  /// Once, and again on another session if doing it twice does no harm.
  private <T> T attempt(Job<T> job) throws TokenException {
    int faults = 0;
    for (int attempt = 1; ; attempt++) {
      try {
        return job.perform(this);
      } catch (TokenException e) {
        boolean healed = heal(e);
        if (e.fault() != Fault.STALE) {
          faults++;
        }
        if (!healed
            || faults > 1
            || attempt == MAX_ATTEMPTS
            || !job.isRepeatable()
            || job.isExpired(System.nanoTime())) {
          throw e;
        }
      }
    }
  }

  /// Whether the next session may do better.
  private boolean heal(TokenException e) {
    if (e.fault() == Fault.NONE) {
      return false;
    }
    closeSession();
    observer.healed(e.fault().name());
    lanes.log(e);
    return switch (e.fault()) {
      case NONE, PIN, WRONG_MAC, CAPACITY -> false;
      case STALE, SESSION, LOGIN, OBJECT, DEVICE, MODULE -> true;
    };
  }

  /// The lane's session; opened anew after a fault closed it.
  TokenSession session() throws TokenException {
    TokenSession open = session;
    if (open == null) {
      open = token.open();
      session = open;
    }
    return open;
  }

  /// A handle to a key in this lane's session, found and checked when it is not known yet.
  long handle(KeyObject key) throws TokenException {
    Long known = handles.get(key);
    if (known != null) {
      return known;
    }
    if (handles.size() >= MAX_HANDLES) {
      var eldest = handles.entrySet().iterator().next();
      handles.remove(eldest.getKey());
      session().unload(eldest.getValue());
    }
    long loaded = session().load(key);
    handles.put(key, loaded);
    return loaded;
  }

  /// Has the lane give up a key for good: before its next job, or within [Lanes#IDLE_LOOK].
  /// Thread-safe.
  void evict(KeyObject key) {
    gone.add(key);
  }

  private void unloadGone() {
    for (KeyObject key = gone.poll(); key != null; key = gone.poll()) {
      Long known = handles.remove(key);
      TokenSession open = session;
      if (known != null && open != null) {
        try {
          open.unload(known);
        } catch (TokenException | RuntimeException e) {
          // With its session goes what is left of it.
          log.atWarn()
              .addKeyValue("reason", e.getMessage())
              .log("A copy of a key was not unloaded");
          closeSession();
        }
      }
    }
  }

  private void closeSession() {
    handles.clear();
    TokenSession open = session;
    session = null;
    if (open != null) {
      open.close();
    }
  }

  /// Whether a job runs for longer than a limit.
  boolean hangs(long nowNanos, long limitNanos) {
    return current != null && nowNanos - startedNanos > limitNanos;
  }

  /// Has the lane end when its job does: another has its place.
  void retire() {
    retired = true;
  }

  boolean isRetired() {
    return retired;
  }

  /// Waits for the lane's end.
  ///
  /// @return whether it came
  boolean join(Duration limit) throws InterruptedException {
    Thread running = thread;
    return running == null || running.join(limit);
  }

  /// What runs on this lane and should have ended by then.
  @Nullable Job<?> overdue(long nowNanos) {
    Job<?> running = current;
    return running != null && running.isExpired(nowNanos) ? running : null;
  }

  /// What runs on this lane now.
  @Nullable Job<?> current() {
    return current;
  }

  /// When the token last did what this lane asked it to; before it did, when the lane was made.
  long lastAnswerNanos() {
    return lastAnswerNanos;
  }

  boolean hasSession() {
    return session != null;
  }

  boolean isBusy() {
    return current != null;
  }
}
