package dev.hmacd.token;

import dev.hmacd.file.FileException;
import dev.hmacd.key.KeyAttributes.Unfit;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Failure of a token operation.
public final class TokenException extends Exception {
  private static final long serialVersionUID = 1;

  /// Kind of the failure, for callers.
  public enum Kind {
    /// The work queue of the token is full; retry later.
    BUSY,
    /// The work queue of the token is full, also with operations of this owner; or the queue
    /// evicted this operation for one of another owner. Wait for answers before the next operation.
    OWNER_BUSY,
    /// The deadline passed before the token answered, or before the operation started.
    LATE,
    /// The daemon is stopping.
    STOPPED,
    /// The authorization of the operation ended while the operation waited
    /// ([Completion#isWithdrawn]).
    WITHDRAWN,
    /// The token, its session or its login failed, and the lane could not recover at once.
    UNAVAILABLE,
    /// The key's object is not on the token.
    KEY_MISSING,
    /// More than one object on the token matches the key's label and id.
    KEY_AMBIGUOUS,
    /// The object's attributes do not allow its use as a key, the token refuses the object for
    /// MACs, or the object is another key.
    KEY_UNFIT,
    /// The token does not support the mechanism.
    UNSUPPORTED,
    /// The message is too long for the token.
    MESSAGE_TOO_LONG
  }

  /// Kind of a fault of the token, by which a lane decides how to recover.
  enum Fault {
    /// The token did not fail.
    NONE,
    /// The session's handles were invalidated ([Handles]): open another session. The operation did
    /// not reach the token, or its result is discarded.
    STALE,
    /// The session is closed or unusable: open another session.
    SESSION,
    /// The user is not logged in: log in once.
    LOGIN,
    /// The handle is invalid: find the key again.
    OBJECT,
    /// The token has no more sessions: give the job to other lanes.
    CAPACITY,
    /// The device failed.
    DEVICE,
    /// The module is not initialised: finalize and initialise it.
    MODULE,
    /// The MAC is wrong: C_Verify refused it, or it is not the known answer of the health check.
    WRONG_MAC,
    /// The PIN was refused: no retry before an operator has corrected the PIN.
    PIN,
    /// The PIN file cannot be used. The daemon did not ask the token, and reads the file again at
    /// the next attempt.
    PIN_FILE
  }

  private final Kind kind;
  private final Fault fault;
  private final transient @Nullable Unfit unfit;
  private final boolean lengthRefused;

  private TokenException(
      Kind kind, Fault fault, @Nullable Unfit unfit, String message, @Nullable Throwable cause) {
    this(kind, fault, unfit, false, message, cause);
  }

  private TokenException(
      Kind kind,
      Fault fault,
      @Nullable Unfit unfit,
      boolean lengthRefused,
      String message,
      @Nullable Throwable cause) {
    super(message, cause);
    this.kind = kind;
    this.fault = fault;
    this.unfit = unfit;
    this.lengthRefused = lengthRefused;
  }

  /// A failure that is not a fault of the token.
  public TokenException(Kind kind, String message) {
    this(kind, Fault.NONE, null, message, null);
  }

  /// The failure of an object that cannot be used as a key because of an attribute.
  static TokenException unfit(Unfit unfit, String message) {
    return new TokenException(Kind.KEY_UNFIT, Fault.NONE, unfit, message, null);
  }

  /// The failure of a MAC whose message the token refuses because of its length, according to its
  /// return code ([#isLengthRefused]).
  static TokenException lengthRefused(Fault fault, String message, Throwable cause) {
    return new TokenException(Kind.UNAVAILABLE, fault, null, true, message, cause);
  }

  /// The failure of a message that is too long for the token.
  static TokenException messageTooLong(TokenException refusal) {
    return new TokenException(
        Kind.MESSAGE_TOO_LONG,
        Fault.NONE,
        null,
        true,
        String.valueOf(refusal.getMessage()),
        refusal);
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

  /// The failure of two tokens that decides about the exit code of a failed start. A refused PIN
  /// has priority: its exit code keeps a supervisor from a restart, which would try the PIN again.
  /// An unusable PIN file comes last: the other token may open a session at a later start.
  public static TokenException decisive(TokenException first, TokenException second) {
    if (first.isPinRefused() || second.isPinRefused()) {
      return first.isPinRefused() ? first : second;
    }
    return first.needsOperator() ? second : first;
  }

  public Kind kind() {
    return kind;
  }

  /// Whether a search did not find the health check key: the token's storage is absent, or has
  /// other objects.
  boolean isObjectLoss() {
    return fault == Fault.OBJECT
        && getCause() instanceof TokenException cause
        && cause.kind == Kind.KEY_MISSING;
  }

  /// Whether an operator must correct the PIN before a retry. Each retry could lock the token.
  public boolean isPinRefused() {
    return fault == Fault.PIN;
  }

  /// Whether the PIN file cannot be used. The token was not asked.
  public boolean isPinFileFault() {
    return fault == Fault.PIN_FILE;
  }

  /// Whether no process can use the token before an operator has corrected the PIN, the PIN file,
  /// or the permissions of the module.
  public boolean needsOperator() {
    return fault == Fault.PIN || fault == Fault.PIN_FILE || getCause() instanceof FileException;
  }

  /// Whether the token may have refused this key only, according to its return code. Some tokens
  /// return the same code for every key after a logout. So this failure is a fault of the token
  /// until a MAC under another key in the same session proves that the token refuses the key.
  boolean isKeyRefused() {
    return kind == Kind.UNAVAILABLE && unfit != null;
  }

  /// Whether the token has refused the message because of its length, according to its return code.
  /// With the kind `UNAVAILABLE`, this failure is a fault of the token until a MAC of a short
  /// message in the same session proves that the token refuses only the message. With the kind
  /// `MESSAGE_TOO_LONG`, this is proved.
  boolean isLengthRefused() {
    return lengthRefused;
  }

  /// The rule that the key breaks, according to its attributes or to the token's return code; empty
  /// if no rule is known. A rule from a return code is certain for the kind `KEY_UNFIT`. For the
  /// kind `UNAVAILABLE`, see [#isKeyRefused].
  public Optional<Unfit> unfit() {
    return Optional.ofNullable(unfit);
  }

  Fault fault() {
    return fault;
  }
}
