package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.limit.Owner;
import dev.hmacd.token.TokenException.Fault;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The lanes of a token. A lane is a thread that performs jobs from the [WorkQueue] in its one
/// logged-in session. The [LaneWatchdog] replaces a lane that hangs.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
public final class Lanes implements AutoCloseable {
  /// How long a lane uses the handle of a key that the token refuses. After this time, the next MAC
  /// under the key searches for the key's object. So callers cannot cause a search with each call.
  private static final Duration REFUSED_LIFETIME = Duration.ofSeconds(10);

  private static final Logger log = LoggerFactory.getLogger(Lanes.class);

  private final Token token;
  private final Settings settings;
  private final LaneObserver observer;
  private final FaultListener listener;
  private final Duration refusedLifetime;
  private final WorkQueue queue;
  private final LaneWatchdog watchdog;
  private final FaultLog faults;
  private final SearchSchedule searches;

  /// Active lanes, and replaced lanes that hang in PKCS#11 calls.
  private final List<Lane> lanes = new CopyOnWriteArrayList<>();

  /// Held while a lane is replaced, and while the stop begins: no lane is added after the stop.
  private final Object replacement = new Object();

  private final AtomicInteger reopenings = new AtomicInteger();
  private volatile @Nullable DaemonKey healthCheckKey;

  /// Number of lanes started so far, for the thread names. After the watchdog has started, only its
  /// thread uses this field.
  private int started;

  /// Number of lanes, and their limits.
  ///
  /// @param count number of lanes, 1 or more
  /// @param maxWaiting maximum number of operations in the queue, 1 or more
  /// @param hang duration of an operation after which the watchdog replaces its lane
  /// @param maxReplaced maximum number of replaced lanes that hang in PKCS#11 calls at the same
  ///   time
  /// @param stop how long [#close] waits for operations in flight
  public record Settings(
      int count, int maxWaiting, Duration hang, int maxReplaced, Duration stop) {}

  public Lanes(Token token, Settings settings, LaneObserver observer, FaultListener listener) {
    this(token, settings, observer, listener, REFUSED_LIFETIME);
  }

  /// @param refusedLifetime how long a lane uses the handle of a key that the token refuses
  Lanes(
      Token token,
      Settings settings,
      LaneObserver observer,
      FaultListener listener,
      Duration refusedLifetime) {
    this.token = token;
    this.settings = settings;
    this.observer = observer;
    this.listener = listener;
    this.refusedLifetime = refusedLifetime;
    queue = new WorkQueue(token, settings.maxWaiting());
    watchdog = new LaneWatchdog(token, this, queue, settings.hang(), settings.maxReplaced());
    faults = new FaultLog(token);
    searches = new SearchSchedule(token.circuit());
    for (int i = 0; i < settings.count(); i++) {
      lanes.add(lane(System.nanoTime()));
    }
  }

  private Lane lane(long lastAnswerNanos) {
    return new Lane(token, this, queue, observer, lastAnswerNanos);
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
    watchdog.start();
  }

  private void start(Lane lane) {
    lane.start("hmacd-lane-" + started);
    started++;
  }

  CircuitBreaker circuit() {
    return token.circuit();
  }

  /// Queues a MAC for the next free lane and returns at once. A lane or the watchdog calls
  /// `completion`; if the queue refuses the MAC, this thread calls it.
  ///
  /// @param completion gets the MAC or the failure
  public void sign(SignRequest request, Completion<byte[]> completion) {
    queue.add(Job.sign(request, completion));
  }

  /// Queues an operation other than a MAC for the next free lane.
  ///
  /// @param repeatable whether a lane may repeat the work after a fault of the token
  public <T> CompletableFuture<T> submit(
      TokenWork<T> work, boolean repeatable, long deadlineNanos) {
    return submit(Owner.DAEMON, work, repeatable, deadlineNanos);
  }

  /// As [#submit(TokenWork, boolean, long)], but for a principal.
  ///
  /// @param owner as [Completion#owner]
  public <T> CompletableFuture<T> submit(
      Owner owner, TokenWork<T> work, boolean repeatable, long deadlineNanos) {
    CompletableFuture<T> result = new CompletableFuture<>();
    queue.add(Job.of(work, repeatable, deadlineNanos, new FutureCompletion<>(result, owner)));
    return result;
  }

  /// Submits a health check, even while the token is out of service.
  void checkHealth(DaemonKey key, long deadlineNanos, Completion<byte[]> completion) {
    queue.add(Job.healthCheck(key, deadlineNanos, completion));
  }

