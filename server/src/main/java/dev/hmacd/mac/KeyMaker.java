package dev.hmacd.mac;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.key.Tag;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import dev.hmacd.token.TokenSession.Query;
import dev.hmacd.token.Tokens;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Makes keys so that no crash and no failure orphans an object on the token: the registry knows
/// the key as `CREATING` before the token makes it, and as `ENABLED` once the token has.
///
/// What was begun and not ended is settled by what the token holds: with the object there, the key
/// is enabled; without it, forgotten. Nothing on the token is ever destroyed here: a registry that
/// was restored from a backup may call a key `CREATING` that has been in use for long.
public final class KeyMaker {
  /// Settling is nobody's call, so it has a limit of its own.
  private static final Duration SETTLE_LIMIT = Duration.ofSeconds(30);

  private static final Logger log = LoggerFactory.getLogger(KeyMaker.class);

  /// Between a lane that begins and a caller who gives up, the first decides.
  private enum Step {
    WAITING,
    BEGUN,
    GIVEN_UP
  }

  private final KeyRegistry registry;
  private final Tokens tokens;

  /// What an earlier run left begun, by the token that it is to be on.
  private final Map<String, Queue<KeyEntry>> begun = new ConcurrentHashMap<>();

  public KeyMaker(KeyRegistry registry, Tokens tokens) {
    this.registry = registry;
    this.tokens = tokens;
  }

  /// Makes a key on the token that the entry names.
  CompletableFuture<KeyEntry> make(KeyEntry key, List<Tag> tags, long deadlineNanos) {
    return registry.insert(key, tags).thenCompose(begun -> generate(begun, deadlineNanos));
  }

  private CompletableFuture<KeyEntry> generate(KeyEntry key, long deadlineNanos) {
    var step = new AtomicReference<>(Step.WAITING);
    var result = new CompletableFuture<KeyEntry>();
    var _ =
        tokens
            .submit(
                key.tokenSerial(),
                session -> {
                  if (!step.compareAndSet(Step.WAITING, Step.BEGUN)) {
                    throw new TokenException(TokenException.Kind.LATE, "given up before it began");
                  }
                  generate(session, key, result);
                  return key.id();
                },
                false,
                deadlineNanos)
            .whenComplete(
                (_, failure) -> {
                  if (failure == null) {
                    return;
                  }
                  if (step.compareAndSet(Step.WAITING, Step.GIVEN_UP)) {
                    logged(key, registry.abandon(key.id()));
                  }
                  result.completeExceptionally(failure);
                });
    return result;
  }

  /// On the lane, so that it is seen through also when the caller has been told that it is late.
  private void generate(TokenSession session, KeyEntry key, CompletableFuture<KeyEntry> result)
      throws TokenException {
    KeyAttributes made;
    try {
      made = session.generate(key.object(), key.spec().keyBytes());
    } catch (TokenException | RuntimeException e) {
      settle(key);
      throw e;
    }
    CompletableFuture<KeyEntry> enabled = registry.enable(key.id(), made);
    logged(key, enabled);
    var _ =
        enabled.whenComplete(
            (entry, failure) -> {
              if (failure == null) {
                result.complete(entry);
              } else {
                result.completeExceptionally(failure);
              }
            });
  }

  /// Settles what an earlier run of the daemon left begun: what was begun on a token that is out of
  /// service, when it comes back; what was begun on none of these stays, since that they have no
  /// such object says nothing. To be called before any key is made.
  public void settleAll() {
    for (KeyEntry key : registry.creating()) {
      if (tokens.has(key.tokenSerial())) {
        begun.computeIfAbsent(key.tokenSerial(), _ -> new ConcurrentLinkedQueue<>()).add(key);
      } else {
        log.atWarn()
            .addKeyValue("key_id", key.id())
            .addKeyValue("token_serial", key.tokenSerial())
            .log("Key left in state CREATING: it is on another token");
      }
    }
    tokens.serials().stream().filter(tokens::isInService).forEach(this::settleOn);
  }

  /// Settles what was left begun on a token that is in service now.
  public void settleOn(String tokenSerial) {
    Queue<KeyEntry> left = begun.get(tokenSerial);
    if (left != null) {
      for (KeyEntry key = left.poll(); key != null; key = left.poll()) {
        settle(key);
      }
    }
  }

  private void settle(KeyEntry key) {
    CompletableFuture<List<TokenSession.Found>> search =
        tokens.submit(
            key.tokenSerial(),
            session -> session.find(new Query.ByBoth(key.object())),
            true,
            System.nanoTime() + SETTLE_LIMIT.toNanos());
    logged(key, search.thenCompose(found -> settle(key, found)));
  }

  private CompletableFuture<?> settle(KeyEntry key, List<TokenSession.Found> found) {
    if (found.isEmpty()) {
      log.atWarn().addKeyValue("key_id", key.id()).log("Key forgotten that the token had not made");
      return registry.abandon(key.id());
    }
    KeyAttributes made = found.getFirst().attributes();
    if (found.size() > 1 || made.unfit().isPresent()) {
      log.atError().addKeyValue("key_id", key.id()).log("Key left in state CREATING: unfit object");
      return CompletableFuture.completedFuture(key.id());
    }
    log.atWarn().addKeyValue("key_id", key.id()).log("Key enabled that the token had made");
    return registry.enable(key.id(), made);
  }

  private static void logged(KeyEntry key, CompletableFuture<?> work) {
    var _ =
        work.exceptionally(
            failure -> {
              log.atWarn()
                  .addKeyValue("key_id", key.id())
                  .setCause(failure)
                  .log("Key left in state CREATING until the next start");
              return null;
            });
  }
}
