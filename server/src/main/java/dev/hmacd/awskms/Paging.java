package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.hmacd.usecase.Page;
import dev.hmacd.usecase.PageRequest;
import java.io.IOException;

/// Pagination of lists: `Limit` and `Marker` in the request, `Truncated` and `NextMarker` in the
/// response.
final class Paging {
  static final InputMember LIMIT = InputMember.integer("Limit", 1, 1000);
  static final InputMember MARKER =
      InputMember.text("Marker", 1, 1024).pattern("[\\u0020-\\u00FF]*");

  private Paging() {}

  /// @param list name of the list; a marker of another list is refused
  /// @param maxSize maximum page size; a larger limit is reduced to this size
  static PageRequest request(String list, OperationInput input, int defaultSize, int maxSize) {
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
