package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A strict reference parser of HTTP/1.1 (RFC 9112) for comparison with the daemon's parser. It
/// stops at the first malformed request. It is simple and slow.
final class ReferenceHttp1 {
  private static final String TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
  private static final Pattern REQUEST_LINE =
      Pattern.compile("(" + TOKEN + ") ([^\\x00-\\x20\\x7f]+) HTTP/1\\.1");
  private static final Pattern FIELD =
      Pattern.compile("(" + TOKEN + "):[ \\t]*([^\\x00-\\x08\\x0a-\\x1f\\x7f]*)");
  private static final Pattern LENGTH = Pattern.compile("0*[0-9]{1,9}");
  private static final Pattern CHUNK =
      Pattern.compile("(0*[0-9a-fA-F]{1,8})([ \\t]*;[^\\x00-\\x08\\x0a-\\x1f\\x7f]*)?");

  private final String text;
  private int at;

  private ReferenceHttp1(byte[] stream) {
    text = new String(stream, ISO_8859_1);
  }

  /// Reads the requests at the start of the bytes, up to the first malformed or incomplete request.
  static List<Request> read(byte[] stream) {
    var reader = new ReferenceHttp1(stream);
    List<Request> requests = new ArrayList<>();
    Optional<Request> next = reader.request();
    while (next.isPresent()) {
      requests.add(next.get());
      next = reader.request();
    }
    return requests;
  }

  private Optional<String> line() {
    int end = text.indexOf("\r\n", at);
    if (end < 0) {
      return Optional.empty();
    }
    String line = text.substring(at, end);
    at = end + 2;
    return Optional.of(line);
  }

  private Optional<Request> request() {
    Optional<Matcher> start = line().map(REQUEST_LINE::matcher).filter(Matcher::matches);
    if (start.isEmpty()) {
      return Optional.empty();
    }
    var headers = new Headers();
    for (Optional<String> line = line(); ; line = line()) {
      if (line.isEmpty()) {
        return Optional.empty();
      }
      if (line.get().isEmpty()) {
        break;
      }
      Matcher field = FIELD.matcher(line.get());
      if (!field.matches()) {
        return Optional.empty();
      }
      headers.add(
          field.group(1).toLowerCase(Locale.ROOT), field.group(2).replaceFirst("[ \\t]+$", ""));
    }
    return body(headers)
        .map(body -> Request.of(start.get().group(1), start.get().group(2), headers, body));
  }

  /// RFC 9112, section 6.3. Empty if the request has both Content-Length and Transfer-Encoding.
  private Optional<byte[]> body(Headers headers) {
    List<String> lengths = headers.all("content-length");
    List<String> codings = headers.all("transfer-encoding");
    if (codings.isEmpty() && lengths.isEmpty()) {
      return Optional.of(new byte[0]);
    }
    if (codings.isEmpty()) {
      return lengths.size() == 1 && LENGTH.matcher(lengths.getFirst()).matches()
          ? take(Integer.parseInt(lengths.getFirst()))
          : Optional.empty();
    }
    return lengths.isEmpty()
            && codings.size() == 1
            && codings.getFirst().equalsIgnoreCase("chunked")
        ? chunks()
        : Optional.empty();
  }

  private Optional<byte[]> take(int length) {
    if (length > text.length() - at) {
      return Optional.empty();
    }
    at += length;
    return Optional.of(text.substring(at - length, at).getBytes(ISO_8859_1));
  }

  private Optional<byte[]> chunks() {
    byte[] body = {};
    while (true) {
      Optional<Matcher> size = line().map(CHUNK::matcher).filter(Matcher::matches);
      if (size.isEmpty()) {
        return Optional.empty();
      }
      long length = Long.parseLong(size.get().group(1), 16);
      if (length > text.length()) {
        return Optional.empty();
      }
      Optional<byte[]> chunk = take((int) length);
      // The trailer after the last chunk must be empty.
      if (chunk.isEmpty() || !text.startsWith("\r\n", at)) {
        return Optional.empty();
      }
      at += 2;
      if (length == 0) {
        return Optional.of(body);
      }
      int before = body.length;
      body = Arrays.copyOf(body, before + (int) length);
      System.arraycopy(chunk.get(), 0, body, before, (int) length);
    }
  }
}
