package dev.hmacd.client;

import io.grpc.Status.Code;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The failure of a call. Branch on [#reason()], or catch a subclass.
///
/// The exception message is one line for people. It starts with the reason and ends with the target
/// and the number of attempts. It never contains message bytes or MACs. A serialized exception has
/// no cause.
public sealed class HmacdException extends RuntimeException
    permits ClosedException,
        DeadlineExceededException,
        InvalidMacException,
        MessageTooLongException,
        TlsFailedException {
  private static final long serialVersionUID = 2;

  private final ErrorReason reason;
  // A HashMap, because exceptions must be serializable. The map is never changed.
  private final HashMap<String, String> metadata;
  private final boolean retryable;
  private final CallFacts facts;

  // Throwable would serialize its cause, which may be an object of gRPC that is not serializable.
  private final transient @Nullable Throwable cause;

  HmacdException(Failure failure, CallFacts facts) {
    super(failure.text() + " " + facts, null);
    this.reason = failure.reason();
    this.metadata = new HashMap<>(failure.metadata());
    this.retryable = failure.retryable();
    this.facts = facts;
    this.cause = failure.status().getCause();
  }

  /// The exception of the type for the reason of a failure.
  ///
  /// @param requestBytes the size of the encoded request
  static HmacdException of(Failure failure, CallFacts facts, int requestBytes) {
    return switch (failure.reason()) {
      case KMS_INVALID_MAC -> new InvalidMacException(failure, facts);
      case TLS_FAILED -> new TlsFailedException(failure, facts);
      case CLOSED -> new ClosedException(failure, facts);
      case DEADLINE_EXCEEDED -> new DeadlineExceededException(failure, facts);
      case MESSAGE_TOO_LONG ->
          new MessageTooLongException(
              failure, facts, bytes(failure, "maximum"), bytes(failure, "given"));
      case REQUEST_TOO_LONG ->
          new MessageTooLongException(failure, facts, bytes(failure, "maximum"), requestBytes);
      default -> new HmacdException(failure, facts);
    };
  }

  /// The exception of a call that this library refuses before its first attempt.
  static HmacdException refused(ErrorReason reason, Code code, String what) {
    return of(Failure.local(reason, code, what), CallFacts.NO_ATTEMPT, 0);
  }

  /// A number of bytes in the metadata; 0 if it is missing or not valid.
  private static int bytes(Failure failure, String key) {
    try {
      return Math.max(0, Integer.parseInt(failure.metadata().getOrDefault(key, "0")));
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  /// Why the call failed.
  public ErrorReason reason() {
    return reason;
  }

  /// `ErrorInfo.metadata`, unmodifiable. [ErrorReason] documents the metadata keys of each reason.
  public Map<String, String> metadata() {
    return Map.copyOf(metadata);
  }

  /// Whether the same call may succeed later, with back-off. A repetition is not always safe: see
  /// [#mayHaveRun].
  public boolean retryable() {
    return retryable;
  }

  /// Whether a daemon may have executed the call; false only if it certainly has not. For example,
  /// a `createKey` without an answer may have created a key.
  public boolean mayHaveRun() {
    return facts.mayHaveRun();
  }

  /// The target of the last attempt, as in the settings of the client; empty if there was none.
  public String target() {
    return facts.target();
  }

  /// The number of attempts, 0 or more.
  public int attempts() {
    return facts.attempts();
  }

  /// The request id of the last answer, which the daemon's log has, too; empty if there was none.
  public String requestId() {
    return facts.requestId();
  }

  @Override
  public synchronized @Nullable Throwable getCause() {
    return cause;
  }
}
