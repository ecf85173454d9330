package dev.hmacd.registry;

import dev.hmacd.key.Key;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Failure of a registry operation.
public final class RegistryException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// Kind of the failure, by which callers decide about a retry.
  public enum Kind {
    /// The queue of the registry is full; retry later.
    BUSY,
    /// The owner has too many registry operations in flight.
    OWNER_BUSY,
    /// The database cannot be read or written now; retry later.
    UNAVAILABLE,
    /// The file is not this daemon's registry: it belongs to another [ArnScope], a newer version or
    /// another program. An operator must act.
    FOREIGN,
    /// The file, or its folder, cannot be used until an operator acts.
    UNUSABLE,
    KEY_NOT_FOUND,
    ALIAS_EXISTS,
    ALIAS_NOT_FOUND,
    TOO_MANY_ALIASES,
    TOO_MANY_TAGS,
    ACCESS_KEY_NOT_FOUND,
    /// The state of the key does not allow the change any more.
    REFUSED,
    /// The change would enable a key, and a change that stops the key was requested later.
    OVERTAKEN,
    /// The object on the token belongs to another key already.
    OBJECT_TAKEN
  }

  private static final String REFUSED =
      "change refused: the current state of the key does not allow the change";

  private final Kind kind;
  private final transient @Nullable Key current;

  RegistryException(Kind kind, String message) {
    super(message);
    this.kind = kind;
    this.current = null;
  }

  RegistryException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
    this.current = null;
  }

  private RegistryException(Kind kind, String message, Key current) {
    super(message);
    this.kind = kind;
    this.current = current;
  }

  /// The exception of a change that the current state of its key does not allow.
  static RegistryException refused(Key current) {
    return new RegistryException(Kind.REFUSED, REFUSED, current);
  }

  /// As [#refused(Key)], if the state changed between two statements of the change.
  static RegistryException refused() {
    return new RegistryException(Kind.REFUSED, REFUSED);
  }

  /// The exception of a look-up whose entry leaves the cache again before it is used.
  public static RegistryException evicted() {
    return new RegistryException(
        Kind.BUSY, "the cache of the registry evicts entries before their use");
  }

  public Kind kind() {
    return kind;
  }

  /// The key in the state that refused the change; empty for another kind, or if the state is not
  /// known.
  public Optional<Key> current() {
    return Optional.ofNullable(current);
  }

  /// Whether the registry's file cannot be used, or the registry is closed. [RegistryHealth] logs
  /// such failures of operations, at a limited rate.
  public boolean isFileFailure() {
    return kind == Kind.UNAVAILABLE || needsOperator();
  }

  /// Whether an operator must act before a retry can succeed.
  public boolean needsOperator() {
    return kind == Kind.FOREIGN || kind == Kind.UNUSABLE;
  }
}
