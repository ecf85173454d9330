package dev.hmacd.awskms;

/// A request that has come whole, over whatever version of HTTP.
///
/// @param path up to the first `?`, as it came
/// @param query after it, as it came; empty when there is none
/// @param body not copied: nobody changes it
record Request(
    String method,
    String path,
    String query,
    Headers headers,
    @SuppressWarnings("ArrayRecordComponent") byte[] body) {

  /// Splits the target of a request line.
  static Request of(String method, String target, Headers headers, byte[] body) {
    int mark = target.indexOf('?');
    return mark < 0
        ? new Request(method, target, "", headers, body)
        : new Request(method, target.substring(0, mark), target.substring(mark + 1), headers, body);
  }
}
