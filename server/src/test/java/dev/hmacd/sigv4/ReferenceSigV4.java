package dev.hmacd.sigv4;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.hmacd.http.Headers;
import dev.hmacd.http.Request;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// An independent implementation of AWS Signature Version 4: computes the expected signature of a
/// request.
///
/// @param credential access key id and scope
/// @param signedHeaders as in the request, separated by semicolons
/// @param date as in the request
/// @param signature as in the request
record ReferenceSigV4(String credential, String signedHeaders, String date, String signature) {
  /// Reads a well-formed request.
  static ReferenceSigV4 of(Request request) {
    if (request.headers().has("authorization")) {
      String header = request.headers().only("authorization").orElseThrow();
      return new ReferenceSigV4(
          pair(header, "Credential"),
          pair(header, "SignedHeaders"),
          request
              .headers()
              .only("x-amz-date")
              .or(() -> request.headers().only("date"))
              .orElseThrow(),
          pair(header, "Signature"));
    }
    return new ReferenceSigV4(
        parameter(request, "X-Amz-Credential"),
        parameter(request, "X-Amz-SignedHeaders"),
        parameter(request, "X-Amz-Date"),
        parameter(request, "X-Amz-Signature"));
  }

  /// The comma-separated parts after the algorithm.
  private static String[] pieces(String header) {
    return header.substring(header.indexOf(' ') + 1).split(",", -1);
  }

  private static String pair(String header, String name) {
    return Arrays.stream(pieces(header))
        .map(String::strip)
        .filter(piece -> piece.startsWith(name + "="))
        .map(piece -> piece.substring(name.length() + 1))
        .findFirst()
        .orElseThrow();
  }

  private static String parameter(Request request, String name) {
    return parameters(request)
        .filter(each -> each[0].equals(name))
        .map(each -> each[1])
        .findFirst()
        .orElseThrow();
  }

  /// The decoded names and values of the query.
  private static Stream<String[]> parameters(Request request) {
    return Arrays.stream(request.query().split("&"))
        .filter(part -> !part.isEmpty())
        .map(part -> part.split("=", 2))
        .map(pair -> new String[] {decode(pair[0]), pair.length == 1 ? "" : decode(pair[1])});
  }

  static boolean hasSessionToken(Request request) {
    return request.headers().has("x-amz-security-token")
        || parameters(request).anyMatch(each -> each[0].equals("X-Amz-Security-Token"));
  }

  private static String decode(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), ISO_8859_1);
  }

  private static String encode(String text) {
    return URLEncoder.encode(text, ISO_8859_1)
        .replace("+", "%20")
        .replace("*", "%2A")
        .replace("%7E", "~");
  }

  /// The expected signature.
  String expected(Request request, SigningKey key) {
    String scope = credential.substring(credential.indexOf('/') + 1);
    String time = SignatureTime.parseDateHeader(date).orElseThrow().text();
    String hash = hex(sha256(canonical(request).getBytes(ISO_8859_1)));
    String toSign = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + hash;
    return hex(hmac(key.key(), toSign));
  }

  private String canonical(Request request) {
    String query =
        parameters(request)
            .filter(each -> !each[0].equals("X-Amz-Signature"))
            .map(each -> List.of(encode(each[0]), encode(each[1])))
            .sorted(
                Comparator.comparing((List<String> each) -> each.get(0))
                    .thenComparing(each -> each.get(1)))
            .map(each -> each.get(0) + "=" + each.get(1))
            .collect(Collectors.joining("&"));
    String headers =
        Arrays.stream(signedHeaders.split(";"))
            .map(
                name ->
                    name
                        + ":"
                        + request.headers().all(name).stream()
                            .map(ReferenceSigV4::trimmed)
                            .collect(Collectors.joining(","))
                        + "\n")
            .collect(Collectors.joining());
    return String.join(
        "\n",
        request.method(),
        request.path(),
        query,
        headers,
        signedHeaders,
        hex(sha256(request.body())));
  }

  private static String trimmed(String value) {
    return value.replaceAll("[ \t]+", " ").replaceAll("^ | $", "");
  }

  /// Replaces the signature in the request.
  static Request withSignature(Request request, String signature) {
    var headers = new Headers();
    request
        .headers()
        .forEach(
            (name, value) ->
                headers.add(
                    name,
                    name.equals("authorization")
                        ? value.substring(0, value.indexOf(' ') + 1)
                            + Arrays.stream(pieces(value))
                                .map(
                                    piece ->
                                        piece.strip().startsWith("Signature=")
                                            ? "Signature=" + signature
                                            : piece)
                                .collect(Collectors.joining(","))
                        : value));
    String query =
        Arrays.stream(request.query().split("&", -1))
            .map(
                part ->
                    decode(part.split("=", 2)[0]).equals("X-Amz-Signature")
                        ? "X-Amz-Signature=" + signature
                        : part)
            .collect(Collectors.joining("&"));
    return new Request(request.method(), request.path(), query, headers, request.body());
  }

  static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(text.getBytes(ISO_8859_1));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
