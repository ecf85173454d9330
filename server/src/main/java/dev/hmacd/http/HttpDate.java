package dev.hmacd.http;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;

/// The value of the header `Date` (RFC 9110, section 5.6.7), formatted once a second. Clients
/// correct their clocks with this header.
final class HttpDate {
  private static final DateTimeFormatter FORM =
      DateTimeFormatter.ofPattern("EEE, dd MMM uuuu HH:mm:ss 'GMT'", Locale.US)
          .withZone(ZoneOffset.UTC);

  private static volatile HttpDate newest = new HttpDate(0);

  private final long second;
  private final String text;

  private HttpDate(long second) {
    this.second = second;
    this.text = FORM.format(Instant.ofEpochSecond(second));
  }

  static String now() {
    long second = System.currentTimeMillis() / 1000;
    HttpDate date = newest;
    if (date.second != second) {
      date = new HttpDate(second);
      newest = date;
    }
    return date.text;
  }
}
