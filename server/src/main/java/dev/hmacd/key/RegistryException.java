package dev.hmacd.key;

/// Why the registry did not do what it was asked to.
public final class RegistryException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// What a caller can do about it.
  public enum Kind {
    /// Too many changes wait; later there may be room.
    BUSY,
    /// The database cannot be read or written now; later it may.
    UNAVAILABLE,
    /// The file is not this daemon's registry: it belongs to another [ArnScope], a newer version or
    /// another program. An operator has to look.
    FOREIGN,
    KEY_NOT_FOUND,
    ALIAS_EXISTS,
    ALIAS_NOT_FOUND,
    TOO_MANY_ALIASES,
    TOO_MANY_TAGS,
    ACCESS_KEY_NOT_FOUND,
    /// What was to be changed is by now such that it must not be.
    REFUSED,
    /// The object on the token backs a key already.
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
}
