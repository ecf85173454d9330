package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.MacAlgorithm;
import java.util.Base64;
import java.util.List;
import java.util.regex.Pattern;

/// The lengths of MACs, and the explanation of a MAC that does not match because of its length.
final class MacLength {
  static final List<MacAlgorithm> ALGORITHMS =
      List.of(
          MacAlgorithm.HMAC_SHA_224,
          MacAlgorithm.HMAC_SHA_256,
          MacAlgorithm.HMAC_SHA_384,
          MacAlgorithm.HMAC_SHA_512);

  private static final Pattern HEX = Pattern.compile("[0-9a-fA-F]+");

  /// A shorter text of hexadecimal digits is probably base64.
  private static final int MIN_HEX_DIGITS = 16;

  private MacLength() {}

  /// The length of a MAC in bytes.
  static int of(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> 28;
      case HMAC_SHA_256 -> 32;
      case HMAC_SHA_384 -> 48;
      case HMAC_SHA_512 -> 64;
      case UNKNOWN ->
          throw new IllegalArgumentException("UNKNOWN is not a value of --mac-algorithm");
    };
  }

  /// Whether a text is the hexadecimal form of a MAC of this algorithm.
  static boolean isHex(String text, MacAlgorithm algorithm) {
    return text.length() == 2 * of(algorithm) && HEX.matcher(text).matches();
  }

  /// The failure with an explanation, if the MAC has the wrong length; otherwise the failure
  /// itself.
  ///
  /// @param given the value of `--mac`
  /// @param mac the decoded MAC
  static RuntimeException explained(
      HmacdException failure, String given, byte[] mac, MacAlgorithm algorithm) {
    if (failure.reason() != ErrorReason.KMS_INVALID_MAC || mac.length == of(algorithm)) {
      return failure;
    }
    return new CommandException(
        ExitCode.MAC_DOES_NOT_MATCH,
        "%s: the MAC has %d bytes, %s has %d"
            .formatted(failure.reason(), mac.length, algorithm, of(algorithm)),
        Advice.on(failure.reason()).hint() + " " + hint(given, mac, algorithm));
  }

  private static String hint(String given, byte[] mac, MacAlgorithm algorithm) {
    if (given.length() >= MIN_HEX_DIGITS && HEX.matcher(given).matches()) {
      return "--mac has hexadecimal digits, which were decoded as base64: add the prefix hex:";
    }
    String text = new String(mac, ISO_8859_1).strip();
    if (isHex(text, algorithm)) {
      return "The bytes are hexadecimal digits: use --mac hex: with these digits.";
    }
    if (isBase64(text, of(algorithm))) {
      return "The bytes are base64: use --mac with this text.";
    }
    for (MacAlgorithm other : ALGORITHMS) {
      if (mac.length == of(other)) {
        return "A MAC of " + other + " has this length: check --mac-algorithm.";
      }
    }
    return mac.length < of(algorithm)
        ? "A truncated MAC never matches."
        : "A MAC with further bytes never matches.";
  }

  private static boolean isBase64(String text, int bytes) {
    try {
      return Base64.getDecoder().decode(text).length == bytes;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
