package dev.hmacd.http;

/// A complete request, over HTTP/1.1 or HTTP/2.
///
/// @param path the target up to the first `?`, not decoded
/// @param query the target after the first `?`, not decoded; empty if there is none
/// @param body request body; not copied, so the caller must not change it
public record Request(
    String method,
    String path,
    String query,
    Headers headers,
    @SuppressWarnings("ArrayRecordComponent") byte[] body) {

  /// Creates a request, with the target split at its first `?`.
  public static Request of(String method, String target, Headers headers, byte[] body) {
    int mark = target.indexOf('?');
    return mark < 0
        ? new Request(method, target, "", headers, body)
        : new Request(method, target.substring(0, mark), target.substring(mark + 1), headers, body);
  }
}
