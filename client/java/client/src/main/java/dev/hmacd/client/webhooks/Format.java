package dev.hmacd.client.webhooks;

import com.google.errorprone.annotations.Immutable;
import dev.hmacd.client.InvalidMacException;
import java.util.Map;

/// The difference between the formats of webhooks: their headers and the signed bytes.
@Immutable
sealed interface Format permits GitHubFormat, SlackFormat, StandardFormat, StripeFormat {
  /// Returns the signed bytes.
  byte[] content(Stamp stamp, byte[] body);

  /// Returns the headers of a signed webhook.
  Map<String, String> headers(Stamp stamp, byte[] mac);

  /// Reads the headers of a received webhook. Checks the form of the time stamp, and not its age.
  ///
  /// @throws InvalidMacException if a header is missing, repeated or malformed
  Delivery read(WebhookHeaders headers);
}
