package dev.hmacd.client.webhooks;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The headers of a received webhook. A lambda or a method reference adapts those of a framework:
///
/// - Servlet: `name -> Collections.list(request.getHeaders(name))`
/// - Spring's `HttpHeaders` and the JDK's HTTP server: `headers::get`
/// - JAX-RS: `headers::getRequestHeader`
@FunctionalInterface
public interface WebhookHeaders {
  /// Returns the values of a header, one for each of its lines; empty or null if it is missing. The
  /// name has no case.
  @Nullable List<String> values(String name);

  /// The headers of a map, which may have any case.
  ///
  /// @param headers lists of values by name
  static WebhookHeaders of(Map<String, ? extends List<String>> headers) {
    return name ->
        headers.entrySet().stream()
            .filter(header -> name.equalsIgnoreCase(header.getKey()))
            .flatMap(header -> header.getValue().stream())
            .toList();
  }

  /// The headers of a map with one value for each name, as [WebhookScheme#sign] returns it. The
  /// names may have any case.
  ///
  /// @param headers values by name
  static WebhookHeaders ofSingle(Map<String, String> headers) {
    return name ->
        headers.entrySet().stream()
            .filter(header -> name.equalsIgnoreCase(header.getKey()))
            .map(Map.Entry::getValue)
            .toList();
  }
}
