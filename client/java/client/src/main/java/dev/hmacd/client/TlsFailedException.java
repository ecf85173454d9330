package dev.hmacd.client;

import static java.util.Objects.requireNonNull;

/// The TLS handshake with the daemon failed, and a repetition does not help: client, daemon or
/// target need a correction. The reason is [ErrorReason#TLS_FAILED].
public final class TlsFailedException extends HmacdException {
  private static final long serialVersionUID = 1;

  private final TlsFault fault;

  TlsFailedException(Failure failure, CallFacts facts) {
    super(failure, facts);
    this.fault = requireNonNull(failure.tlsFault());
  }

  /// Why the handshake failed.
  public TlsFault fault() {
    return fault;
  }
}
