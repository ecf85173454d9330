package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.hmacd.mac.Page;
import dev.hmacd.mac.PageRequest;
import java.io.IOException;

/// Lists in parts: `Limit` and `Marker` in, `Truncated` and `NextMarker` out.
final class Paging {
  static final Member LIMIT = Member.integer("Limit", 1, 1000);
  static final Member MARKER = Member.text("Marker", 1, 1024).pattern("[\\u0020-\\u00FF]*");

  private Paging() {}

  /// @param list which list, so that a marker of another is refused
  /// @param maxSize a larger limit, which the model allows, counts as this
  static PageRequest request(String list, Input input, int defaultSize, int maxSize) {
    return PageRequest.of(
        list,
        Math.min(input.number("Limit").orElse(defaultSize), maxSize),
        defaultSize,
        maxSize,
        input.optionalText("Marker").orElse(""));
  }

  static void write(JsonGenerator json, Page<?> page) throws IOException {
    if (page.nextToken().isPresent()) {
      json.writeStringField("NextMarker", page.nextToken().get());
    }
    json.writeBooleanField("Truncated", page.nextToken().isPresent());
  }
}
