package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyCheck;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.OwnKey;
import dev.hmacd.limit.OwnerQuota;
import dev.hmacd.log.LogRateLimiter;
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
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The lanes of a token, its work queue, and its watchdog. A lane is a thread with one logged-in
/// session.
///
/// The work queue is bounded. If it is full, a call fails with [Kind#BUSY] at once. The watchdog
/// fails each operation at its deadline with [Kind#LATE], also while a native call hangs, and
/// replaces a lane that hangs.
///
/// One owner may have half as many operations in flight on a token as its work queue has places. An
/// operation is in flight until it has its outcome, also after its caller has gone: a caller cannot
/// fill the queue by resets or new connections.
@ThreadSafe
public final class Lanes implements AutoCloseable {
  /// Interval at which the watchdog checks deadlines; a reply is at most this late.
  private static final Duration WATCH_INTERVAL = Duration.ofMillis(20);

  /// Interval at which an idle lane checks for keys to unload and sessions to reopen.
  static final Duration IDLE_LOOK = Duration.ofSeconds(1);

  /// Pause of a lane that got no session (CKR_SESSION_COUNT), while other lanes work.
  private static final Duration CAPACITY_PAUSE = Duration.ofMillis(500);

  /// Searching for the health check's object takes at most a hundredth of the time.
  private static final int SEARCH_PAUSE_FACTOR = 100;

  private static final Duration LONGEST_SEARCH_PAUSE = Duration.ofSeconds(30);

  private static final Logger log = LoggerFactory.getLogger(Lanes.class);

  /// Not a bounded queue, so that it always accepts stop jobs; `enqueue` bounds it.
  private final BlockingQueue<Job<?>> waiting = new LinkedBlockingQueue<>();

  /// Health-check jobs bypass the work queue. Otherwise callers could delay them by a full queue.
  private final BlockingQueue<Job<?>> questions = new LinkedBlockingQueue<>();

  private final Token token;
  private final Settings settings;
  private final LaneObserver observer;
  private final CircuitBreaker circuit;
  private final OwnerQuota owners;

  /// Active lanes, and replaced lanes that hang in the token.
  private final List<Lane> lanes = new CopyOnWriteArrayList<>();

  /// Keys that the last search did not find.
  private final ReportedKeys missing = new ReportedKeys();

  /// Keys whose attributes were not fit at the last load.
  private final ReportedKeys unfit = new ReportedKeys();

  private final AtomicInteger reopenings = new AtomicInteger();
  private volatile @Nullable OwnKey healthCheckKey;
  private volatile long nextSearchNanos = System.nanoTime();

  /// Keys whose label and id name another key on the token.
  private final ReportedKeys others = new ReportedKeys();

  private final LogRateLimiter faults = new LogRateLimiter(Duration.ofSeconds(1));
  private final CountDownLatch stop = new CountDownLatch(1);
  private final Thread watch =
      Thread.ofPlatform().name("hmacd-lane-watch").daemon().unstarted(this::watch);

  /// Used by the watchdog only, after it has started.
  private int started;

  private boolean reportedCap;
  private volatile boolean stopping;

  /// Number of lanes, and their limits.
  ///
  /// @param count number of lanes, 1 or more
  /// @param maxWaiting maximum number of operations in the queue, 1 or more; exceeded by at most
  ///   one for each thread that enqueues at the same time
  /// @param hang duration of an operation after which the watchdog replaces its lane
  /// @param maxReplaced maximum number of replaced lanes that hang in the token at the same time
  /// @param stop how long [#close] waits for operations in flight
  public record Settings(
      int count, int maxWaiting, Duration hang, int maxReplaced, Duration stop) {}

  public Lanes(Token token, Settings settings, LaneObserver observer) {
    this.token = token;
    this.settings = settings;
    this.observer = observer;
    this.circuit = token.circuit();
    this.owners = OwnerQuota.halfOf(settings.maxWaiting());
    for (int i = 0; i < settings.count(); i++) {
      lanes.add(new Lane(token, this, observer, System.nanoTime()));
    }
  }

  /// Opens the session of the first lane, before its thread starts. The other lanes open their
  /// sessions at their first job.
  ///
  /// @throws TokenException if the token does not open a logged-in session
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

  CircuitBreaker circuit() {
    return circuit;
  }

  /// Queues a MAC for the next free lane and returns at once. A lane or the watchdog calls
  /// `completion`; a refused call fails on this thread.
  ///
  /// @param completion gets the MAC
  public void sign(SignRequest request, Completion<byte[]> completion) {
    enqueue(Job.sign(request, completion));
  }

  /// Queues other work for the next free lane.
  ///
  /// @param repeatable whether a lane may repeat the work after a fault of the token
  public <T> CompletableFuture<T> submit(
      TokenWork<T> work, boolean repeatable, long deadlineNanos) {
    return submit(null, work, repeatable, deadlineNanos);
  }

  /// Like [#submit(TokenWork, boolean, long)].
  ///
  /// @param owner as [Completion#owner]
  public <T> CompletableFuture<T> submit(
      @Nullable Object owner, TokenWork<T> work, boolean repeatable, long deadlineNanos) {
    CompletableFuture<T> result = new CompletableFuture<>();
    enqueue(Job.of(work, repeatable, deadlineNanos, new FutureCompletion<>(result, owner)));
    return result;
  }

  /// Submits a health check, also while the token is out of service.
  void ask(OwnKey key, long deadlineNanos, Completion<byte[]> completion) {
    enqueue(Job.question(key, deadlineNanos, completion));
  }

  /// Sets the health check's key. Lanes then report a key as missing only while the token has this
  /// key.
  void believeAbsenceWith(OwnKey key) {
    healthCheckKey = key;
  }

  @Nullable OwnKey healthCheckKey() {
    return healthCheckKey;
  }

