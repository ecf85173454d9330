package dev.hmacd.usecase;

import dev.hmacd.key.Key;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.log.LogRateLimiter;
import dev.hmacd.log.ScheduledTask;
import dev.hmacd.registry.KeyLists;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import dev.hmacd.token.TokenSession;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Destroys keys whose deletion is due, in three steps. First the registry marks the key as
/// condemned, which is final. Second, the tokens of the key destroy the object. Third, the registry
/// deletes the key. After a crash between two steps, the next start continues the deletion.
public final class KeyDeletion implements AutoCloseable {
  private static final Duration INTERVAL = Duration.ofSeconds(1);

  /// Maximum interval between attempts to destroy a key.
  private static final Duration RETRY = Duration.ofMinutes(1);

  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final int AT_ONCE = 64;
  private static final Logger log = LoggerFactory.getLogger(KeyDeletion.class);

  private final KeyWriter writer;
  private final KeyLists lists;
  private final TokenRouter tokens;
  private final LogRateLimiter failedChecks = new LogRateLimiter();
  private final ScheduledExecutorService schedule =
      new ScheduledThreadPoolExecutor(
          1, Thread.ofPlatform().name("hmacd-deletion").daemon().factory());

  /// Time of the next attempt to destroy condemned keys, a value of [System#nanoTime]. After
  /// [#start], only the deletion thread uses this field.
  private long nextRetryNanos;

  public KeyDeletion(Registry registry, TokenRouter tokens) {
    this.writer = registry.writer();
    this.lists = registry.lists();
    this.tokens = tokens;
  }

  /// Starts a thread that continues unfinished deletions, and checks for due deletions every
  /// second. Must be called after the start of the lanes.
  public void start() {
    nextRetryNanos = System.nanoTime();
    var _ =
        schedule.scheduleWithFixedDelay(
            new ScheduledTask("deletion of due keys", this::checkDueKeys),
            0,
            INTERVAL.toMillis(),
            TimeUnit.MILLISECONDS);
  }

  private void checkDueKeys() {
    try {
      List<Key> due = await(writer.condemnDue(AT_ONCE));
      boolean retry = System.nanoTime() - nextRetryNanos >= 0;
      if (due.isEmpty() && !retry) {
        return;
      }
      nextRetryNanos = System.nanoTime() + RETRY.toNanos();
      for (Key key : await(lists.condemned())) {
        destroy(key);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      logFailedCheck(e);
    }
  }

  private void logFailedCheck(Exception e) {
    if (isFileFailure(e)) {
      return; // The registry logs it.
    }
    long times = failedChecks.happened();
    if (times > 0) {
      log.atWarn()
          .addKeyValue("reason", reason(e))
          .addKeyValue("times", times)
          .log("Check for due key deletions failed; next check in 1 second");
    }
  }

  private static boolean isFileFailure(Exception e) {
    return e.getCause() instanceof RegistryException registry && registry.isFileFailure();
  }

  /// The cause of a future's failure, or the exception itself.
  private static String reason(Exception e) {
    return String.valueOf(e.getCause() == null ? e : e.getCause());
  }

  private void destroy(Key key) throws InterruptedException {
    boolean gone = true;
    for (String serial : key.tokenSerials()) {
      gone &= destroyed(key, serial);
    }
    if (!gone) {
      return;
    }
    try {
      KeyId forgotten = await(writer.forget(key.id()));
      log.atInfo().addKeyValue("key_id", forgotten).log("Key deleted: registry entry removed");
    } catch (ExecutionException | TimeoutException e) {
      logFailure(key, e);
    }
  }

  /// Destroys the key's object on a token. Returns true if the token does not have the key any
  /// more.
  private boolean destroyed(Key key, String serial) throws InterruptedException {
    if (!tokens.has(serial)) {
      log.atWarn()
          .addKeyValue("key_id", key.id())
          .addKeyValue("token_serial", serial)
          .log("Key not destroyed yet: its token is not configured");
      return false;
    }
    try {
      long deadline = System.nanoTime() + LIMIT.toNanos();
      Outcome outcome =
          await(tokens.submit(serial, session -> destroy(session, key), true, deadline));
      tokens.evict(serial, key.object());
      (outcome == Outcome.ANOTHER_KEY ? log.atError() : log.atInfo())
          .addKeyValue("key_id", key.id())
          .addKeyValue("token_serial", serial)
          .addKeyValue("object_label", key.object().label())
          .log(outcome.message);
      return true;
    } catch (ExecutionException | TimeoutException e) {
      logFailure(key, e);
      return false;
    }
  }

  private enum Outcome {
    DESTROYED("Key destroyed on a token"),
    ABSENT("Key to destroy is not on the token any more"),
    ANOTHER_KEY("Object not destroyed: another key has the label and id of the deleted key");

    private final String message;

    Outcome(String message) {
      this.message = message;
    }
  }

  /// Destroys the object of a key, unless the check value shows that the object is another key. The
  /// object is another key if an operator replaced the key, or if the registry is older than the
  /// token.
  private static Outcome destroy(TokenSession session, Key key) throws TokenException {
    KeyCheckValue check = key.check();
    if (check != null) {
      try {
        byte[] mac = session.signOnce(key.object(), check.algorithm(), check.message());
        if (!check.isAnsweredBy(mac)) {
          return Outcome.ANOTHER_KEY;
        }
      } catch (TokenException e) {
        if (e.kind() == TokenException.Kind.KEY_MISSING) {
          return Outcome.ABSENT;
        }
        throw e;
      }
    }
    return session.destroy(key.object()) ? Outcome.DESTROYED : Outcome.ABSENT;
  }

  private static void logFailure(Key key, Exception e) {
    if (isFileFailure(e)) {
      return; // The registry logs it.
    }
    log.atError()
        .addKeyValue("key_id", key.id())
        .setCause(e)
        .log("Key deletion failed; next attempt within a minute");
  }

  private static <T> T await(CompletableFuture<T> work)
      throws InterruptedException, ExecutionException, TimeoutException {
    return work.get(2 * LIMIT.toSeconds(), TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    schedule.shutdownNow();
    try {
      if (!schedule.awaitTermination(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        log.atWarn().log("Key deletion thread did not end within its time limit");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
