package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.OwnKey;
import dev.hmacd.token.TokenException.Fault;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The tokens of the daemon, each with its lanes and its health check. Load balancing and failover
/// of MACs.
///
/// A MAC goes to the token with the fewest calls in flight, among the tokens in service that hold
/// its key. If that token fails, the MAC goes to the next token, within the deadline. An operation
/// that changes a token goes to the named token only.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
public final class Tokens implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Tokens.class);

  private final List<Member> members;

  /// Keys whose tokens are not in the configuration.
  private final ReportedKeys elsewhere = new ReportedKeys();

  private final HealthCheck.Listener listener;
  private final CountDownLatch firstHealthy = new CountDownLatch(1);
  private final Object reporting = new Object();
  private volatile Consumer<String> inService = _ -> {};

  @GuardedBy("reporting")
  private @Nullable Boolean reported;

  /// The settings of a token.
  public record Settings(Lanes.Settings lanes, HealthCheck.Settings probe) {}

  /// A token with its settings.
  public record Use(Token token, Settings settings) {}

  /// @param uses one or more tokens with different serial numbers; the first is the default for new
  ///   keys
  /// @param listener gets the health of all tokens together: healthy while one token is healthy;
  ///   lost if one token is lost and no token is healthy or has refused its PIN
  /// @param observers by serial number
  public Tokens(
      List<Use> uses, Function<String, LaneObserver> observers, HealthCheck.Listener listener) {
    this.listener = listener;
    List<Member> all = new ArrayList<>();
    for (Use use : uses) {
      all.add(new Member(use, observers.apply(use.token().info().serial())));
    }
    members = List.copyOf(all);
  }

  /// One of the tokens.
  public final class Member implements HealthCheck.Listener {
    private final Token token;
    private final Lanes lanes;
    private final HealthCheck probe;
    private final Load load = new Load();
    private final Duration limit;
    private volatile @Nullable Boolean healthy;

    private Member(Use use, LaneObserver observer) {
      token = use.token();
      limit = use.settings().probe().limit();
      lanes = new Lanes(token, use.settings().lanes(), observer);
      probe = new HealthCheck(token, lanes, use.settings().probe(), this);
    }

    public String serial() {
      return token.info().serial();
    }

    public Token token() {
      return token;
    }

    public Lanes lanes() {
      return lanes;
    }

    public HealthCheck probe() {
      return probe;
    }

    private boolean isInService() {
      return token.circuit().isInService();
    }

    @Override
    public void healthy(boolean is) {
      healthy = is;
      if (members.size() > 1) {
        (is ? log.atInfo() : log.atError())
            .addKeyValue("token_serial", serial())
            .log(is ? "A token is in service" : "A token is out of service");
      }
      report();
      if (is) {
        inService.accept(serial());
      }
    }

    @Override
    public void lost() {
      log.atError()
          .addKeyValue("token_serial", serial())
          .log("Token lost for longer than lost_after");
      // A new process would try a refused PIN again.
      if (members.stream()
          .noneMatch(
              member -> Boolean.TRUE.equals(member.healthy) || member.probe.isPinRefused())) {
        listener.lost();
      }
    }
  }

  /// Reports healthy after the first healthy token, and unhealthy only after each token has
  /// reported.
  private void report() {
    synchronized (reporting) {
      boolean now = members.stream().anyMatch(member -> Boolean.TRUE.equals(member.healthy));
      boolean isKnown = now || members.stream().allMatch(member -> member.healthy != null);
      if (isKnown && !Objects.equals(reported, now)) {
        reported = now;
        listener.healthy(now);
      }
    }
    if (isHealthy()) {
      firstHealthy.countDown();
    }
  }

  /// Whether a token is healthy.
  public boolean isHealthy() {
    return members.stream().anyMatch(member -> member.probe.isHealthy());
  }

  /// Waits until the first token is healthy.
  public boolean awaitHealthy(Duration atMost) throws InterruptedException {
    return firstHealthy.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
  }

  /// Opens a session with each token, and starts the lanes. The start succeeds if one token opens a
  /// session.
  ///
  /// @throws TokenException if no token opens a logged-in session
  public void start() throws TokenException {
    start(Map.of());
  }

  /// Like [#start()].
  ///
  /// @param healthCheckKeys by serial number; while a token lacks its health check key, none of its
  ///   keys is reported as missing
  public void start(Map<String, OwnKey> healthCheckKeys) throws TokenException {
    for (Member member : members) {
      OwnKey key = healthCheckKeys.get(member.serial());
      if (key != null) {
        member.lanes.believeAbsenceWith(key);
      }
    }
    TokenException failure = null;
    int opened = 0;
    for (Member member : members) {
      try {
        open(member);
        opened++;
      } catch (TokenException e) {
        // A refused PIN has priority: it keeps a supervisor from another try of the PIN.
        failure = failure != null && failure.isPinRefused() ? failure : e;
        if (members.size() > 1) {
          log.atError()
              .addKeyValue("token_serial", member.serial())
              .addKeyValue("reason", e.getMessage())
              .log("A token does not open a session");
        }
        member.token.circuit().takeOut();
        member.token.circuit().failed(e);
      }
    }
    if (opened == 0 && failure != null) {
      throw failure;
    }
    members.forEach(member -> member.lanes.start());
  }

  private void open(Member member) throws TokenException {
    if (members.size() == 1) {
      member.lanes.open();
      return;
    }
    // On a thread of its own, so that a token that hangs does not block the start of others.
    CompletableFuture<Boolean> trial = new CompletableFuture<>();
    Runnable open =
        () -> {
          try (TokenSession _ = member.token.open()) {
            trial.complete(true);
          } catch (TokenException | RuntimeException e) {
            trial.completeExceptionally(e);
          }
        };
    var _ = Thread.ofPlatform().name("hmacd-open").daemon().start(open);
    try {
      var _ = trial.get(member.limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof TokenException failure) {
        throw failure;
      }
      throw new IllegalStateException(e);
    } catch (TimeoutException e) {
      throw TokenException.fault(Fault.DEVICE, "it does not answer", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw TokenException.fault(Fault.DEVICE, "interrupted while it was opened", e);
    }
  }

  /// Sets the action for each token that comes into service. Call it before the start.
  ///
  /// @param action gets the serial number of the token, on any thread
  public void whenInService(Consumer<String> action) {
    inService = action;
  }

  /// Starts the health checks.
  ///
  /// @param keys by serial number
  public void startProbes(Map<String, OwnKey> keys) {
    for (Member member : members) {
      member.probe.start(Objects.requireNonNull(keys.get(member.serial())));
    }
  }

  public List<Member> members() {
    return members;
  }

  /// Serial numbers, in the order of the configuration.
  public List<String> serials() {
    return members.stream().map(Member::serial).toList();
  }

  /// The default token for new keys.
  public String defaultSerial() {
    return members.getFirst().serial();
  }

  public boolean has(String serial) {
    return find(serial).isPresent();
  }

  public boolean isInService(String serial) {
    return find(serial).map(Member::isInService).orElse(false);
  }

  private Optional<Member> find(String serial) {
    return members.stream().filter(member -> member.serial().equals(serial)).findFirst();
  }

  /// Computes a MAC on one of the tokens that hold a key. Returns at once; a lane calls
  /// `completion`.
  ///
  /// @param holders serial numbers
  /// @param completion gets the MAC
  public void sign(List<String> holders, SignRequest request, Completion<byte[]> completion) {
    if (members.size() > 1) {
      new Attempts(holders, request, completion).next();
    } else if (holders.contains(defaultSerial())) {
      members.getFirst().lanes.sign(request, completion);
    } else {
      completion.failed(elsewhere(request.key(), holders));
    }
  }

  private TokenException elsewhere(KeyObject key, List<String> holders) {
    if (elsewhere.add(key)) {
      log.atWarn()
          .addKeyValue("label", key.label())
          .addKeyValue("id", key.idHex())
          .addKeyValue("token_serials", holders)
          .log("Key not usable: its tokens are not in the configuration");
    }
    return new TokenException(
        TokenException.Kind.KEY_MISSING, "no token that is configured is known to hold the key");
  }

  /// The attempts of one MAC on several tokens. Used by one thread at a time: the thread that
  /// completes an attempt starts the next.
  private final class Attempts implements Completion<byte[]> {
    private final SignRequest request;
    private final Completion<byte[]> completion;
    private final List<Member> untried = new ArrayList<>();
    private @Nullable Member asked;
    private @Nullable TokenException failure;

    Attempts(List<String> holders, SignRequest request, Completion<byte[]> completion) {
      this.request = request;
      this.completion = completion;
      for (Member member : members) {
        if (holders.contains(member.serial())) {
          untried.add(member);
        }
      }
      if (untried.isEmpty()) {
        failure = elsewhere(request.key(), holders);
      }
    }

    void next() {
      Member best = null;
      for (Member member : untried) {
        if (member.isInService()
            && (best == null || member.load.isLessThan(best.load, request.key()))) {
          best = member;
        }
      }
      if (best == null) {
        completion.failed(outcome());
        return;
      }
      untried.remove(best);
      asked = best;
      best.load.begun();
      best.lanes.sign(request, this);
    }

    private TokenException outcome() {
      TokenException worst = failure;
      // A token out of service has priority over a token that lacks the key.
      return worst == null || (!untried.isEmpty() && rank(worst) < rank(Lanes.outOfService()))
          ? Lanes.outOfService()
          : worst;
    }

    /// Rank of a failure: temporary failures have priority over faults of a key on one of its
    /// tokens.
    private static int rank(TokenException e) {
      return switch (e.kind()) {
        case UNAVAILABLE -> 2;
        case BUSY, OWNER_BUSY -> 1;
        case LATE, STOPPED, KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT, UNSUPPORTED -> 0;
      };
    }

    private Load left() {
      return Objects.requireNonNull(asked).load;
    }

    @Override
    public void done(byte[] mac) {
      left().ended();
      left().found(request.key());
      completion.done(mac);
    }

    @Override
    public void failed(TokenException cause) {
      left().ended();
      switch (cause.kind()) {
        case LATE, STOPPED -> {
          completion.failed(cause);
          return;
        }
        case KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT -> left().missed(request.key());
        case BUSY, OWNER_BUSY, UNAVAILABLE, UNSUPPORTED -> {}
      }
      if (failure == null || rank(cause) >= rank(failure)) {
        failure = cause;
      }
      next();
    }

    @Override
    public boolean isAbandoned() {
      return completion.isAbandoned();
    }

    @Override
    public @Nullable Object owner() {
      return completion.owner();
    }
  }

  /// Queues work for a token.
  ///
  /// @param repeatable whether a lane may repeat the work after a fault of the token
  public <T> CompletableFuture<T> submit(
      String serial, TokenWork<T> work, boolean repeatable, long deadlineNanos) {
    return submit(null, serial, work, repeatable, deadlineNanos);
  }

  /// Like [#submit(String, TokenWork, boolean, long)].
  ///
  /// @param owner as [Completion#owner]
  public <T> CompletableFuture<T> submit(
      @Nullable Object owner,
      String serial,
      TokenWork<T> work,
      boolean repeatable,
      long deadlineNanos) {
    return find(serial)
        .map(member -> member.lanes.submit(owner, work, repeatable, deadlineNanos))
        .orElseGet(
            () ->
                CompletableFuture.failedFuture(
                    new TokenException(
                        TokenException.Kind.UNAVAILABLE, "no token " + serial + " is configured")));
  }

  /// Queues work for the first token. If it fails, queues the work for the next, until a token
  /// succeeds.
  ///
  /// @param owner as [Completion#owner]
  public <T> CompletableFuture<T> submitAny(Object owner, TokenWork<T> work, long deadlineNanos) {
    return submitAny(owner, work, deadlineNanos, 0);
  }

  private <T> CompletableFuture<T> submitAny(
      Object owner, TokenWork<T> work, long deadlineNanos, int index) {
    CompletableFuture<T> outcome =
        members.get(index).lanes.submit(owner, work, true, deadlineNanos);
    return index + 1 == members.size()
        ? outcome
        : outcome.exceptionallyCompose(
            failure ->
                isTheTokens(failure)
                    ? submitAny(owner, work, deadlineNanos, index + 1)
                    : CompletableFuture.failedFuture(failure));
  }

  private static boolean isTheTokens(Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    return cause instanceof TokenException token
        && switch (token.kind()) {
          case LATE, STOPPED -> false;
          case BUSY, OWNER_BUSY, UNAVAILABLE, KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT, UNSUPPORTED ->
              true;
        };
  }

  /// Makes the lanes of a token unload their handles of a key, like [Lanes#evict].
  public void evict(String serial, KeyObject key) {
    find(serial)
        .ifPresent(
            member -> {
              member.lanes.evict(key);
              member.load.found(key);
            });
  }

  /// Allows another login for tokens that refused their PINs.
  public void retryPins() {
    members.forEach(member -> member.probe.retryPin());
  }

  /// Stops the health checks.
  public void stopProbes() {
    members.forEach(member -> member.probe.close());
  }

  /// Ends all lanes, like [Lanes#close]. Closes all tokens concurrently, so that several hanging
  /// tokens cost one time limit.
  @Override
  public void close() {
    List<Thread> closing = new ArrayList<>();
    for (Member member : members) {
      closing.add(Thread.ofPlatform().name("hmacd-close").start(member.lanes::close));
    }
    try {
      for (Thread each : closing) {
        each.join();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
