package dev.hmacd.client.webhooks;

import com.google.errorprone.annotations.Immutable;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// The format of Standard Webhooks: the signatures of `ID.TIME.BODY`.
@Immutable
final class StandardFormat implements Format {
  private static final String ID = "webhook-id";
  private static final String TIME = "webhook-timestamp";
  private static final String SIGNATURE = "webhook-signature";
  private static final String PREFIX = "v1,";

  /// Visible ASCII characters without the full stop.
  private static final Pattern ID_FORM = Pattern.compile("[!-\\-/-~]{1,256}");

  /// Whether the id can be signed. With a full stop in the id, the same signature would fit another
  /// id, time stamp and body.
  static boolean isId(String id) {
    return ID_FORM.matcher(id).matches();
  }

  @Override
  public byte[] content(Stamp stamp, byte[] body) {
    return HeaderValues.join(stamp.id() + "." + stamp.time() + ".", body);
  }

  @Override
  public Map<String, String> headers(Stamp stamp, byte[] mac) {
    return Map.of(
        ID, stamp.id(),
        TIME, stamp.time(),
        SIGNATURE, PREFIX + Base64.getEncoder().encodeToString(mac));
  }

  @Override
  public Delivery read(WebhookHeaders headers) {
    String id = HeaderValues.single(headers, ID);
    if (!isId(id)) {
      throw HeaderValues.malformed(ID);
    }
    String time = HeaderValues.time(TIME, HeaderValues.single(headers, TIME));
    List<byte[]> macs = new ArrayList<>();
    for (String part : HeaderValues.single(headers, SIGNATURE).split(" ", -1)) {
      if (part.startsWith(PREFIX)) { // Others, for example v1a, are asymmetric signatures.
        macs.add(HeaderValues.base64(SIGNATURE, part.substring(PREFIX.length())));
      }
    }
    if (macs.isEmpty()) {
      throw HeaderValues.malformed(SIGNATURE);
    }
    return new Delivery(new Stamp(id, time), macs);
  }
}
