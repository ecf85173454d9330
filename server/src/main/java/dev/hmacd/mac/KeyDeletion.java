package dev.hmacd.mac;

import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.token.Tokens;
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

/// Destroys keys whose deletion is due, in steps that a crash may come between: the registry takes
/// the key out of service for good, the token destroys its object, the registry forgets it. What an
/// earlier run of the daemon left begun is ended by the next.
public final class KeyDeletion implements AutoCloseable {
  private static final Duration INTERVAL = Duration.ofSeconds(1);

  /// How long a key that could not be destroyed waits for the next try.
  private static final Duration RETRY = Duration.ofMinutes(1);

  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final int AT_ONCE = 64;
  private static final Logger log = LoggerFactory.getLogger(KeyDeletion.class);

  private final KeyRegistry registry;
  private final Tokens tokens;
  private final ScheduledExecutorService schedule =
      new ScheduledThreadPoolExecutor(
          1, Thread.ofPlatform().name("hmacd-deletion").daemon().factory());

  /// Of the schedule's thread alone.
  private long nextRetryNanos;

  public KeyDeletion(KeyRegistry registry, Tokens tokens) {
    this.registry = registry;
    this.tokens = tokens;
  }

  /// Ends what was begun, and looks every second what is due. To be called when the lanes run.
  public void start() {
    nextRetryNanos = System.nanoTime();
    var _ =
        schedule.scheduleWithFixedDelay(this::look, 0, INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void look() {
    try {
      List<KeyEntry> due = await(registry.condemnDue(AT_ONCE));
      boolean retry = System.nanoTime() - nextRetryNanos >= 0;
      if (due.isEmpty() && !retry) {
        return;
      }
      nextRetryNanos = System.nanoTime() + RETRY.toNanos();
      for (KeyEntry key : await(registry.condemned())) {
        destroy(key);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      log.atWarn().setCause(e).log("Keys that are due were not looked for");
    } catch (RuntimeException e) {
      // Else the schedule would end without a word.
      log.atError().setCause(e).log("Deletion failed in an unforeseen way");
    }
  }

  private void destroy(KeyEntry key) throws InterruptedException {
    boolean gone = true;
    for (String serial : key.tokenSerials()) {
      gone &= destroyed(key, serial);
    }
    if (!gone) {
      return;
    }
    try {
      KeyId forgotten = await(registry.forget(key.id()));
      log.atInfo().addKeyValue("key_id", forgotten).log("Key destroyed");
    } catch (ExecutionException | TimeoutException e) {
      logged(key, e);
    }
  }

  /// Whether a token does not have it any more.
  private boolean destroyed(KeyEntry key, String serial) throws InterruptedException {
    if (!tokens.has(serial)) {
      log.atWarn()
          .addKeyValue("key_id", key.id())
          .addKeyValue("token_serial", serial)
          .log("Key not destroyed yet: it is on another token");
      return false;
    }
    try {
      long deadline = System.nanoTime() + LIMIT.toNanos();
      boolean wasThere =
          await(tokens.submit(serial, session -> session.destroy(key.object()), true, deadline));
      tokens.evict(serial, key.object());
      log.atInfo()
          .addKeyValue("key_id", key.id())
          .addKeyValue("token_serial", serial)
          .addKeyValue("object_was_there", wasThere)
          .log("Key destroyed on a token");
      return true;
    } catch (ExecutionException | TimeoutException e) {
      logged(key, e);
      return false;
    }
  }

  private static void logged(KeyEntry key, Exception e) {
    log.atError()
        .addKeyValue("key_id", key.id())
        .setCause(e)
        .log("Key out of service but not destroyed; it is tried again");
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
        log.atWarn().log("Deletion did not end in time");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
