package dev.hmacd.sigv4;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Optional;

/// The time of a signature, as the request states it.
///
/// @param text the time in the basic format of ISO 8601, e.g. `20261122T060000Z`
record SignatureTime(String text, long epochSecond) {
  private static final int LENGTH = 16;

  private static final DateTimeFormatter BASIC =
      DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

  /// Reads a time in the basic format of ISO 8601; empty if the text has another format.
  static Optional<SignatureTime> parse(String text) {
    if (text.length() != LENGTH || text.charAt(8) != 'T' || text.charAt(15) != 'Z') {
      return Optional.empty();
    }
    for (int i = 0; i < LENGTH - 1; i++) {
      if (i != 8 && (text.charAt(i) < '0' || text.charAt(i) > '9')) {
        return Optional.empty();
      }
    }
    try {
      LocalDateTime time =
          LocalDateTime.of(
              number(text, 0, 4),
              number(text, 4, 6),
              number(text, 6, 8),
              number(text, 9, 11),
              number(text, 11, 13),
              number(text, 13, 15));
      return Optional.of(new SignatureTime(text, time.toEpochSecond(ZoneOffset.UTC)));
    } catch (DateTimeException e) {
      return Optional.empty();
    }
  }

  /// Reads the header `Date`, in the basic format of ISO 8601 or in the format of HTTP (RFC 9110,
  /// section 5.6.7).
  static Optional<SignatureTime> parseDateHeader(String text) {
    Optional<SignatureTime> basic = parse(text);
    if (basic.isPresent()) {
      return basic;
    }
    try {
      long second = Instant.from(DateTimeFormatter.RFC_1123_DATE_TIME.parse(text)).getEpochSecond();
      return Optional.of(new SignatureTime(format(second), second));
    } catch (DateTimeException e) {
      return Optional.empty();
    }
  }

  static String format(long epochSecond) {
    return BASIC.format(Instant.ofEpochSecond(epochSecond));
  }

  private static int number(String text, int start, int end) {
    return Integer.parseInt(text, start, end, 10);
  }

  /// The UTC date of the signature, `yyyymmdd`.
  String day() {
    return text.substring(0, 8);
  }
}
