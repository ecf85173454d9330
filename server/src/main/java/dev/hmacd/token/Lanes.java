package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.log.Seldom;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
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

  /// How long a lane without a session lets others work before it tries for one.
  private static final Duration CAPACITY_PAUSE = Duration.ofMillis(500);

  private static final Logger log = LoggerFactory.getLogger(Lanes.class);

  /// Without a bound of its own, so that the words to stop always find room; `enqueue` bounds it.
  private final BlockingQueue<Job<?>> waiting = new LinkedBlockingQueue<>();

  /// The probe's, which stand in nobody's queue: else callers could keep it from being answered.
  private final BlockingQueue<Job<?>> questions = new LinkedBlockingQueue<>();

  private final Token token;
  private final Settings settings;
  private final LaneObserver observer;
  private final Circuit circuit;

  /// Those in use, and those that hang in the token and have been replaced.
  private final List<Lane> lanes = new CopyOnWriteArrayList<>();

  private final Seldom faults = new Seldom(Duration.ofSeconds(1));
  private final CountDownLatch stop = new CountDownLatch(1);
  private final Thread watch =
      Thread.ofPlatform().name("hmacd-lane-watch").daemon().unstarted(this::watch);

  /// Touched by the watch alone, once it runs.
  private int started;

  private boolean toldOfCap;
  private volatile boolean stopping;

  /// How many lanes, and what bounds them.
  ///
  /// @param count how many lanes, 1 or more
  /// @param maxWaiting how many operations may wait, 1 or more; exceeded by at most one for each
  ///   thread that hands one over in the same moment
  /// @param hang how long an operation may take before another lane gets the place of its own
  /// @param maxReplaced how many lanes may hang in the token and be replaced at a time
  /// @param stop how long [#close] waits for what is under way
  public record Settings(
      int count, int maxWaiting, Duration hang, int maxReplaced, Duration stop) {}

  public Lanes(Token token, Settings settings, LaneObserver observer) {
    this.token = token;
    this.settings = settings;
    this.observer = observer;
    this.circuit = token.circuit();
    for (int i = 0; i < settings.count(); i++) {
      lanes.add(new Lane(token, this, observer, System.nanoTime()));
    }
  }

  /// Opens the first lane's session, before there is a thread; the others open theirs when they are
  /// needed.
  ///
  /// @throws TokenException when the token does not open a logged-in session
  public void open() throws TokenException {
    lanes.getFirst().open();
  }

  public void start() {
    for (Lane lane : lanes) {
      start(lane);
    }
    watch.start();
  }

  private void start(Lane lane) {
    lane.start("hmacd-lane-" + started);
    started++;
  }

  Circuit circuit() {
    return circuit;
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

  /// As [#sign], also while the token is out of service.
  void ask(
      KeyObject key,
      MacAlgorithm algorithm,
      byte[] message,
      long deadlineNanos,
      Completion<byte[]> completion) {
    enqueue(Job.question(key, algorithm, message, deadlineNanos, completion));
  }

  private void enqueue(Job<?> job) {
    if (stopping) {
      job.failed(stopped());
    } else if (!mayPerform(job)) {
      job.failed(outOfService());
    } else if (job.isQuestion()) {
      askNext(job);
    } else if (waiting.size() >= settings.maxWaiting()) {
      job.failed(
          new TokenException(Kind.BUSY, settings.maxWaiting() + " operations wait for the token"));
    } else {
      waiting.add(job);
      // The stop may have passed between the look and the addition.
      if (stopping && waiting.remove(job)) {
        job.failed(stopped());
      }
    }
  }

  private static TokenException stopped() {
    return new TokenException(Kind.STOPPED, "the daemon is stopping");
  }

  static TokenException outOfService() {
    return new TokenException(Kind.UNAVAILABLE, "the token is out of service");
  }

  boolean mayPerform(Job<?> job) {
    return circuit.isInService() || (job.isQuestion() && !circuit.isPinRefused());
  }

  /// A job that a lane has begun with, and cannot do for want of a session.
  void giveBack(Job<?> job) {
    if (job.isQuestion()) {
      askNext(job);
    } else {
      waiting.add(job);
    }
  }

  private void askNext(Job<?> question) {
    questions.add(question);
    waiting.add(Job.NUDGE);
  }

  /// Lets other lanes work for a while.
  void pause() {
    try {
      boolean _ = stop.await(CAPACITY_PAUSE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Whether another lane has a session.
  boolean hasSessionBeside(Lane lane) {
    return lanes.stream()
        .anyMatch(other -> other != lane && !other.isRetired() && other.hasSession());
  }

  /// Tells the log of a fault: at once, and then how many there were in a second.
  void log(TokenException e) {
    if (e.fault() == Fault.STALE || e.fault() == Fault.CAPACITY) {
      return; // Says nothing new of the token.
    }
    long more = faults.happened();
    if (more > 0) {
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("fault", e.fault())
          .addKeyValue("reason", e.getMessage())
          .addKeyValue("times", more)
          .log("Token fault");
    }
  }

  /// A lane could not heal a fault.
  void failed(TokenException e) {
    circuit.failed(e);
  }

  /// A lane's thread has come to its end.
  void ended(Lane lane) {
    lanes.remove(lane);
  }

  /// The next job, which may be the word to stop; null when none came for a while.
  @Nullable Job<?> take() {
    try {
      Job<?> question = questions.poll();
      if (question != null) {
        return question;
      }
      Job<?> next = waiting.poll(IDLE_LOOK.toNanos(), TimeUnit.NANOSECONDS);
      return next != null && next.isNudge() ? questions.poll() : next;
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
          long now = System.nanoTime();
          answerLate(now);
          replaceHanging(now);
        } catch (RuntimeException | Error e) {
          // Whoever is told must not end the watch for all others.
          log.atError().setCause(e).log("The lanes were not looked after");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void answerLate(long now) {
    answerLate(waiting, now);
    answerLate(questions, now);
    for (Lane lane : lanes) {
      Job<?> running = lane.current();
      if (running == null) {
        continue;
      }
      if (running.isExpired(now)) {
        running.late();
      } else if (running.isRepeatable() && !mayPerform(running)) {
        // It may hang until its deadline, or be done elsewhere meanwhile.
        running.failed(outOfService());
      }
    }
  }

  private void answerLate(BlockingQueue<Job<?>> queue, long now) {
    for (Job<?> job : queue) {
      if (job.isStop() || job.isNudge()) {
        continue;
      }
      if (job.isExpired(now)) {
        if (queue.remove(job)) {
          job.late();
        }
      } else if (!mayPerform(job) && queue.remove(job)) {
        job.failed(outOfService());
      }
    }
  }

  private void replaceHanging(long now) {
    for (Lane lane : List.copyOf(lanes)) {
      if (stopping || lane.isRetired() || !lane.hangs(now, settings.hang().toNanos())) {
        continue;
      }
      if (hanging() >= settings.maxReplaced()) {
        if (!toldOfCap) {
          toldOfCap = true;
          log.atError()
              .addKeyValue("token_serial", token.info().serial())
              .addKeyValue("replaced", hanging())
              .log("Lanes hang in the token, and no more of them are replaced");
        }
        return;
      }
      lane.retire();
      var fresh = new Lane(token, this, observer, lane.lastAnswerNanos());
      lanes.add(fresh);
      start(fresh);
      toldOfCap = false;
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("hanging", hanging())
          .log("A lane hangs in the token; another has its place");
    }
  }

  /// How many operations wait for a lane.
  public int waiting() {
    return waiting.size();
  }

  /// How many lanes there are to be.
  public int size() {
    return settings.count();
  }

  /// How many lanes hang in the token and have been replaced.
  public int hanging() {
    return (int) lanes.stream().filter(Lane::isRetired).count();
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
    return lanes.stream()
        .mapToLong(lane -> now - lane.lastAnswerNanos())
        .min()
        .orElse(Long.MAX_VALUE);
  }

  /// Takes no more, ends what was taken, and closes the sessions; past the limit it gives up on
  /// lanes that hang, and answers [Kind#STOPPED] for them. Such a lane ends when its call does.
  @Override
  public void close() {
    stopping = true;
    stop.countDown();
    List<Lane> all = List.copyOf(lanes);
    for (int i = 0; i < all.size(); i++) {
      waiting.add(Job.stop());
    }
    long end = System.nanoTime() + settings.stop().toNanos();
    try {
      for (Lane lane : all) {
        if (!lane.join(Duration.ofNanos(Math.max(1, end - System.nanoTime())))) {
          log.atWarn().log("A lane hangs in the token");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    watch.interrupt();
    for (Job<?> job : waiting) {
      // A lane that hangs is to find its word to stop, should it ever come back.
      if (!job.isStop() && waiting.remove(job)) {
        job.failed(stopped());
      }
    }
    questions.forEach(job -> job.failed(stopped()));
    for (Lane lane : all) {
      Job<?> hanging = lane.current();
      if (hanging != null) {
        hanging.failed(stopped());
      }
    }
  }
}
