package dev.hmacd.usecase;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Action;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyState;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.RegistryException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/// Use cases that change the registry entry of a key: its state, deletion date or description. A
/// change is effective on the next request. The changes that stop a key are urgent
/// ([KeyWriter#stop]). No method blocks: results come from the registry's thread.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // All fields are thread-safe.
public final class KeyStateService {
  /// Limits of the waiting period before the destruction of a key, in days, as in AWS KMS.
  public static final int MIN_PENDING_DAYS = 7;

  public static final int MAX_PENDING_DAYS = 30;

  private final KeyAuthorizer authorizer;
  private final KeyWriter writer;
  private final Clock clock;

  public KeyStateService(Registry registry, KeyAuthorizer authorizer, Clock clock) {
    this.authorizer = authorizer;
    this.writer = registry.writer();
    this.clock = clock;
  }

  /// Enables a key. Fails with [Failure.KeyNotUsable] if a later request has stopped the key before
  /// this change was executed.
  public void enableKey(Call call, String keyId, Reply<Key> reply) {
    change(call, Action.ENABLE_KEY, keyId, key -> key.in(KeyState.ENABLED), reply);
  }

  /// Disables a key, until a call of EnableKey.
  public void disableKey(Call call, String keyId, Reply<Key> reply) {
    stop(call, Action.DISABLE_KEY, keyId, key -> key.in(KeyState.DISABLED), reply);
  }

  /// Takes a key out of service now, and schedules its destruction in the HSM for the end of the
  /// waiting period.
  ///
  /// @param days the waiting period, from [#MIN_PENDING_DAYS] to [#MAX_PENDING_DAYS]
  public void scheduleKeyDeletion(Call call, String keyId, int days, Reply<Key> reply) {
    FieldValidation.range("pending_window_in_days", days, MIN_PENDING_DAYS, MAX_PENDING_DAYS);
    Instant when = Instant.ofEpochMilli(clock.millis()).plus(Duration.ofDays(days));
    stop(call, Action.SCHEDULE_KEY_DELETION, keyId, key -> key.pendingDeletion(when), reply);
  }

  /// Cancels the deletion of a key. The key is disabled afterwards.
  public void cancelKeyDeletion(Call call, String keyId, Reply<Key> reply) {
    change(call, Action.CANCEL_KEY_DELETION, keyId, key -> key.in(KeyState.DISABLED), reply);
  }

  /// Replaces the description of a key.
  ///
  /// @param description 0 to [FieldValidation#MAX_DESCRIPTION_CHARS] characters
  public void updateKeyDescription(Call call, String keyId, String description, Reply<Key> reply) {
    FieldValidation.description(description);
    change(call, Action.UPDATE_KEY_DESCRIPTION, keyId, key -> key.describedAs(description), reply);
  }

  private void change(
      Call call, Action action, String given, UnaryOperator<Key> change, Reply<Key> reply) {
    require(
        authorizer,
        call,
        action,
        given,
        reply,
        id ->
            ReplyCompleter.complete(
                call,
                writer.forOwner(call.owner(), () -> writer.update(id, ifAllowed(action, change))),
                reply,
                e -> failure(action, id, given, e)));
  }

  private void stop(
      Call call, Action action, String given, UnaryOperator<Key> change, Reply<Key> reply) {
    require(
        authorizer,
        call,
        action,
        given,
        reply,
        id ->
            ReplyCompleter.complete(
                call,
                writer.stop(call.owner(), id, ifAllowed(action, change)),
                reply,
                e -> failure(action, id, given, e)));
  }

  /// Refuses a change that the key's state does not allow when the change is executed.
  private static Function<Key, Optional<Key>> ifAllowed(Action action, UnaryOperator<Key> change) {
    return key ->
        KeyStateRules.allows(action, key) ? Optional.of(change.apply(key)) : Optional.empty();
  }

  /// Checks the authorization and the state of a key that a caller named by id or ARN.
  ///
  /// @param next gets the id of the key
  static void require(
      KeyAuthorizer authorizer,
      Call call,
      Action action,
      String given,
      Reply<?> reply,
      Consumer<KeyId> next) {
    authorizer.requireById(
        call,
        action,
        "key_id",
        given,
        reply,
        key -> {
          KeyStateRules.require(action, key.entry());
          next.accept(key.entry().id());
        });
  }

  /// Maps the failure of a change of a key. The registry checks the key's state again when it
  /// executes the change. An earlier change in the queue may have changed the state.
  static Failure failure(Action action, KeyId id, String given, Throwable e) {
    if (FailureMapper.unwrap(e) instanceof RegistryException refused) {
      if (refused.kind() == RegistryException.Kind.KEY_NOT_FOUND) {
        return new Failure.KeyNotFound(given);
      }
      if (refused.kind() == RegistryException.Kind.OVERTAKEN) {
        return new Failure.KeyNotUsable(id, KeyState.DISABLED);
      }
      if (refused.kind() == RegistryException.Kind.REFUSED) {
        return refused
            .current()
            .flatMap(key -> KeyStateRules.refusal(action, key))
            .orElseGet(() -> new Failure.KeyNotFound(given));
      }
    }
    return FailureMapper.ofRegistry(e);
  }
}
