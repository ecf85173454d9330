package dev.hmacd.usecase;

import dev.hmacd.key.Key;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.TokenException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeoutException;

/// Maps exceptions of the token and the registry to a [Failure].
final class FailureMapper {
  private FailureMapper() {}

  static Failure of(TokenException e, Key key) {
    return switch (e.kind()) {
      case BUSY -> new Failure.TokenBusy(Failure.Bound.OF_ALL);
      case OWNER_BUSY -> new Failure.TokenBusy(Failure.Bound.OF_CALLER);
      case LATE -> new Failure.DeadlineExceeded();
      case STOPPED -> new Failure.Stopping();
      // MacService answers a withdrawn operation with the failure of the new access decision.
      case UNAVAILABLE, WITHDRAWN -> new Failure.TokenUnavailable();
      case KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT -> new Failure.KeyUnavailable(key.id());
      case UNSUPPORTED -> new Failure.MechanismNotSupported(key.spec());
      // MacService answers for the messages of callers. All other messages are short.
      case MESSAGE_TOO_LONG -> new Failure.TokenUnavailable();
    };
  }

  /// Maps the exception of a future in a call that concerns one key.
  static Failure of(Throwable e, Key key) {
    return unwrap(e) instanceof TokenException token ? of(token, key) : ofRegistry(e);
  }

  /// Maps the exception of a token operation that uses no caller's key.
  static Failure ofToken(Throwable e) {
    if (unwrap(e) instanceof TokenException token) {
      return switch (token.kind()) {
        case BUSY -> new Failure.TokenBusy(Failure.Bound.OF_ALL);
        case OWNER_BUSY -> new Failure.TokenBusy(Failure.Bound.OF_CALLER);
        case LATE -> new Failure.DeadlineExceeded();
        case STOPPED -> new Failure.Stopping();
        case UNAVAILABLE,
            WITHDRAWN,
            KEY_MISSING,
            KEY_AMBIGUOUS,
            KEY_UNFIT,
            UNSUPPORTED,
            MESSAGE_TOO_LONG ->
            new Failure.TokenUnavailable();
      };
    }
    return ofRegistry(e);
  }

  /// Maps the exception of a future in a call without a token operation.
  static Failure ofRegistry(Throwable e) {
    return switch (unwrap(e)) {
      case Refusal refusal -> refusal.failure();
      case RegistryException registry -> of(registry);
      case TimeoutException _ -> new Failure.DeadlineExceeded();
      case Throwable other -> new Failure.Unforeseen(other);
    };
  }

  static Throwable unwrap(Throwable e) {
    return e instanceof CompletionException && e.getCause() != null ? e.getCause() : e;
  }

  private static Failure of(RegistryException e) {
    return switch (e.kind()) {
      case BUSY -> new Failure.RegistryBusy(Failure.Bound.OF_ALL);
      case OWNER_BUSY -> new Failure.RegistryBusy(Failure.Bound.OF_CALLER);
      case OBJECT_TAKEN -> new Failure.ObjectTaken();
      // The use cases themselves map KEY_NOT_FOUND and the kinds below, because their failures
      // contain names from the request.
      case UNAVAILABLE,
          UNUSABLE,
          FOREIGN,
          KEY_NOT_FOUND,
          ALIAS_EXISTS,
          ALIAS_NOT_FOUND,
          TOO_MANY_ALIASES,
          TOO_MANY_TAGS,
          ACCESS_KEY_NOT_FOUND,
          REFUSED,
          OVERTAKEN ->
          new Failure.RegistryUnavailable();
    };
  }
}
