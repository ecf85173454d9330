package dev.hmacd.client;

/// The MAC does not match the message under the key. Do not trust the message. The reason is
/// [ErrorReason#KMS_INVALID_MAC].
///
/// Every other exception of a verification gives no verdict.
public final class InvalidMacException extends HmacdException {
  private static final long serialVersionUID = 1;

  InvalidMacException(Failure failure, CallFacts facts) {
    super(failure, facts);
  }
}
