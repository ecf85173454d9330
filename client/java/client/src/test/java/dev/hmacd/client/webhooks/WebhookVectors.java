package dev.hmacd.client.webhooks;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The webhooks of the vectors for all languages, in `client/vectors`.
///
/// @param secretHex the HMAC key
/// @param text the body
/// @param headers the headers of each scheme
record WebhookVectors(
    String secretHex, String text, Instant time, Map<WebhookScheme, Map<String, String>> headers) {
  static WebhookVectors read() {
    JsonObject root;
    try {
      root =
          JsonParser.parseString(Files.readString(Path.of("../../vectors/vectors.json")))
              .getAsJsonObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    JsonObject webhooks = root.getAsJsonObject("webhooks");
    Map<WebhookScheme, Map<String, String>> headers = new HashMap<>();
    for (WebhookScheme scheme : WebhookScheme.values()) {
      Map<String, String> values = new HashMap<>();
      webhooks
          .getAsJsonObject(scheme.name().toLowerCase(Locale.ROOT))
          .entrySet()
          .forEach(header -> values.put(header.getKey(), header.getValue().getAsString()));
      headers.put(scheme, Map.copyOf(values));
    }
    return new WebhookVectors(
        root.get("key").getAsString(),
        webhooks.get("body").getAsString(),
        Instant.ofEpochSecond(webhooks.get("time").getAsLong()),
        Map.copyOf(headers));
  }

  /// The name of the header with the signature.
  static String signatureHeader(WebhookScheme scheme) {
    return switch (scheme) {
      case GITHUB -> "X-Hub-Signature-256";
      case STRIPE -> "Stripe-Signature";
      case SLACK -> "X-Slack-Signature";
      case STANDARD -> "webhook-signature";
    };
  }

  byte[] secret() {
    return HexFormat.of().parseHex(secretHex);
  }

  byte[] body() {
    return text.getBytes(UTF_8);
  }

  /// The value of the header with the signature.
  String signature(WebhookScheme scheme) {
    return headers
        .getOrDefault(scheme, Map.of())
        .getOrDefault(signatureHeader(scheme), "no such header");
  }

  /// The headers of a scheme as those of a request.
  Map<String, List<String>> received(WebhookScheme scheme) {
    Map<String, List<String>> received = new HashMap<>();
    headers
        .getOrDefault(scheme, Map.of())
        .forEach((name, value) -> received.put(name, List.of(value)));
    return received;
  }
}
