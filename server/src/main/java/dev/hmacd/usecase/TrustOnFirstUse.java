package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.limit.Owner;
import dev.hmacd.limit.RefusalLog;
import dev.hmacd.limit.WaitingCalls;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.Completion;
import dev.hmacd.token.SignRequest;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Trust on first use: at the first use of a key without a check value, stores the check value of
/// the object on the token. Keys from old versions of hmacd have no check value. The first use
/// trusts the object on the token.
///
/// Each lane compares the object's check value with the stored check value before it releases a
/// MAC, even if a concurrent call stored the check value. If the registry fails to store the check
/// value, the call gets no MAC, because each later use would trust the object again.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // All fields are thread-safe.
final class TrustOnFirstUse {
  /// Time limit of the computation of a check value, for which several calls can wait.
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private static final Logger log = LoggerFactory.getLogger(TrustOnFirstUse.class);

  /// Maximum number of calls of all owners that wait for check values.
  private static final int MAX_WAITING = 1024;

  private final KeyWriter registry;
  private final TokenRouter tokens;
  private final WaitingCalls waiting =
      new WaitingCalls(
          MAX_WAITING,
          new RefusalLog(
              "Calls refused: too many calls wait for check values of keys", "owner_calls"));

  /// Computations of check values in flight: one for each key, for any number of waiting calls.
  private final Map<KeyId, CompletableFuture<Key>> inFlight = new ConcurrentHashMap<>();

  TrustOnFirstUse(KeyWriter registry, TokenRouter tokens) {
    this.registry = registry;
    this.tokens = tokens;
  }

  /// Returns the key with its check value, after the registry has stored the check value.
  ///
  /// @param key a key without a check value
  /// @param owner the principal whose quotas of the token and the registry count the operation
  /// @param messageBytes length of the message that the call holds meanwhile
  /// @return a future that can fail with a [TokenException] or a [RegistryException]; the caller
  ///   must not complete it
  CompletableFuture<Key> withCheckValue(Key key, Owner owner, int messageBytes) {
    int calls = SignRequest.pieces(messageBytes);
    return switch (waiting.enter(owner, calls)) {
      case FULL -> refused(TokenException.Kind.BUSY, waiting.max() + " in total");
      case OWNER_FULL ->
          refused(TokenException.Kind.OWNER_BUSY, waiting.maxOfOwner() + " per owner");
      case ADMITTED -> storedOnce(key, owner).whenComplete((_, _) -> waiting.leave(owner, calls));
    };
  }

  private static CompletableFuture<Key> refused(TokenException.Kind kind, String limit) {
    return CompletableFuture.failedFuture(
        new TokenException(
            kind, "limit of calls that wait for the check value of a key reached (" + limit + ")"));
  }

  private CompletableFuture<Key> storedOnce(Key key, Owner owner) {
    var mine = new CompletableFuture<Key>();
    CompletableFuture<Key> others = inFlight.putIfAbsent(key.id(), mine);
    if (others != null) {
      return others.exceptionallyCompose(
          e -> isOwnerBusy(e) ? storedOnce(key, owner) : CompletableFuture.failedFuture(e));
    }
    var _ =
        checkValue(key, owner)
            .thenCompose(check -> stored(key, check, owner))
            .whenComplete(
                (withCheckValue, e) -> {
                  inFlight.remove(key.id(), mine);
                  if (e == null) {
                    mine.complete(withCheckValue);
                  } else {
                    mine.completeExceptionally(FailureMapper.unwrap(e));
                  }
                });
    return mine;
  }

  /// Whether the owner of a computation has used up its quota of the token or of the registry. If
  /// the quota is used up, the waiting calls of other owners start a computation of their own.
  private static boolean isOwnerBusy(Throwable e) {
    return switch (FailureMapper.unwrap(e)) {
      case TokenException token -> token.kind() == TokenException.Kind.OWNER_BUSY;
      case RegistryException registry -> registry.kind() == RegistryException.Kind.OWNER_BUSY;
      default -> false;
    };
  }

  @SuppressWarnings("ReferenceEquality") // The same object: stored by this call.
  private CompletableFuture<Key> stored(Key key, KeyCheckValue check, Owner owner) {
    return registry
        .forOwner(owner, () -> registry.storeCheckValue(key.id(), check))
        .thenApply(
            withCheckValue -> {
              if (withCheckValue.check() == check) {
                log.atInfo()
                    .addKeyValue("key_id", key.id())
                    .addKeyValue("object_label", key.object().label())
                    .log("Missing check value of a key stored at its first use");
              }
              return withCheckValue;
            });
  }

  private CompletableFuture<KeyCheckValue> checkValue(Key key, Owner owner) {
    var result = new CompletableFuture<KeyCheckValue>();
    tokens.sign(
        key.tokenSerials(),
        new SignRequest(
            key.object(),
            null,
            key.spec().algorithm(),
            KeyCheckValue.message(key.id(), key.currentVersion().number()),
            System.nanoTime() + LIMIT.toNanos()),
        new Completion<>() {
          @Override
          public void done(byte[] mac) {
            result.complete(
                KeyCheckValue.of(
                    key.id(), key.currentVersion().number(), key.spec().algorithm(), mac));
          }

          @Override
          public void failed(TokenException cause) {
            result.completeExceptionally(cause);
          }

          @Override
          public Owner owner() {
            return owner;
          }
        });
    return result;
  }
}
