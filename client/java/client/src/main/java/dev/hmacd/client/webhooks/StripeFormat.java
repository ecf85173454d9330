package dev.hmacd.client.webhooks;

import com.google.errorprone.annotations.Immutable;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/// The format of Stripe: the signatures of `TIME.BODY`.
@Immutable
final class StripeFormat implements Format {
  private static final String SIGNATURE = "Stripe-Signature";
  private static final String TIME = "t=";
  private static final String PREFIX = "v1=";

  @Override
  public byte[] content(Stamp stamp, byte[] body) {
    return HeaderValues.join(stamp.time() + ".", body);
  }

  @Override
  public Map<String, String> headers(Stamp stamp, byte[] mac) {
    return Map.of(SIGNATURE, TIME + stamp.time() + "," + PREFIX + HexFormat.of().formatHex(mac));
  }

  @Override
  public Delivery read(WebhookHeaders headers) {
    List<String> times = new ArrayList<>();
    List<byte[]> macs = new ArrayList<>();
    for (String part : HeaderValues.single(headers, SIGNATURE).split(",", -1)) {
      if (part.startsWith(TIME)) {
        times.add(HeaderValues.time(SIGNATURE, part.substring(TIME.length())));
      } else if (part.startsWith(PREFIX)) { // Others, for example v0, are of other keys.
        macs.add(HeaderValues.hex(SIGNATURE, part, PREFIX));
      }
    }
    if (times.size() != 1 || macs.isEmpty()) {
      throw HeaderValues.malformed(SIGNATURE);
    }
    return new Delivery(new Stamp("", times.get(0)), macs);
  }
}
