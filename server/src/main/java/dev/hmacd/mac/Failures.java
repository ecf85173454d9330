package dev.hmacd.mac;

import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.RegistryException;
import dev.hmacd.token.TokenException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeoutException;

/// Turns what the token and the registry answer into a [Failure].
final class Failures {
  private Failures() {}

  static Failure of(TokenException e, KeyEntry key) {
    return switch (e.kind()) {
      case BUSY -> new Failure.TokenBusy();
      case LATE -> new Failure.DeadlineExceeded();
      case STOPPED -> new Failure.Stopping();
      case UNAVAILABLE -> new Failure.TokenUnavailable();
      case KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT -> new Failure.KeyUnavailable(key.id());
      case UNSUPPORTED -> new Failure.MechanismNotSupported(key.spec());
    };
  }

  /// What a chain of futures ended with, for calls about a key.
  static Failure of(Throwable e, KeyEntry key) {
    return unwrap(e) instanceof TokenException token ? of(token, key) : ofRegistry(e);
  }

  /// What a chain of futures ended with, for calls to the token that are about no key of callers'.
  static Failure ofToken(Throwable e) {
    if (unwrap(e) instanceof TokenException token) {
      return switch (token.kind()) {
        case BUSY -> new Failure.TokenBusy();
        case LATE -> new Failure.DeadlineExceeded();
        case STOPPED -> new Failure.Stopping();
        case UNAVAILABLE, KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT, UNSUPPORTED ->
            new Failure.TokenUnavailable();
      };
    }
    return ofRegistry(e);
  }

  /// What a chain of futures ended with, for calls that do not reach the token.
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
      case BUSY -> new Failure.RegistryBusy();
      case OBJECT_TAKEN -> new Failure.ObjectTaken();
      // The use cases turn these into failures with the names that the caller gave, before they get
      // here.
      case UNAVAILABLE,
          FOREIGN,
          KEY_NOT_FOUND,
          ALIAS_EXISTS,
          ALIAS_NOT_FOUND,
          TOO_MANY_ALIASES,
          TOO_MANY_TAGS,
          ACCESS_KEY_NOT_FOUND,
          REFUSED ->
          new Failure.RegistryUnavailable();
    };
  }
}