  /// Reports a wrong MAC of the health check to the [LaneObserver]. The lane did not detect the
  /// fault: the health check compares the MAC with the known answer.
  void wrongMacOfHealthCheck() {
    observer.faulted(Fault.WRONG_MAC.name());
  }

  /// Sets the health check key. Lanes report a key as missing only while the token has the health
  /// check key.
  void useHealthCheckKey(DaemonKey key) {
    healthCheckKey = key;
  }

  @Nullable DaemonKey healthCheckKey() {
    return healthCheckKey;
  }

  /// Schedule of the health check's searches for its key.
  SearchSchedule searches() {
    return searches;
  }

  FaultLog faults() {
    return faults;
  }

  /// How long a lane uses the handle of a key that the token refuses, from its search.
  long refusedLifetimeNanos() {
    return refusedLifetime.toNanos();
  }

  /// Logs a missing key and evicts it from all lanes. The lane has checked that the token has the
  /// health check key.
  void missing(KeyObject key) {
    if (faults.addMissing(key)) {
      evict(key); // Otherwise, lanes with a session copy would still compute MACs.
      faults.logMissing(key);
    }
  }

  /// Makes every lane reopen its session before its next job. The end of the old sessions also
  /// destroys their session copies, whose token objects may be lost.
  void reopenSessions() {
    reopenings.incrementAndGet();
  }

  int reopenings() {
    return reopenings.get();
  }

  /// Whether a lane other than the given one has an open session.
  boolean hasSessionBeside(Lane lane) {
    return lanes.stream()
        .anyMatch(other -> other != lane && !other.isRetired() && other.hasSession());
  }

  /// Reports a failed operation to the [FaultListener]: the lane could not recover, or the token
  /// refused the operation.
  void failed(TokenException e) {
    listener.failed(e);
  }

  /// All lanes, also replaced lanes that hang in PKCS#11 calls.
  List<Lane> all() {
    return lanes;
  }

  /// Replaces a lane that hangs. The replaced lane ends after its native call.
  ///
  /// @return false if the stop has begun; then the lane is not replaced
  boolean replace(Lane lane) {
    synchronized (replacement) {
      if (queue.isStopping()) {
        return false;
      }
      lane.retire();
      Lane fresh = lane(lane.lastAnswerNanos());
      lanes.add(fresh);
      start(fresh);
      return true;
    }
  }

  /// Removes a lane whose thread ends.
  void ended(Lane lane) {
    lanes.remove(lane);
  }

  /// Makes every lane unload its handle and its copy of a key. Must not be called before the token
  /// has lost the key, because a lane could load the key again.
  public void evict(KeyObject key) {
    lanes.forEach(lane -> lane.evict(key));
  }

  /// Number of operations in the queue.
  public int waiting() {
    return queue.size();
  }

  /// Number of places of the queue in use.
  public int places() {
    return queue.places();
  }

  /// The configured number of lanes.
  public int size() {
    return settings.count();
  }

  /// Number of replaced lanes that hang in PKCS#11 calls.
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
    return (int) lanes.stream().filter(lane -> lane.isOverdue(now)).count();
  }

  /// Nanoseconds since the last answer of the token; before its first answer, since the creation of
  /// these lanes. A refused operation is an answer, too, unless the refusal is a fault of the
  /// token.
  long sinceLastAnswer() {
    long now = System.nanoTime();
    return lanes.stream()
        .mapToLong(lane -> now - lane.lastAnswerNanos())
        .min()
        .orElse(Long.MAX_VALUE);
  }

  /// Refuses new operations, finishes the accepted operations, and closes the sessions. After the
  /// time limit ([Settings#stop]), operations of lanes that hang fail with `STOPPED`. A lane that
  /// hangs ends after its native call.
  @Override
  public void close() {
    synchronized (replacement) {
      queue.stop();
    }
    List<Lane> all = List.copyOf(lanes);
    long end = System.nanoTime() + settings.stop().toNanos();
    try {
      for (Lane lane : all) {
        if (!lane.join(Duration.ofNanos(Math.max(1, end - System.nanoTime())))) {
          log.atWarn().log("Lane not stopped: its PKCS#11 call hangs");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    watchdog.stop();
    queue.failRemaining();
    for (Lane lane : all) {
      Job<?> hanging = lane.current();
      if (hanging != null) {
        hanging.failed(WorkQueue.stopped());
      }
    }
  }
}
