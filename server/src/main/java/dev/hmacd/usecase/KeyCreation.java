package dev.hmacd.usecase;

import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.Tag;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import dev.hmacd.token.TokenSession;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Creates keys. A crash or failure never leaves an object on the token without a registry entry.
/// The registry stores the key as `CREATING` before the token generates it, and as `ENABLED`
/// afterwards. [KeyRecovery] completes or removes a key that stays `CREATING` after a crash or
/// failure.
public final class KeyCreation {
  private static final Logger log = LoggerFactory.getLogger(KeyCreation.class);

  /// State of a key generation. The lane sets `BEGUN`, and a failure or deadline sets `GIVEN_UP`:
  /// the first change counts.
  private enum Step {
    WAITING,
    BEGUN,
    GIVEN_UP
  }

  private final KeyWriter writer;
  private final TokenRouter tokens;
  private final KeyRecovery recovery;

  public KeyCreation(Registry registry, TokenRouter tokens, KeyRecovery recovery) {
    this.writer = registry.writer();
    this.tokens = tokens;
    this.recovery = recovery;
  }

  /// Creates a key: stores its registry entry, and generates its object on the entry's token.
  CompletableFuture<Key> make(Call call, Key key, List<Tag> tags) {
    return writer.insert(key, tags).thenCompose(inserted -> generate(call, inserted));
  }

  private CompletableFuture<Key> generate(Call call, Key key) {
    var step = new AtomicReference<>(Step.WAITING);
    var result = new CompletableFuture<Key>();
    var _ =
        tokens
            .submit(
                call.owner(),
                key.tokenSerial(),
                session -> {
                  if (!step.compareAndSet(Step.WAITING, Step.BEGUN)) {
                    throw new TokenException(
                        TokenException.Kind.LATE, "key generation cancelled before its start");
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
                    logFailure(key, writer.abandon(key.id()));
                  }
                  result.completeExceptionally(failure);
                });
    return result;
  }

  /// Generates a key. Runs on the lane, so that the creation finishes even after the caller's
  /// deadline.
  private void generate(TokenSession session, Key key, CompletableFuture<Key> result)
      throws TokenException {
    KeyAttributes generated;
    KeyCheckValue check;
    try {
      generated = session.generate(key.object(), key.spec().keyBytes());
      check = KeyRecovery.checkValue(session, key);
    } catch (TokenException | RuntimeException e) {
      recovery.recover(key);
      throw e;
    }
    CompletableFuture<Key> enabled = writer.enable(key.id(), generated, check);
    logFailure(key, enabled);
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

  private static void logFailure(Key key, CompletableFuture<?> change) {
    var _ =
        change.exceptionally(
            failure -> {
              log.atWarn()
                  .addKeyValue("key_id", key.id())
                  .addKeyValue("reason", FailureMapper.unwrap(failure))
                  .log("Key left in state CREATING until the next start: registry change failed");
              return null;
            });
  }
}
