package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
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

/// The tokens of the daemon, each with its lanes and its probe, and which of them a call goes to.
///
/// A MAC goes to the token that has the fewest calls under way, of those that hold its key and are
/// in service; when it fails there, to the next, as long as its deadline allows. Whatever changes a
/// token goes to the one that is named, and nowhere else.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
public final class Tokens implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Tokens.class);

  private final List<Member> members;
  private final Probe.Listener listener;
  private final CountDownLatch firstHealthy = new CountDownLatch(1);
  private final Object reporting = new Object();
  private volatile Consumer<String> inService = _ -> {};

  @GuardedBy("reporting")
  private @Nullable Boolean reported;

  /// How a token is used.
  public record Settings(Lanes.Settings lanes, Probe.Settings probe) {}

  /// A token, and how it is used.
  public record Use(Token token, Settings settings) {}

  /// @param uses one or more, of different serial numbers; keys are made on the first of them, when
  ///   nobody names another
  /// @param listener is told of the whole: healthy while one of the tokens is, and lost when one is
  ///   and none is healthy or has refused its PIN
  /// @param observers by serial number
  public Tokens(List<Use> uses, Function<String, LaneObserver> observers, Probe.Listener listener) {
    this.listener = listener;
    List<Member> all = new ArrayList<>();
    for (Use use : uses) {
      all.add(new Member(use, observers.apply(use.token().info().serial())));
    }
    members = List.copyOf(all);
  }

  /// One of the tokens.
  public final class Member implements Probe.Listener {
    private final Token token;
    private final Lanes lanes;
    private final Probe probe;
    private final Load load = new Load();
    private final Duration limit;
    private volatile @Nullable Boolean healthy;

    private Member(Use use, LaneObserver observer) {
      token = use.token();
      limit = use.settings().probe().limit();
      lanes = new Lanes(token, use.settings().lanes(), observer);
      probe = new Probe(token, lanes, use.settings().probe(), this);
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

    public Probe probe() {
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
      log.atError().addKeyValue("token_serial", serial()).log("A token does not come back");
      // A new process would try a PIN again that was refused.
      if (members.stream()
          .noneMatch(
              member -> Boolean.TRUE.equals(member.healthy) || member.probe.isPinRefused())) {
        listener.lost();
      }
    }
  }

  /// Healthy is reported at once, and the contrary when all have said so.
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

  /// Whether one of them gives the known answer.
  public boolean isHealthy() {
    return members.stream().anyMatch(member -> member.probe.isHealthy());
  }

  /// Waits until one of them has given the known answer.
  public boolean awaitHealthy(Duration atMost) throws InterruptedException {
    return firstHealthy.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
  }

  /// Opens a session with each, and starts the lanes. A token that is away does not keep the others
  /// from serving.
  ///
  /// @throws TokenException when none opens a logged-in session
  public void start() throws TokenException {
    TokenException failure = null;
    int opened = 0;
    for (Member member : members) {
      try {
        open(member);
        opened++;
      } catch (TokenException e) {
        // What keeps a supervisor from trying that PIN again counts more than that another is away.
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
    // A session of its own, that a token which hangs keeps nobody from but itself.
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

  /// Has something done whenever a token comes into service.
  ///
  /// @param action is told the serial number of each token that comes into service, on any thread;
  ///   to be set before the start
  public void whenInService(Consumer<String> action) {
    inService = action;
  }

  /// Begins to ask the tokens whether they work.
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

  /// The token that keys are made on when nobody names another.
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
  /// @param deadlineNanos in [System#nanoTime]'s terms
  /// @param completion gets the MAC of the algorithm's full length
  public void sign(
      KeyObject key,
      List<String> holders,
      MacAlgorithm algorithm,
      byte[] message,
      long deadlineNanos,
      Completion<byte[]> completion) {
    if (members.size() > 1) {
      new Attempts(key, holders, algorithm, message, deadlineNanos, completion).next();
    } else if (holders.contains(defaultSerial())) {
      members.getFirst().lanes.sign(key, algorithm, message, deadlineNanos, completion);
    } else {
      completion.failed(elsewhere());
    }
  }

  private static TokenException elsewhere() {
    return new TokenException(
        TokenException.Kind.KEY_MISSING, "no token that is configured is known to hold the key");
  }

  /// One MAC on its way from token to token. Touched by one thread at a time: who was handed the
  /// call answers it.
  private final class Attempts implements Completion<byte[]> {
    private final KeyObject key;
    private final MacAlgorithm algorithm;
    private final byte[] message;
    private final long deadlineNanos;
    private final Completion<byte[]> completion;
    private final List<Member> untried = new ArrayList<>();
    private @Nullable Member asked;
    private @Nullable TokenException failure;

    Attempts(
        KeyObject key,
        List<String> holders,
        MacAlgorithm algorithm,
        byte[] message,
        long deadlineNanos,
        Completion<byte[]> completion) {
      this.key = key;
      this.algorithm = algorithm;
      this.message = message;
      this.deadlineNanos = deadlineNanos;
      this.completion = completion;
      for (Member member : members) {
        if (holders.contains(member.serial())) {
          untried.add(member);
        }
      }
      if (untried.isEmpty()) {
        failure = elsewhere();
      }
    }

    void next() {
      Member best = null;
      for (Member member : untried) {
        if (member.isInService() && (best == null || member.load.isLessThan(best.load, key))) {
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
      best.lanes.sign(key, algorithm, message, deadlineNanos, this);
    }

    private TokenException outcome() {
      TokenException worst = failure;
      // That a token which holds the key is out of service says more than that another lacks it.
      return worst == null || (!untried.isEmpty() && rank(worst) < rank(Lanes.outOfService()))
          ? Lanes.outOfService()
          : worst;
    }

    /// What may pass says more than what is wrong with a key on one of its tokens.
    private static int rank(TokenException e) {
      return switch (e.kind()) {
        case UNAVAILABLE -> 2;
        case BUSY -> 1;
        case LATE, STOPPED, KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT, UNSUPPORTED -> 0;
      };
    }

    private Load left() {
      return Objects.requireNonNull(asked).load;
    }

    @Override
    public void done(byte[] mac) {
      left().ended();
      left().found(key);
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
        case KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT -> left().missed(key);
        case BUSY, UNAVAILABLE, UNSUPPORTED -> {}
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
  }

  /// Hands work to a token.
  ///
  /// @param repeatable whether a lane may do it a second time after a fault of the token
  public <T> CompletableFuture<T> submit(
      String serial, TokenWork<T> work, boolean repeatable, long deadlineNanos) {
    return find(serial)
        .map(member -> member.lanes.submit(work, repeatable, deadlineNanos))
        .orElseGet(
            () ->
                CompletableFuture.failedFuture(
                    new TokenException(
                        TokenException.Kind.UNAVAILABLE, "no token " + serial + " is configured")));
  }

  /// Hands work that any token can do to one after the other, until one has done it.
  public <T> CompletableFuture<T> submitAny(TokenWork<T> work, long deadlineNanos) {
    return submitAny(work, deadlineNanos, 0);
  }

  private <T> CompletableFuture<T> submitAny(TokenWork<T> work, long deadlineNanos, int index) {
    CompletableFuture<T> outcome = members.get(index).lanes.submit(work, true, deadlineNanos);
    return index + 1 == members.size()
        ? outcome
        : outcome.exceptionallyCompose(
            failure ->
                isTheTokens(failure)
                    ? submitAny(work, deadlineNanos, index + 1)
                    : CompletableFuture.failedFuture(failure));
  }

  private static boolean isTheTokens(Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    return cause instanceof TokenException token
        && switch (token.kind()) {
          case LATE, STOPPED -> false;
          case BUSY, UNAVAILABLE, KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT, UNSUPPORTED -> true;
        };
  }

  /// Has the lanes of a token give up their handles to a key, as [Lanes#evict].
  public void evict(String serial, KeyObject key) {
    find(serial)
        .ifPresent(
            member -> {
              member.lanes.evict(key);
              member.load.found(key);
            });
  }

  /// Lets PINs that were refused be tried once more.
  public void retryPins() {
    members.forEach(member -> member.probe.retryPin());
  }

  /// Stops asking whether the tokens work.
  public void stopProbes() {
    members.forEach(member -> member.probe.close());
  }

  /// Ends all lanes, as [Lanes#close]: at once, so that one that hangs costs no more than its time.
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
