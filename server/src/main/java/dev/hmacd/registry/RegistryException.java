package dev.hmacd.registry;

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

  private final Kind kind;

  RegistryException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  RegistryException(Kind kind, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
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
