package dev.hmacd.client.webhooks;

import com.google.errorprone.annotations.Immutable;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/// The format of Slack: the signature of `v0:TIME:BODY`.
@Immutable
final class SlackFormat implements Format {
  private static final String SIGNATURE = "X-Slack-Signature";
  private static final String TIME = "X-Slack-Request-Timestamp";
  private static final String PREFIX = "v0=";

  @Override
  public byte[] content(Stamp stamp, byte[] body) {
    return HeaderValues.join("v0:" + stamp.time() + ":", body);
  }

  @Override
  public Map<String, String> headers(Stamp stamp, byte[] mac) {
    return Map.of(SIGNATURE, PREFIX + HexFormat.of().formatHex(mac), TIME, stamp.time());
  }

  @Override
  public Delivery read(WebhookHeaders headers) {
    String time = HeaderValues.time(TIME, HeaderValues.single(headers, TIME));
    String signature = HeaderValues.single(headers, SIGNATURE);
    return new Delivery(
        new Stamp("", time), List.of(HeaderValues.hex(SIGNATURE, signature, PREFIX)));
  }
}
