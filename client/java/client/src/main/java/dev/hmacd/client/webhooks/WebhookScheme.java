package dev.hmacd.client.webhooks;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.client.InvalidMacException;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.Verification;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/// A format of signed webhooks. Thread-safe.
///
/// ```java
/// Map<String, String> headers = WebhookScheme.STRIPE.sign(key, body);
/// WebhookScheme.STRIPE.verify(WebhookHeaders.ofSingle(headers), body, key);
/// ```
///
/// A body is the bytes of the request: neither parsed nor encoded again. The signed content, which
/// is the body with a prefix of the format, has at most [HmacdKey#maxMessageBytes] bytes. All
/// formats have HMAC_SHA_256.
public enum WebhookScheme {
  /// GitHub: `X-Hub-Signature-256`. It has no time stamp, and thus no protection against replay.
  GITHUB(new GitHubFormat()),
  /// Stripe: `Stripe-Signature`.
  STRIPE(new StripeFormat()),
  /// Slack: `X-Slack-Signature` and `X-Slack-Request-Timestamp`.
  SLACK(new SlackFormat()),
  /// Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`.
  STANDARD(new StandardFormat());

  /// The largest difference between a time stamp and the present time, in both directions.
  private static final long TOLERANCE_SECONDS = 300;

  /// Each signature is a call: the sender must not choose their number.
  private static final int MAX_SIGNATURES = 8;

  private final Format format;

  WebhookScheme(Format format) {
    this.format = format;
  }

  /// Signs a webhook without an id, with the present time.
  ///
  /// @return the headers of the request
  /// @throws HmacdException if there is no MAC
  /// @throws IllegalArgumentException if the key has another algorithm than HMAC_SHA_256, or this
  ///   is [#STANDARD]
  public Map<String, String> sign(HmacdKey key, byte[] body) {
    return sign(key, body, "");
  }

  /// Signs a webhook with the present time.
  ///
  /// @param id the id of the webhook: 1 to 256 visible ASCII characters without a full stop. Only
  ///   [#STANDARD] has an id, the others ignore it
  /// @return the headers of the request
  /// @throws HmacdException if there is no MAC
  /// @throws IllegalArgumentException if the key has another algorithm than HMAC_SHA_256, or the id
  ///   is not valid
  public Map<String, String> sign(HmacdKey key, byte[] body, String id) {
    return sign(key, body, id, Instant.now());
  }

  Map<String, String> sign(HmacdKey key, byte[] body, String id, Instant now) {
    checkKey(key);
    if (this == STANDARD && !StandardFormat.isId(id)) {
      throw new IllegalArgumentException(
          "id must have 1 to 256 visible ASCII characters and no full stop");
    }
    var stamp = new Stamp(id, Long.toString(now.getEpochSecond()));
    return format.headers(stamp, key.generate(format.content(stamp, body)).toByteArray());
  }

  /// Returns normally only if one of the keys has made one of the signatures, and the time stamp
  /// differs from the present time by at most 300 s. Makes a call for each pair of a key and a
  /// signature, one after the other, until one matches. All calls end within the deadline of the
  /// keys, which starts once.
  ///
  /// @param keys one or more keys, for example two during a change of the secret
  /// @return the verification by the key that matches
  /// @throws InvalidMacException if a header is missing, repeated or malformed, if there are more
  ///   than 8 signatures, if the time stamp is out of tolerance, if no key matches, or if hmacd
  ///   reserves the signed content
  /// @throws HmacdException (any other) if a key gives no verdict, and no other key matches
  /// @throws IllegalArgumentException if there is no key, or a key has another algorithm than
  ///   HMAC_SHA_256
  @CanIgnoreReturnValue
  public Verification verify(WebhookHeaders headers, byte[] body, HmacdKey... keys) {
    return verify(headers, body, List.of(keys), Instant.now(), System::nanoTime);
  }

  /// @param nanoTime measures the time since the start of the calls
  Verification verify(
      WebhookHeaders headers,
      byte[] body,
      List<HmacdKey> keys,
      Instant now,
      LongSupplier nanoTime) {
    if (keys.isEmpty()) {
      throw new IllegalArgumentException("a webhook requires at least one key");
    }
    keys.forEach(WebhookScheme::checkKey);
    Delivery delivery = format.read(headers);
    if (delivery.macs().size() > MAX_SIGNATURES) {
      throw InvalidMacException.withoutCall("more than " + MAX_SIGNATURES + " signatures");
    }
    checkTime(delivery.stamp(), now);
    byte[] content = format.content(delivery.stamp(), body);
    return verifyAny(keys, content, delivery.macs(), nanoTime);
  }

  private static Verification verifyAny(
      List<HmacdKey> keys, byte[] content, List<byte[]> macs, LongSupplier nanoTime) {
    long start = nanoTime.getAsLong();
    HmacdException noVerdict = null;
    for (HmacdKey key : keys) {
      for (byte[] mac : macs) {
        Duration elapsed = Duration.ofNanos(nanoTime.getAsLong() - start);
        try {
          return key.withDeadlineAfter(remaining(key, elapsed)).verify(content, mac);
        } catch (InvalidMacException e) {
          // Another signature may be right, or right under another key.
        } catch (HmacdException e) {
          if (e.reason() == ErrorReason.RESERVED_MESSAGE) { // No key can make this MAC.
            throw InvalidMacException.withoutCall("hmacd signs no content with a reserved prefix");
          }
          noVerdict = noVerdict == null ? e : noVerdict;
        }
      }
    }
    throw noVerdict == null
        ? InvalidMacException.withoutCall("no key has made a signature")
        : noVerdict;
  }

  /// The rest of the time limit. After its end, 1 ns: the call fails with DEADLINE_EXCEEDED.
  private static Duration remaining(HmacdKey key, Duration elapsed) {
    Duration rest = key.deadlineAfter().minus(elapsed);
    return rest.isNegative() || rest.isZero() ? Duration.ofNanos(1) : rest;
  }

  private static void checkKey(HmacdKey key) {
    if (key.algorithm() != MacAlgorithm.HMAC_SHA_256) {
      throw new IllegalArgumentException(
          "a webhook requires a key with HMAC_SHA_256, not " + key.algorithm());
    }
  }

  private static void checkTime(Stamp stamp, Instant now) {
    if (stamp.time().isEmpty()) { // The format has no time stamp.
      return;
    }
    Instant signed = Instant.ofEpochSecond(Long.parseLong(stamp.time()));
    if (Duration.between(signed, now).abs().compareTo(Duration.ofSeconds(TOLERANCE_SECONDS)) > 0) {
      throw InvalidMacException.withoutCall(
          "the time stamp differs from the present time by more than " + TOLERANCE_SECONDS + " s");
    }
  }
}
