package dev.hmacd.client.webhooks;

import com.google.errorprone.annotations.Immutable;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/// The format of GitHub: the signature of the body.
@Immutable
final class GitHubFormat implements Format {
  private static final String SIGNATURE = "X-Hub-Signature-256";
  private static final String PREFIX = "sha256=";

  @Override
  public byte[] content(Stamp stamp, byte[] body) {
    return body;
  }

  @Override
  public Map<String, String> headers(Stamp stamp, byte[] mac) {
    return Map.of(SIGNATURE, PREFIX + HexFormat.of().formatHex(mac));
  }

  @Override
  public Delivery read(WebhookHeaders headers) {
    String signature = HeaderValues.single(headers, SIGNATURE);
    return new Delivery(Stamp.NONE, List.of(HeaderValues.hex(SIGNATURE, signature, PREFIX)));
  }
}
