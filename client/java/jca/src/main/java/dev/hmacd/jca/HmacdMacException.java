package dev.hmacd.jca;

import dev.hmacd.client.HmacdException;
import java.security.ProviderException;

/// There is no MAC: the call failed, or the message is longer than the client sends. The cause is
/// the [HmacdException] of the call, or null if the message is too long.
///
/// Only `doFinal` throws this exception, also if the message of the `update`s is too long. Then the
/// `Mac` starts a new message. The text contains no message and no MAC.
public final class HmacdMacException extends ProviderException {
  private static final long serialVersionUID = 1;

  HmacdMacException(HmacdException cause) {
    super(cause.getMessage(), cause);
  }

  HmacdMacException(String text) {
    super(text);
  }
}
