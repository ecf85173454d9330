package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs token operations on lanes: threads that each own one logged-in session.
///
/// The queue is bounded: a token that cannot keep up shows to callers as [Kind#BUSY] at once, not
/// as waiting in here. Whatever waits or runs past its deadline is answered [Kind#LATE], also while
/// a native call hangs: that call keeps its lane busy and nothing else.
@ThreadSafe
public final class Lanes implements AutoCloseable {
  /// How often deadlines are looked at; an answer is at most that late.
  private static final Duration WATCH_INTERVAL = Duration.ofMillis(20);

  /// How long a lane without jobs waits until it looks whether it has something to give up.
  static final Duration IDLE_LOOK = Duration.ofSeconds(1);

  private static final Logger log = LoggerFactory.getLogger(Lanes.class);

  /// Without a bound of its own, so that the words to stop always find room; `enqueue` bounds it.
  private final BlockingQueue<Job<?>> waiting = new LinkedBlockingQueue<>();

  private final int maxWaiting;
  private final List<Lane> lanes = new ArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private final Duration stopLimit;
  private volatile boolean stopping;

  /// @param count how many lanes, 1 or more
  /// @param maxWaiting how many operations may wait, 1 or more; exceeded by at most one for each
  ///   thread that hands one over in the same moment
  /// @param stopLimit how long [#close] waits for what is under way
  public Lanes(Token token, int count, int maxWaiting, Duration stopLimit, LaneObserver observer) {
    this.maxWaiting = maxWaiting;
    this.stopLimit = stopLimit;
    for (int i = 0; i < count; i++) {
      lanes.add(new Lane(token, this, observer));
    }
  }

  /// Opens the first lane's session, and starts all lanes; the others open theirs when they are
  /// needed.
  ///
  /// @throws TokenException when the token does not open a logged-in session
  public void start() throws TokenException {
    lanes.getFirst().open();
    for (int i = 0; i < lanes.size(); i++) {
      threads.add(Thread.ofPlatform().name("hmacd-lane-" + i).start(lanes.get(i)));
    }
    threads.add(Thread.ofPlatform().name("hmacd-lane-watch").daemon().start(this::watch));
  }

  /// Hands a message to the next free lane and returns at once; the lane calls `completion`.
  ///
  /// @param deadlineNanos in [System#nanoTime]'s terms; a job past it never reaches the token
  /// @param completion gets the MAC of the algorithm's full length
  public void sign(
      KeyObject key,
      MacAlgorithm algorithm,
      byte[] message,
      long deadlineNanos,
      Completion<byte[]> completion) {
    enqueue(Job.sign(key, algorithm, message, deadlineNanos, completion));
  }

  /// Hands other work to the next free lane.
  ///
  /// @param repeatable whether a lane may do it a second time after a fault of the token
  public <T> CompletableFuture<T> submit(
      TokenWork<T> work, boolean repeatable, long deadlineNanos) {
    CompletableFuture<T> result = new CompletableFuture<>();
    enqueue(Job.of(work, repeatable, deadlineNanos, new FutureCompletion<>(result)));
    return result;
  }

  private void enqueue(Job<?> job) {
    if (stopping) {
      job.failed(new TokenException(Kind.STOPPED, "the daemon is stopping"));
    } else if (waiting.size() >= maxWaiting) {
      job.failed(new TokenException(Kind.BUSY, maxWaiting + " operations wait for the token"));
    } else {
      waiting.add(job);
      // The stop may have passed between the look and the addition.
      if (stopping && waiting.remove(job)) {
        job.failed(new TokenException(Kind.STOPPED, "the daemon is stopping"));
      }
    }
  }

  /// The next job, which may be the word to stop; null when none came for a while.
  @Nullable Job<?> take() {
    try {
      return waiting.poll(IDLE_LOOK.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Job.stop();
    }
  }

  /// Has every lane give up its handle to a key, and its copy of it. To be called when the key is
  /// gone from the token: until then a lane could load it again.
  public void evict(KeyObject key) {
    lanes.forEach(lane -> lane.evict(key));
  }

  private void watch() {
    try {
      while (true) {
        TimeUnit.NANOSECONDS.sleep(WATCH_INTERVAL.toNanos());
        try {
          answerLate(System.nanoTime());
        } catch (RuntimeException | Error e) {
          // Whoever is told must not end the watch for all others.
          log.atError().setCause(e).log("A late call was not answered");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void answerLate(long now) {
    for (Job<?> job : waiting) {
      if (!job.isStop() && job.isExpired(now) && waiting.remove(job)) {
        job.late();
      }
    }
    for (Lane lane : lanes) {
      Job<?> overdue = lane.overdue(now);
      if (overdue != null) {
        overdue.late();
      }
    }
  }

  /// How many operations wait for a lane.
  public int waiting() {
    return waiting.size();
  }

  /// How many lanes there are.
  public int size() {
    return lanes.size();
  }

  /// How many lanes are in a token operation.
  public int busy() {
    return (int) lanes.stream().filter(Lane::isBusy).count();
  }

  /// How many lanes have a session open.
  public int sessions() {
    return (int) lanes.stream().filter(Lane::hasSession).count();
  }

  /// How many lanes are in an operation whose deadline has passed.
  public int overdue() {
    long now = System.nanoTime();
    return (int) lanes.stream().filter(lane -> lane.overdue(now) != null).count();
  }

  /// How long ago the token last did what it was asked to, in nanoseconds; before it ever did, how
  /// long ago these lanes were made.
  long sinceLastAnswer() {
    long now = System.nanoTime();
    return lanes.stream().mapToLong(lane -> now - lane.lastAnswerNanos()).min().orElseThrow();
  }

  /// Takes no more, ends what was taken, and closes the sessions; past the limit it gives up on
  /// lanes that hang, and answers [Kind#STOPPED] for them. Such a lane ends when its call does.
  @Override
  public void close() {
    stopping = true;
    if (threads.isEmpty()) {
      return;
    }
    for (int i = 0; i < lanes.size(); i++) {
      waiting.add(Job.stop());
    }
    long end = System.nanoTime() + stopLimit.toNanos();
    try {
      for (Thread thread : threads.subList(0, lanes.size())) {
        if (!thread.join(Duration.ofNanos(Math.max(1, end - System.nanoTime())))) {
          log.atWarn().addKeyValue("lane", thread.getName()).log("A lane hangs in the token");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    threads.getLast().interrupt();
    TokenException stopped = new TokenException(Kind.STOPPED, "the daemon is stopping");
    for (Job<?> job : waiting) {
      // A lane that hangs is to find its word to stop, should it ever come back.
      if (!job.isStop() && waiting.remove(job)) {
        job.failed(stopped);
      }
    }
    for (Lane lane : lanes) {
      Job<?> hanging = lane.current();
      if (hanging != null) {
        hanging.failed(stopped);
      }
    }
  }
}
