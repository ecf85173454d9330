package dev.hmacd.sigv4;

import dev.hmacd.http.Request;
import java.util.List;

/// The canonical request of a signature (AWS Signature Version 4, "Create a canonical request").
final class CanonicalRequest {
  private CanonicalRequest() {}

  /// Creates the canonical request. The path needs no conversion: only the canonical path `/` is
  /// served.
  ///
  /// @param signedHeaders names of the signed headers, in lowercase and sorted
  /// @param bodyHash SHA-256 of the body, in lowercase hex
  static String of(Request request, String query, List<String> signedHeaders, String bodyHash) {
    var text =
        new StringBuilder(512)
            .append(request.method())
            .append('\n')
            .append(request.path())
            .append('\n')
            .append(query)
            .append('\n');
    for (String name : signedHeaders) {
      text.append(name).append(':');
      boolean first = true;
      for (String value : request.headers().all(name)) {
        if (!first) {
          text.append(',');
        }
        first = false;
        appendCollapsed(text, value);
      }
      text.append('\n');
    }
    text.append('\n');
    for (int i = 0; i < signedHeaders.size(); i++) {
      if (i > 0) {
        text.append(';');
      }
      text.append(signedHeaders.get(i));
    }
    return text.append('\n').append(bodyHash).toString();
  }

  /// Appends a header value, trimmed, with sequences of blanks replaced by one blank.
  private static void appendCollapsed(StringBuilder text, String value) {
    boolean blank = false;
    boolean any = false;
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == ' ' || c == '\t') {
        blank = true;
      } else {
        if (blank && any) {
          text.append(' ');
        }
        text.append(c);
        any = true;
        blank = false;
      }
    }
  }
}
