package dev.hmacd.nimbus;

import com.nimbusds.jose.JOSEException;
import dev.hmacd.client.HmacdException;

/// A call failed: there is no signature, or no verdict about one. The cause is the [HmacdException]
/// of the call. It is never a wrong signature.
///
/// The text contains no token and no signature.
public final class HmacdJoseException extends JOSEException {
  private static final long serialVersionUID = 1;

  private final HmacdException call;

  HmacdJoseException(HmacdException cause) {
    super(cause.getMessage(), cause);
    this.call = cause;
  }

  HmacdException call() {
    return call;
  }
}
