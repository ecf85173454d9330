package dev.hmacd.client.webhooks;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
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
/// @param variants other headers of a scheme
record WebhookVectors(
    String secretHex,
    String text,
    Instant time,
    Map<WebhookScheme, Map<String, String>> headers,
    List<Variant> variants) {
  /// @param why what differs from the headers of the scheme
  record Variant(WebhookScheme scheme, String why, boolean accepted, Map<String, String> headers) {
    @Override
    public String toString() {
      return scheme + ", " + why;
    }
  }

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
      headers.put(scheme, texts(webhooks.getAsJsonObject(scheme.name().toLowerCase(Locale.ROOT))));
    }
    List<Variant> variants = new ArrayList<>();
    for (JsonElement each : webhooks.getAsJsonArray("variants")) {
      JsonObject variant = each.getAsJsonObject();
      variants.add(
          new Variant(
              WebhookScheme.valueOf(variant.get("format").getAsString().toUpperCase(Locale.ROOT)),
              variant.get("why").getAsString(),
              variant.get("accepted").getAsBoolean(),
              texts(variant.getAsJsonObject("headers"))));
    }
    return new WebhookVectors(
        root.get("key").getAsString(),
        webhooks.get("body").getAsString(),
        Instant.ofEpochSecond(webhooks.get("time").getAsLong()),
        Map.copyOf(headers),
        List.copyOf(variants));
  }

  private static Map<String, String> texts(JsonObject object) {
    Map<String, String> texts = new HashMap<>();
    object.entrySet().forEach(text -> texts.put(text.getKey(), text.getValue().getAsString()));
    return Map.copyOf(texts);
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
