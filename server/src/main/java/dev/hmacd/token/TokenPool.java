package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.DaemonKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The tokens of the daemon. Starts and stops their lanes and health checks. [TokenRouter]
/// distributes work over the tokens.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
public final class TokenPool implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(TokenPool.class);

  private final List<Member> members;
  private final Listener listener;
  private final PoolHealth health;

  /// The settings of a token.
  public record Settings(Lanes.Settings lanes, HealthCheck.Settings probe) {}

  /// A token with its settings.
  public record Use(Token token, Settings settings) {}

  /// Gets changes of the tokens' health. Called on any thread, without a lock. Implementations must
  /// be thread-safe and must return quickly.
  public interface Listener {
    /// Reports the health of the pool as soon as it is known, then at each change. The pool is
    /// healthy while at least one token is healthy.
    void healthy(boolean is);

    /// Reports the loss of a token, unless any token is healthy or has refused its PIN.
    void lost();

    /// Reports that a token came into service.
    void inService(String serial);
  }

  /// @param uses one or more tokens with different serial numbers; the first is the default for new
  ///   keys
  /// @param observers returns the observer of the lanes of a token, by serial number of the token
  public TokenPool(List<Use> uses, Function<String, LaneObserver> observers, Listener listener) {
    this.listener = listener;
    List<Member> all = new ArrayList<>();
    for (Use use : uses) {
      all.add(new Member(use, observers.apply(use.token().info().serial())));
    }
    members = List.copyOf(all);
    health = new PoolHealth(members, listener);
  }

  /// A token of the pool.
  public final class Member implements HealthCheck.Listener {
    private final Token token;
    private final Lanes lanes;
    private final HealthCheck probe;
    private final Duration limit;
    private volatile @Nullable Boolean healthy;

    private Member(Use use, LaneObserver observer) {
      token = use.token();
      limit = use.settings().probe().limit();
      lanes = new Lanes(token, use.settings().lanes(), observer, this::laneFailed);
      probe = new HealthCheck(token, lanes, use.settings().probe(), this);
    }

    public String serial() {
      return token.info().serial();
    }

    public Lanes lanes() {
      return lanes;
    }

    public HealthCheck probe() {
      return probe;
    }

    /// The latest report of the health check; null before the first report.
    @Nullable Boolean healthy() {
      return healthy;
    }

    boolean isInService() {
      return token.circuit().isInService();
    }

    private void laneFailed(TokenException e) {
      probe.laneFailed(e);
    }

    @Override
    public void healthy(boolean is) {
      healthy = is;
      if (members.size() > 1) {
        (is ? log.atInfo() : log.atError())
            .addKeyValue("token_serial", serial())
            .log(is ? "A token is in service" : "A token is out of service");
      }
      health.report();
      if (is) {
        listener.inService(serial());
      }
    }

    @Override
    public void lost() {
      log.atError()
          .addKeyValue("token_serial", serial())
          .log("Token lost for longer than lost_after");
      health.lost();
    }
  }

  /// Waits until any token has become healthy, or the time has elapsed.
  ///
  /// @return false if the time has elapsed
  public boolean awaitHealthy(Duration atMost) throws InterruptedException {
    return health.awaitHealthy(atMost);
  }

  /// Opens a session with each token, and starts the lanes. The start succeeds if at least one
  /// token opens a session.
  ///
  /// @throws TokenException if no token opens a logged-in session
  public void start() throws TokenException {
    start(Map.of());
  }

  /// As [#start()], but sets the health check keys before the lanes start.
  ///
  /// @param healthCheckKeys the health check key of each token, by serial number of the token;
  ///   while a token lacks its health check key, no key of the token is reported as missing
  public void start(Map<String, DaemonKey> healthCheckKeys) throws TokenException {
    start(healthCheckKeys, null);
  }

  /// As [#start(Map)], but also tries the longest message with each token. Logs a warning if a
  /// token does not take the message. The trial delays the start by at most the limit of a health
  /// check for each token, and never fails it.
  ///
  /// @param longest null for no trial
  public void start(Map<String, DaemonKey> healthCheckKeys, @Nullable MessageLengthTrial longest)
      throws TokenException {
    for (Member member : members) {
      DaemonKey key = healthCheckKeys.get(member.serial());
      if (key != null) {
        member.lanes.useHealthCheckKey(key);
      }
    }
    TokenException failure = null;
    int opened = 0;
    for (Member member : members) {
      try {
        DaemonKey key = healthCheckKeys.get(member.serial());
        open(
            member,
            longest == null || key == null
                ? null
                : session -> tryLongest(member, session, longest, key));
        opened++;
      } catch (TokenException e) {
        failure = failure == null ? e : TokenException.decisive(failure, e);
        if (members.size() > 1) {
          log.atError()
              .addKeyValue("token_serial", member.serial())
              .addKeyValue("reason", e.getMessage())
              .log("A token does not open a session");
        }
        member.probe.openFailed(e);
      }
    }
    if (opened == 0 && failure != null) {
      throw failure;
    }
    members.forEach(member -> member.lanes.start());
  }

  /// @param trials null for none
  private void open(Member member, @Nullable Consumer<TokenSession> trials) throws TokenException {
    boolean isOnly = members.size() == 1;
    if (isOnly) {
      member.lanes.open();
    }
    if (trials == null) {
      if (!isOnly) {
        SessionTrial.run(member.token, member.limit);
      }
      return;
    }
    try {
      if (!SessionTrial.run(member.token, member.limit, trials)) {
        logNotTried(member, "no answer within token.probe_timeout");
      }
    } catch (TokenException e) {
      if (!isOnly) {
        throw e;
      }
      // The session of the first lane is open: the token may have no further session.
      log.atDebug().setCause(e).log("Longest message not tried: no further session");
    }
  }

  private static void tryLongest(
      Member member, TokenSession session, MessageLengthTrial longest, DaemonKey key) {
    try {
      longest
          .run(session, key.object())
          .ifPresent(
              limitation ->
                  log.atWarn()
                      .addKeyValue("token_serial", member.serial())
                      .addKeyValue("reason", limitation)
                      .log("Token does not take the longest message"));
    } catch (TokenException e) {
      log.atDebug()
          .setCause(e)
          .log("Longest message not tried; the health check reports the fault");
    } catch (RuntimeException | Error e) {
      logNotTried(member, String.valueOf(e));
    }
  }

  private static void logNotTried(Member member, String reason) {
    log.atWarn()
        .addKeyValue("token_serial", member.serial())
        .addKeyValue("reason", reason)
        .log("Longest message not tried");
  }

  /// Starts the health checks.
  ///
  /// @param keys the health check key of each token, by serial number of the token
  public void startProbes(Map<String, DaemonKey> keys) {
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

  Optional<Member> find(String serial) {
    return members.stream().filter(member -> member.serial().equals(serial)).findFirst();
  }

  /// Allows another login for tokens that refused their PINs.
  public void retryPins() {
    members.forEach(member -> member.probe.retryPin());
  }

  /// Stops the health checks.
  public void stopProbes() {
    members.forEach(member -> member.probe.close());
  }

  /// Ends the lanes of all tokens ([Lanes#close]). Ends the lanes of different tokens concurrently,
  /// so that several hanging tokens cost only one time limit.
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
