package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes.Unfit;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Why the token did not do what it was asked to.
public final class TokenException extends Exception {
  private static final long serialVersionUID = 1;

  /// What a caller can do about it.
  public enum Kind {
    /// Too much waits for the token; later there may be room.
    BUSY,
    /// The deadline passed before the token answered, or before it was asked.
    LATE,
    /// The daemon is stopping.
    STOPPED,
    /// The token, its session or its login failed, and did not heal at once.
    UNAVAILABLE,
    /// The object is not on the token.
    KEY_MISSING,
    /// More than one object fits.
    KEY_AMBIGUOUS,
    /// The object's attributes are not those of a key that may be used.
    KEY_UNFIT,
    /// The token has no such mechanism.
    UNSUPPORTED
  }

  /// What lanes can do about it.
  enum Fault {
    /// Nothing: the token did not fail.
    NONE,
    /// The session was opened before something that put all handles in doubt: open another. The
    /// token was not asked, or its answer is not used.
    STALE,
    /// The session is gone or unusable: open another.
    SESSION,
    /// Nobody is logged in: log in once.
    LOGIN,
    /// The handle names nothing any more: find the key again.
    OBJECT,
    /// There are no more sessions: let other lanes do the work.
    CAPACITY,
    /// The device failed.
    DEVICE,
    /// The module wants to be finalized and initialised.
    MODULE,
    /// The MAC is not the one that the token itself computes a second time.
    WRONG_MAC,
    /// The PIN was refused: nobody tries it again until an operator acts.
    PIN
  }

  private final Kind kind;
  private final Fault fault;
  private final transient @Nullable Unfit unfit;

  private TokenException(
      Kind kind, Fault fault, @Nullable Unfit unfit, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.kind = kind;
    this.fault = fault;
    this.unfit = unfit;
  }

  /// A failure that is not the token's fault.
  public TokenException(Kind kind, String message) {
    this(kind, Fault.NONE, null, message, null);
  }

  /// An object that is not fit to be a key.
  static TokenException unfit(Unfit unfit, String message) {
    return new TokenException(Kind.KEY_UNFIT, Fault.NONE, unfit, message, null);
  }

  static TokenException fault(Fault fault, String message, Throwable cause) {
    return new TokenException(Kind.UNAVAILABLE, fault, null, message, cause);
  }

  static TokenException fault(Fault fault, @Nullable Unfit unfit, String message, Throwable cause) {
    return new TokenException(Kind.UNAVAILABLE, fault, unfit, message, cause);
  }

  static TokenException fault(Fault fault, String message) {
    return new TokenException(Kind.UNAVAILABLE, fault, null, message, null);
  }

  static TokenException unsupported(String message, Throwable cause) {
    return new TokenException(Kind.UNSUPPORTED, Fault.NONE, null, message, cause);
  }

  public Kind kind() {
    return kind;
  }

  /// Whether trying again cannot help until an operator has mended the PIN; each try could lock the
  /// token.
  public boolean isPinRefused() {
    return fault == Fault.PIN;
  }

  /// What is wrong with the key, if the token's answer is true. It need not be: some tokens say the
  /// same of any key once nobody is logged in. So believe it only of a key that is on trial, and
  /// after a second try on a new session.
  public Optional<Unfit> unfit() {
    return Optional.ofNullable(unfit);
  }

  Fault fault() {
    return fault;
  }
}
