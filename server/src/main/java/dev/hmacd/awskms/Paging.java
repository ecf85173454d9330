package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.hmacd.usecase.Page;
import dev.hmacd.usecase.PageRequest;
import dev.hmacd.usecase.PagedList;
import java.io.IOException;

/// Pagination of lists: `Limit` and `Marker` in the request, `Truncated` and `NextMarker` in the
/// response.
final class Paging {
  static final InputMember LIMIT = InputMember.integer("Limit", 1, 1000);
  static final InputMember MARKER =
      InputMember.text("Marker", 1, ModelLimits.MARKER_CHARS).pattern("[\\u0020-\\u00FF]*");

  private Paging() {}

  /// Reads `Limit` and `Marker`. A limit above the maximum of the list is reduced to the maximum.
  ///
  /// @param key the key to which the list belongs; a marker of another key's list is refused
  static PageRequest request(PagedList list, String key, OperationInput input) {
    return PageRequest.of(
        list,
        key,
        Math.min(input.number("Limit").orElse(0), list.maxSize()),
        input.optionalText("Marker").orElse(""));
  }

  static void write(JsonGenerator json, Page<?> page) throws IOException {
    if (page.nextToken().isPresent()) {
      json.writeStringField("NextMarker", page.nextToken().get());
    }
    json.writeBooleanField("Truncated", page.nextToken().isPresent());
  }
}
