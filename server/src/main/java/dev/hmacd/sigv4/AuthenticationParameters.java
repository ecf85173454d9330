package dev.hmacd.sigv4;

import dev.hmacd.http.Headers;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// The parameters of a SigV4 signature in a request, from the header `Authorization` or from the
/// query string.
///
/// @param credential access key id and scope, separated by slashes
/// @param signedHeaders names of the signed headers, in lowercase, sorted, without duplicates
/// @param signature the signature in the request, not verified yet
/// @param maxAgeSeconds maximum age of the signature, as the request states it (`X-Amz-Expires`);
///   [Long#MAX_VALUE] if the request states none. [SigV4] has a smaller limit of its own.
record AuthenticationParameters(
    String credential,
    List<String> signedHeaders,
    String signature,
    SignatureTime time,
    long maxAgeSeconds) {
  private static final String HEADER = "authorization";
  private static final long NO_LIMIT = Long.MAX_VALUE;

  /// Maximum number of signed headers. No client signs this number of headers, and each name costs
  /// time.
  private static final int MAX_SIGNED_HEADERS = 100;

  /// Maximum validity of a signed URL in AWS: one week.
  private static final int MAX_EXPIRES = 604_800;

  private static final List<String> QUERY_PARAMETERS =
      List.of(
          "X-Amz-Algorithm",
          "X-Amz-Credential",
          CanonicalQuery.SIGNATURE,
          "X-Amz-SignedHeaders",
          "X-Amz-Date");

  /// Reads the parameters of a request.
  ///
  /// @throws SigV4Exception if the parameters are missing or malformed
  static AuthenticationParameters of(Headers headers, CanonicalQuery query) {
    List<String> given = headers.all(HEADER);
    boolean inQuery = QUERY_PARAMETERS.stream().anyMatch(query::has);
    if (given.isEmpty()) {
      if (!inQuery) {
        throw SigV4Exception.missing();
      }
      return ofQuery(query);
    }
    if (given.size() > 1 || inQuery) {
      throw SigV4Exception.incomplete("Authorization is given more than once.");
    }
    return ofHeader(given.getFirst(), headers);
  }

  private static AuthenticationParameters ofHeader(String header, Headers headers) {
    int blank = header.indexOf(' ');
    String algorithm = blank < 0 ? header : header.substring(0, blank);
    Map<String, String> pairs = blank < 0 ? Map.of() : pairs(header.substring(blank + 1), header);
    Optional<String> date = headers.only("x-amz-date");
    if (date.isEmpty() && !headers.has("x-amz-date")) {
      date = headers.only("date");
    }
    String credential = pairs.getOrDefault("Credential", "");
    String signature = pairs.getOrDefault("Signature", "");
    String signedHeaders = pairs.getOrDefault("SignedHeaders", "");
    var missing = new StringBuilder();
    requireInHeader(missing, "'Credential'", credential);
    requireInHeader(missing, "'Signature'", signature);
    requireInHeader(missing, "'SignedHeaders'", signedHeaders);
    if (date.isEmpty()) {
      missing.append(
          "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    }
    if (!missing.isEmpty()) {
      throw SigV4Exception.incomplete(missing.append("Authorization=").append(header).toString());
    }
    requireAlgorithm(algorithm);
    return new AuthenticationParameters(
        credential, names(signedHeaders), signature, time(date.orElse(""), headers), NO_LIMIT);
  }

  private static Map<String, String> pairs(String text, String header) {
    Map<String, String> pairs = new LinkedHashMap<>();
    for (String piece : text.split(",", -1)) {
      String pair = piece.strip();
      int equals = pair.indexOf('=');
      if (equals <= 0) {
        throw SigV4Exception.incomplete(
            "'"
                + pair
                + "' not a valid key=value pair (missing equal-sign) in Authorization header: '"
                + header
                + "'.");
      }
      if (pairs.put(pair.substring(0, equals), pair.substring(equals + 1)) != null) {
        throw SigV4Exception.incomplete(
            "'" + pair.substring(0, equals) + "' is given more than once in Authorization header.");
      }
    }
    return pairs;
  }

  private static AuthenticationParameters ofQuery(CanonicalQuery query) {
    String algorithm = query.only("X-Amz-Algorithm").orElse("");
    String credential = query.only("X-Amz-Credential").orElse("");
    String signature = query.only(CanonicalQuery.SIGNATURE).orElse("");
    String signedHeaders = query.only("X-Amz-SignedHeaders").orElse("");
    String date = query.only("X-Amz-Date").orElse("");
    var missing = new StringBuilder();
    requireInQuery(missing, "'X-Amz-Algorithm'", algorithm);
    requireInQuery(missing, "'X-Amz-Credential'", credential);
    requireInQuery(missing, "'X-Amz-Signature'", signature);
    requireInQuery(missing, "'X-Amz-SignedHeaders'", signedHeaders);
    requireInQuery(missing, "'X-Amz-Date'", date);
    if (!missing.isEmpty()) {
      throw SigV4Exception.incomplete(
          missing.append("Re-examine the query-string parameters.").toString());
    }
    requireAlgorithm(algorithm);
    return new AuthenticationParameters(
        credential,
        names(signedHeaders),
        signature,
        SignatureTime.parse(date).orElseThrow(() -> badDate(date)),
        query.only("X-Amz-Expires").map(AuthenticationParameters::seconds).orElse(NO_LIMIT));
  }

  private static void requireInHeader(StringBuilder missing, String what, String value) {
    if (value.isEmpty()) {
      missing.append("Authorization header requires ").append(what).append(" parameter. ");
    }
  }

  private static void requireInQuery(StringBuilder missing, String what, String value) {
    if (value.isEmpty()) {
      missing.append("AWS query-string parameters must include ").append(what).append(". ");
    }
  }

  private static void requireAlgorithm(String algorithm) {
    if (!algorithm.equals(SigV4.ALGORITHM)) {
      throw SigV4Exception.incomplete("Unsupported AWS 'algorithm': '" + algorithm + "'.");
    }
  }

  private static List<String> names(String text) {
    List<String> names = new ArrayList<>();
    String before = "";
    for (String name : text.split(";", MAX_SIGNED_HEADERS + 1)) {
      if (before.compareTo(name) >= 0 || !name.equals(name.toLowerCase(Locale.ROOT))) {
        throw SigV4Exception.incomplete(
            "'SignedHeaders' must be lowercase names, sorted and without duplicates.");
      }
      names.add(name);
      before = name;
    }
    return names;
  }

  private static SignatureTime time(String text, Headers headers) {
    return (headers.has("x-amz-date")
            ? SignatureTime.parse(text)
            : SignatureTime.parseDateHeader(text))
        .orElseThrow(() -> badDate(text));
  }

  private static SigV4Exception badDate(String text) {
    return SigV4Exception.incomplete(
        "Date must be in ISO-8601 'basic format'. Got '"
            + text
            + "'. See http://en.wikipedia.org/wiki/ISO_8601");
  }

  private static long seconds(String text) {
    if (text.length() <= 6 && !text.isEmpty() && text.chars().allMatch(Character::isDigit)) {
      int seconds = Integer.parseInt(text);
      if (seconds >= 1 && seconds <= MAX_EXPIRES) {
        return seconds;
      }
    }
    throw SigV4Exception.incomplete(
        "X-Amz-Expires must be a whole number from 1 to " + MAX_EXPIRES + ".");
  }
}
