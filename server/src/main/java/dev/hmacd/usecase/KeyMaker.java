package dev.hmacd.usecase;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.Tag;
import dev.hmacd.registry.CreatingKey;
import dev.hmacd.registry.KeyLists;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import dev.hmacd.token.TokenSession;
import dev.hmacd.token.TokenSession.Query;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Creates keys, so that no crash and no failure orphans an object on the token. The registry
/// stores the key as `CREATING` before the token generates it, and as `ENABLED` afterwards.
///
/// After a crash, the token decides about a `CREATING` key. With the object the key is enabled,
/// without it the key is removed from the registry. With an unfit or ambiguous object the key stays
/// `CREATING`. No object that can compute a MAC is destroyed here: after a restore of the registry,
/// a key in use may be `CREATING`.
///
/// This class destroys an object without a value. SoftHSM2 writes an object's name and its value in
/// two transactions. If the process ends between them, the object has no value.
public final class KeyMaker {
  /// Time limit of the recovery of a `CREATING` key, which has no caller and no deadline.
  private static final Duration SETTLE_LIMIT = Duration.ofSeconds(30);

  private static final Logger log = LoggerFactory.getLogger(KeyMaker.class);

  /// State of a key generation. The lane's start and the caller's deadline race: the first decides.
  private enum Step {
    WAITING,
    BEGUN,
    GIVEN_UP
  }

  private final KeyWriter writer;
  private final KeyLists lists;
  private final TokenRouter tokens;

  /// Keys that an earlier run left `CREATING`, by the serial number of their token.
  private final Map<String, Queue<KeyEntry>> begun = new ConcurrentHashMap<>();

  public KeyMaker(Registry registry, TokenRouter tokens) {
    this.writer = registry.writer();
    this.lists = registry.lists();
    this.tokens = tokens;
  }

  /// Creates a key on the token of the entry.
  CompletableFuture<KeyEntry> make(Call call, KeyEntry key, List<Tag> tags) {
    return writer.insert(key, tags).thenCompose(begun -> generate(call, begun));
  }

  private CompletableFuture<KeyEntry> generate(Call call, KeyEntry key) {
    var step = new AtomicReference<>(Step.WAITING);
    var result = new CompletableFuture<KeyEntry>();
    var _ =
        tokens
            .submit(
                call.principal(),
                key.tokenSerial(),
                session -> {
                  if (!step.compareAndSet(Step.WAITING, Step.BEGUN)) {
                    throw new TokenException(TokenException.Kind.LATE, "given up before it began");
                  }
                  generate(session, key, result);
                  return key.id();
                },
                false,
                call.deadlineNanos())
            .whenComplete(
                (_, failure) -> {
                  if (failure == null) {
                    return;
                  }
                  if (step.compareAndSet(Step.WAITING, Step.GIVEN_UP)) {
                    logged(key, writer.abandon(key.id()));
                  }
                  result.completeExceptionally(failure);
                });
    return result;
  }

