package dev.hmacd.jca;

import dev.hmacd.client.HmacdException;
import java.security.ProviderException;

/// There is no MAC: the call failed, or the message is longer than the client sends. The cause is
/// the [HmacdException] of the call, or null if the message is too long for an update.
///
/// After a failed `doFinal`, the `Mac` starts a new message. After a failed `update`, the message
/// is incomplete: `doFinal` fails, too. The text contains no message and no MAC.
public final class HmacdMacException extends ProviderException {
  private static final long serialVersionUID = 1;

  HmacdMacException(HmacdException cause) {
    super(cause.getMessage(), cause);
  }

  HmacdMacException(String text) {
    super(text);
  }
}