  /// Whether the health check must search for its object again: a working handle does not prove
  /// that searches find keys.
  boolean isSearchDue() {
    return !circuit.isInService() || System.nanoTime() - nextSearchNanos >= 0;
  }

  /// The health check's object was found.
  ///
  /// @param nanos duration of the search
  void searched(long nanos) {
    nextSearchNanos = System.nanoTime() + pauseAfterSearch(nanos);
  }

  /// Makes the next health check search.
  void searchAgain() {
    nextSearchNanos = System.nanoTime();
  }

  static long pauseAfterSearch(long nanos) {
    return Math.min(nanos * SEARCH_PAUSE_FACTOR, LONGEST_SEARCH_PAUSE.toNanos());
  }

  /// A key was not found on a token that has its other objects.
  void missed(KeyObject key) {
    if (missing.add(key)) {
      evict(key); // Lanes with a copy would answer otherwise.
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("label", key.label())
          .addKeyValue("id", key.idHex())
          .log("Key not found on the token");
    }
  }

  /// A key was found, but its attributes do not allow its use, or several objects could be it.
  void unfit(KeyObject key, TokenException e) {
    if (unfit.add(key)) {
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("label", key.label())
          .addKeyValue("id", key.idHex())
          .addKeyValue("reason", e.unfit().map(Unfit::text).orElseGet(e::getMessage))
          .log(
              e.kind() == Kind.KEY_AMBIGUOUS
                  ? "Key not usable: several objects have its label and id"
                  : "Key not fit for MACs");
    }
  }

  /// A key was found and may be used.
  void loaded(KeyObject key) {
    missing.remove(key);
    unfit.remove(key);
  }

  /// Makes every lane reopen its session before its next job. This also drops the session copies,
  /// whose token objects may be lost.
  void reopenSessions() {
    reopenings.incrementAndGet();
  }

  int reopenings() {
    return reopenings.get();
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
    } else if (!job.enter(owners)) {
      job.failed(
          new TokenException(
              Kind.OWNER_BUSY, owners.max() + " operations of one owner are in flight"));
    } else {
      waiting.add(job);
      // The stop may have come between the check and the addition.
      if (stopping && waiting.remove(job)) {
        job.failed(stopped());
      }
    }
  }

  private static TokenException stopped() {
    return new TokenException(Kind.STOPPED, "the daemon is stopping");
  }

  /// Reports that another object has the label and id of a key: logs it once until the key is back.
  void reportAnotherKey(KeyObject object, KeyCheck check) {
    if (others.add(object)) {
      log.atError()
          .addKeyValue("key_id", check.key())
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("object_label", object.label())
          .log(
              "Another key is on the token under the label and id of this key; the other key is not used");
    }
  }

  /// Reports that an object is the key of its label and id.
  void reportRecognised(KeyObject object) {
    others.remove(object);
  }

  static TokenException outOfService() {
    return new TokenException(Kind.UNAVAILABLE, "the token is out of service");
  }

  boolean mayPerform(Job<?> job) {
    return circuit.isInService() || (job.isQuestion() && !circuit.isPinRefused());
  }

  /// Returns a job to the queue, because its lane got no session.
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

  /// Waits, so that other lanes take the jobs.
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

  /// Logs a fault, with a rate limit: the first at once, then at most one message in a second, with
  /// a count.
  void log(TokenException e) {
    if (e.fault() == Fault.STALE || e.fault() == Fault.CAPACITY) {
      return; // Is not a new fault of the token.
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

  /// Reports a fault from which a lane could not recover.
  void failed(TokenException e) {
    circuit.failed(e);
  }

  /// Removes a lane whose thread ends.
  void ended(Lane lane) {
    lanes.remove(lane);
  }

  /// The next job, which may be a stop job; null if no job arrived within [#IDLE_LOOK].
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

  /// Makes every lane unload its handle and its copy of a key. Call it after the key is gone from
  /// the token: before, a lane could load the key again.
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
          // One failure must not end the watchdog.
          log.atError().setCause(e).log("Lane watchdog failed");
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
        // The job may hang until its deadline. Another token may serve the call meanwhile.
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
        if (!reportedCap) {
          reportedCap = true;
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
      reportedCap = false;
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("hanging", hanging())
          .log("A lane hangs in the token; another has its place");
    }
  }

  /// Number of operations in the queue.
  public int waiting() {
    return waiting.size();
  }

  /// The configured number of lanes.
  public int size() {
    return settings.count();
  }

  /// Number of replaced lanes that hang in the token.
  public int hanging() {
    return (int) lanes.stream().filter(Lane::isRetired).count();
  }

  /// Number of lanes in a token operation.
  public int busy() {
    return (int) lanes.stream().filter(Lane::isBusy).count();
  }

  /// Number of lanes with an open session.
  public int sessions() {
    return (int) lanes.stream().filter(Lane::hasSession).count();
  }

  /// Number of lanes in an operation whose deadline has passed.
  public int overdue() {
    long now = System.nanoTime();
    return (int) lanes.stream().filter(lane -> lane.overdue(now) != null).count();
  }

  /// Nanoseconds since the last answer of the token; before the first, since the creation of these
  /// lanes. A refusal that is no fault of the token is an answer, too.
  long sinceLastAnswer() {
    long now = System.nanoTime();
    return lanes.stream()
        .mapToLong(lane -> now - lane.lastAnswerNanos())
        .min()
        .orElse(Long.MAX_VALUE);
  }

  /// Refuses new operations, finishes the accepted ones, and closes the sessions. After the time
  /// limit it fails the operations of lanes that hang with [Kind#STOPPED]. Such a lane ends after
  /// its native call.
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
      // The stop job stays for a lane that hangs, in case its native call returns.
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