  /// Runs on the lane, so that the creation finishes even after the caller's deadline.
  private void generate(TokenSession session, KeyEntry key, CompletableFuture<KeyEntry> result)
      throws TokenException {
    KeyAttributes made;
    KeyCheckValue check;
    try {
      made = session.generate(key.object(), key.spec().keyBytes());
      check = check(session, key);
    } catch (TokenException | RuntimeException e) {
      settle(key);
      throw e;
    }
    CompletableFuture<KeyEntry> enabled = writer.enable(key.id(), made, check);
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

  /// The check value of a new key; null if the token has no mechanism for MACs under such a key.
  private static @Nullable KeyCheckValue check(TokenSession session, KeyEntry key)
      throws TokenException {
    try {
      byte[] mac =
          session.signOnce(
              key.object(), key.spec().algorithm(), KeyCheckValue.message(key.id(), key.version()));
      return KeyCheckValue.of(key.id(), key.version(), key.spec().algorithm(), mac);
    } catch (TokenException e) {
      if (e.kind() == TokenException.Kind.UNSUPPORTED) {
        return null;
      }
      throw e;
    }
  }

  /// Objects on a token with the label and id of a key in state CREATING.
  private record Left(List<TokenSession.Found> found, @Nullable KeyCheckValue check) {}

  /// @param attempts number of refusals of the key for its length so far; the lane makes the second
  ///   attempt in another session
  private static Left left(TokenSession session, KeyEntry key, AtomicInteger attempts)
      throws TokenException {
    List<TokenSession.Found> found = session.find(new Query.ByBoth(key.object()));
    if (found.size() != 1 || found.getFirst().unfit().isPresent()) {
      return new Left(found, null);
    }
    try {
      return new Left(found, check(session, key));
    } catch (TokenException e) {
      if (!isWithoutValue(found.getFirst().attributes(), e) || attempts.incrementAndGet() < 2) {
        throw e;
      }
      log.atWarn()
          .addKeyValue("key_id", key.id())
          .log("Unfinished object destroyed: the object has no value");
      session.destroy(key.object());
      return new Left(List.of(), null);
    }
  }

  /// A token sets CKA_LOCAL with the value of a key that it generates (PKCS #11 v3.1, section 4.9).
  /// CKA_VALUE_LEN shows nothing: SoftHSM2 sets it from the template before the value. The refusal
  /// alone is no proof: some tokens refuse any key so after a logout.
  private static boolean isWithoutValue(KeyAttributes attributes, TokenException refusal) {
    return Boolean.FALSE.equals(attributes.local())
        && refusal.unfit().map(Unfit::attribute).filter("CKA_VALUE_LEN"::equals).isPresent();
  }

  /// Recovers the keys that an earlier run left `CREATING`. If the token is out of service, the
  /// recovery runs after its return. If the token is not configured, the key stays `CREATING`:
  /// other tokens show nothing about its object. Call it before the creation of any key.
  public void settleAll() {
    for (CreatingKey creation : lists.creating().join()) {
      KeyEntry key = creation.key();
      if (tokens.has(key.tokenSerial())) {
        later(key);
      } else {
        log.atWarn()
            .addKeyValue("key_id", key.id())
            .addKeyValue("token_serial", key.tokenSerial())
            .log("Key left in state CREATING: it is on another token");
      }
    }
    tokens.serials().stream().filter(tokens::isInService).forEach(this::settleOn);
  }

  /// Schedules the recovery of a key for the return of its token, or for the next start.
  private void later(KeyEntry key) {
    begun.compute(
        key.tokenSerial(),
        (_, waiting) -> {
          Queue<KeyEntry> keys = waiting == null ? new ConcurrentLinkedQueue<>() : waiting;
          keys.add(key);
          return keys;
        });
  }

  /// Recovers the `CREATING` keys of a token that is in service now.
  public void settleOn(String tokenSerial) {
    Queue<KeyEntry> unsettled = begun.remove(tokenSerial);
    if (unsettled != null) {
      unsettled.forEach(this::settle);
    }
  }

  private void settle(KeyEntry key) {
    var attempts = new AtomicInteger();
    CompletableFuture<Left> search =
        tokens.submit(
            key.tokenSerial(),
            session -> left(session, key, attempts),
            true,
            System.nanoTime() + SETTLE_LIMIT.toNanos());
    var _ =
        search
            .thenCompose(left -> settle(key, left))
            .exceptionally(
                failure -> {
                  log.atWarn()
                      .addKeyValue("key_id", key.id())
                      .setCause(failure)
                      .log("Key left in state CREATING until its token comes back into service");
                  later(key);
                  return null;
                });
  }

  private CompletableFuture<?> settle(KeyEntry key, Left left) {
    List<TokenSession.Found> found = left.found();
    if (found.isEmpty()) {
      log.atWarn().addKeyValue("key_id", key.id()).log("Key forgotten that the token had not made");
      return writer.abandon(key.id());
    }
    if (found.size() > 1 || found.getFirst().unfit().isPresent()) {
      log.atError().addKeyValue("key_id", key.id()).log("Key left in state CREATING: unfit object");
      return CompletableFuture.completedFuture(key.id());
    }
    log.atWarn().addKeyValue("key_id", key.id()).log("Key enabled that the token had made");
    return writer.enable(key.id(), found.getFirst().attributes(), left.check());
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
