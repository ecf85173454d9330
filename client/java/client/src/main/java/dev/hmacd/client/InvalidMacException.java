package dev.hmacd.client;

import io.grpc.Status.Code;

/// The MAC does not match the message under the key. Do not trust the message. The reason is
/// [ErrorReason#KMS_INVALID_MAC].
///
/// Every other exception of a verification gives no verdict.
public final class InvalidMacException extends HmacdException {
  private static final long serialVersionUID = 1;

  InvalidMacException(Failure failure, CallFacts facts) {
    super(failure, facts);
  }

  /// The exception of an adapter that refuses a MAC without a call, for example because the header
  /// with the MAC is malformed.
  ///
  /// @param what what is wrong; one line without the message and the MAC
  public static InvalidMacException withoutCall(String what) {
    return new InvalidMacException(
        Failure.local(ErrorReason.KMS_INVALID_MAC, Code.INVALID_ARGUMENT, what),
        CallFacts.NO_ATTEMPT);
  }
}
