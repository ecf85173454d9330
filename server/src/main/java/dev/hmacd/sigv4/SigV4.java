package dev.hmacd.sigv4;

import dev.hmacd.http.Headers;
import dev.hmacd.http.Request;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Clock;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// Verifies signatures of AWS Signature Version 4, in the header or in the query string, with the
/// error messages of AWS. Does no I/O: the caller supplies the signing key.
///
/// The verification is stricter than AWS's, without effect on the clients of AWS. Every `x-amz-*`
/// header must be signed. Duplicate parameters are refused. The signed body hash must be the hash
/// of the received body; `UNSIGNED-PAYLOAD` is refused.
public final class SigV4 {
  static final String ALGORITHM = "AWS4-HMAC-SHA256";

  /// Maximum difference between the time of a signature and the current time, in each direction.
  private static final long WINDOW_SECONDS = 300;

  private static final Pattern ACCESS_KEY_ID = Pattern.compile("\\w{16,128}");
  private static final HexFormat HEX = HexFormat.of();

  private final SigningScope scope;
  private final Clock clock;

  /// @param scope the only accepted scope of signatures
  public SigV4(SigningScope scope, Clock clock) {
    this.scope = scope;
    this.clock = clock;
  }

  /// The signature of a request: well-formed, current, and for this service and region, but not
  /// verified before [#verify].
  public static final class UnverifiedSignature {
    private final Request request;
    private final CanonicalQuery query;
    private final AuthenticationParameters parameters;
    private final SignatureTime time;
    private final String accessKeyId;
    private final String scope;

    private UnverifiedSignature(
        Request request,
        CanonicalQuery query,
        AuthenticationParameters parameters,
        SignatureTime time,
        String accessKeyId,
        String scope) {
      this.request = request;
      this.query = query;
      this.parameters = parameters;
      this.time = time;
      this.accessKeyId = accessKeyId;
      this.scope = scope;
    }

    public String accessKeyId() {
      return accessKeyId;
    }

    /// The UTC date of the signing key, `yyyymmdd`.
    public String day() {
      return time.day();
    }

    /// Verifies the signature under a signing key. The comparison takes constant time.
    ///
    /// @throws SigV4Exception if the signature does not match the request
    public void verify(SigningKey key) {
      String bodyHash = HEX.formatHex(sha256(request.body()));
      if (request.headers().has("x-amz-content-sha256")
          && !request.headers().only("x-amz-content-sha256").equals(Optional.of(bodyHash))) {
        throw SigV4Exception.mismatch();
      }
      String canonical =
          CanonicalRequest.of(request, query.text(), parameters.signedHeaders(), bodyHash);
      String stringToSign =
          ALGORITHM
              + '\n'
              + time.text()
              + '\n'
              + scope
              + '\n'
              + HEX.formatHex(sha256(canonical.getBytes(StandardCharsets.ISO_8859_1)));
      byte[] expected =
          HEX.formatHex(hmac(key.key(), stringToSign.getBytes(StandardCharsets.ISO_8859_1)))
              .getBytes(StandardCharsets.ISO_8859_1);
      if (!MessageDigest.isEqual(
          expected, parameters.signature().getBytes(StandardCharsets.ISO_8859_1))) {
        throw SigV4Exception.mismatch();
      }
    }
  }

  /// Reads the signature of a request.
  ///
  /// @throws SigV4Exception if the signature is missing, malformed, not current, or for another
  ///   service or region
  public UnverifiedSignature read(Request request) {
    var query = CanonicalQuery.of(request.query());
    AuthenticationParameters parameters = AuthenticationParameters.of(request.headers(), query);
    if (request.headers().has("x-amz-security-token") || query.has("X-Amz-Security-Token")) {
      throw SigV4Exception.sessionToken();
    }
    requireSigned(request.headers(), parameters.signedHeaders());
    SignatureTime time = parameters.time();
    String[] credential = parameters.credential().split("/", -1);
    if (credential.length != 5) {
      throw SigV4Exception.incomplete(
          "Credential must have exactly 5 slash-delimited elements, e.g."
              + " keyid/date/region/service/term, got '"
              + parameters.credential()
              + "'");
    }
    requireScope(credential, time);
    requireCurrent(time, parameters.maxAgeSeconds());
    if (!ACCESS_KEY_ID.matcher(credential[0]).matches()) {
      throw SigV4Exception.unknownKey();
    }
    String scope = parameters.credential().substring(credential[0].length() + 1);
    return new UnverifiedSignature(request, query, parameters, time, credential[0], scope);
  }

  /// Requires that `host` and all `x-amz-*` headers are signed. An attacker could change unsigned
  /// headers, such as the name of the operation.
  private static void requireSigned(Headers headers, List<String> signed) {
    headers.forEach(
        (name, _) -> {
          if (signed.contains(name)) {
            return;
          }
          if (name.equals("host")) {
            throw SigV4Exception.invalid(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
          }
          if (name.startsWith("x-amz-")) {
            throw SigV4Exception.invalid(
                "'" + name + "' must be a 'SignedHeader' in the AWS Authorization.");
          }
        });
    for (String name : signed) {
      if (!headers.has(name)) {
        throw SigV4Exception.mismatch();
      }
    }
  }

  private void requireScope(String[] credential, SignatureTime time) {
    var wrong = new StringBuilder();
    if (!credential[1].equals(time.day())) {
      wrong
          .append("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date")
          .append(" from HTTP: '")
          .append(credential[1])
          .append("' != '")
          .append(time.day())
          .append("', from '")
          .append(time.text())
          .append("'. ");
    }
    if (!credential[2].equals(scope.region())) {
      wrong
          .append("Credential should be scoped to a valid region, not '")
          .append(credential[2])
          .append("'. ");
    }
    if (!credential[3].equals(scope.service())) {
      wrong
          .append("Credential should be scoped to correct service: '")
          .append(scope.service())
          .append("'. ");
    }
    if (!credential[4].equals(SigningScope.TERMINATOR)) {
      wrong
          .append("Credential should be scoped with a valid terminator: '")
          .append(SigningScope.TERMINATOR)
          .append("', not '")
          .append(credential[4])
          .append("'. ");
    }
    if (!wrong.isEmpty()) {
      throw SigV4Exception.invalid(wrong.toString().stripTrailing());
    }
  }

  private void requireCurrent(SignatureTime time, long maxAgeSeconds) {
    long now = Math.floorDiv(clock.millis(), 1000);
    long signed = time.epochSecond();
    long maxAge = Math.min(maxAgeSeconds, WINDOW_SECONDS);
    if (signed < now - maxAge) {
      throw SigV4Exception.invalid(
          "Signature expired: "
              + time.text()
              + " is now earlier than "
              + SignatureTime.format(now - maxAge)
              + " ("
              + SignatureTime.format(now)
              + " - "
              + length(maxAge)
              + ".)");
    }
    if (signed > now + WINDOW_SECONDS) {
      throw SigV4Exception.invalid(
          "Signature not yet current: "
              + time.text()
              + " is still later than "
              + SignatureTime.format(now + WINDOW_SECONDS)
              + " ("
              + SignatureTime.format(now)
              + " + "
              + length(WINDOW_SECONDS)
              + ".)");
    }
  }

  private static String length(long seconds) {
    return seconds % 60 == 0 ? seconds / 60 + " min" : seconds + " sec";
  }

  private static byte[] hmac(byte[] key, byte[] message) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(message);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this JDK does not support HmacSHA256", e);
    }
  }

  private static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this JDK does not support SHA-256", e);
    }
  }
}
