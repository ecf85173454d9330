package dev.hmacd.client;

/// The message is too long for the client or the daemon ([ErrorReason#MESSAGE_TOO_LONG]), or the
/// request is too long for the daemon ([ErrorReason#REQUEST_TOO_LONG]). Send a shorter message, or
/// the MAC of its hash.
public final class MessageTooLongException extends HmacdException {
  private static final long serialVersionUID = 1;

  private final int limit;
  private final int size;

  /// @param limit the limit in bytes; 0 if it is not known
  /// @param size the size in bytes; 0 if it is not known
  MessageTooLongException(Failure failure, CallFacts facts, int limit, int size) {
    super(failure, facts);
    this.limit = limit;
    this.size = size;
  }

  /// The limit of the message or request in bytes; 0 if the daemon did not report it.
  public int limit() {
    return limit;
  }

  /// The size of the message or request in bytes; 0 if the daemon did not report it.
  public int size() {
    return size;
  }
}
