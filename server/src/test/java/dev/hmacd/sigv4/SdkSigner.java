package dev.hmacd.sigv4;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.access.Principal;
import dev.hmacd.http.Headers;
import dev.hmacd.http.Request;
import java.net.URI;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4FamilyHttpSigner;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.SignRequest;
import software.amazon.awssdk.identity.spi.AwsCredentialsIdentity;

/// Signs requests with AWS's SDK: the reference for the daemon's verification.
public final class SdkSigner {
  public static final String ACCESS_KEY_ID = "AKIATESTTESTTEST0001";
  public static final String SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  public static final String REGION = "eu-central-1";
  public static final Principal PRINCIPAL = new Principal("arn:aws:iam::123456789012:user/ci");

  private static final AwsV4HttpSigner SIGNER = AwsV4HttpSigner.create();

  private final AwsCredentialsIdentity identity;
  private final Clock clock;
  private String region = REGION;
  private String service = "kms";
  private @Nullable Duration expiration;
  private boolean inQuery;

  public SdkSigner(String accessKeyId, String secret, Instant now) {
    this.identity = AwsCredentialsIdentity.create(accessKeyId, secret);
    this.clock = Clock.fixed(now, ZoneOffset.UTC);
  }

  /// A signer with the common access key of the tests.
  public static SdkSigner at(Instant now) {
    return new SdkSigner(ACCESS_KEY_ID, SECRET, now);
  }

  public SdkSigner region(String other) {
    region = other;
    return this;
  }

  SdkSigner service(String other) {
    service = other;
    return this;
  }

  SdkSigner inQuery() {
    inQuery = true;
    return this;
  }

  SdkSigner expiringAfter(Duration length) {
    expiration = length;
    return inQuery();
  }

  /// The signing key of a day.
  public SigningKey key(String day) {
    byte[] key = ("AWS4" + identity.secretAccessKey()).getBytes(UTF_8);
    for (String part : List.of(day, region, service, SigningScope.TERMINATOR)) {
      key = hmac(key, part);
    }
    return new SigningKey(PRINCIPAL, key);
  }

  /// Signs a request.
  ///
  /// @param uri e.g. `http://localhost:8080/?a=b`
  public Request sign(URI uri, Map<String, List<String>> headers, byte[] body) {
    SdkHttpRequest.Builder unsigned = SdkHttpRequest.builder().method(SdkHttpMethod.POST).uri(uri);
    headers.forEach(unsigned::putHeader);
    SignRequest.Builder<AwsCredentialsIdentity> toSign =
        SignRequest.builder(identity)
            .request(unsigned.build())
            .payload(ContentStreamProvider.fromByteArray(body))
            .putProperty(AwsV4FamilyHttpSigner.SERVICE_SIGNING_NAME, service)
            .putProperty(AwsV4HttpSigner.REGION_NAME, region)
            .putProperty(HttpSigner.SIGNING_CLOCK, clock);
    if (inQuery) {
      toSign.putProperty(
          AwsV4FamilyHttpSigner.AUTH_LOCATION, AwsV4FamilyHttpSigner.AuthLocation.QUERY_STRING);
    }
    if (expiration != null) {
      toSign.putProperty(AwsV4FamilyHttpSigner.EXPIRATION_DURATION, expiration);
    }
    SdkHttpRequest signed = SIGNER.sign(toSign.build()).request();
    var result = new Headers();
    signed.forEachHeader(
        (name, values) ->
            values.forEach(value -> result.add(name.toLowerCase(Locale.ROOT), value)));
    String query = signed.encodedQueryParameters().orElse("");
    return new Request("POST", signed.encodedPath(), query, result, body);
  }

  /// Signs a request with any value of x-amz-content-sha256. AWS's SDK cannot do this.
  Request signWithHash(URI uri, String body, String hash) {
    String time = SignatureTime.format(clock.instant().getEpochSecond());
    String scope = String.join("/", time.substring(0, 8), region, service, SigningScope.TERMINATOR);
    var headers =
        new Headers()
            .add("host", uri.getAuthority())
            .add("x-amz-content-sha256", hash)
            .add("x-amz-date", time)
            .add("x-amz-target", "TrentService.GenerateMac");
    List<String> names = List.of("host", "x-amz-content-sha256", "x-amz-date", "x-amz-target");
    var request = new Request("POST", "/", "", headers, body.getBytes(UTF_8));
    String toSign =
        String.join(
            "\n",
            SigV4.ALGORITHM,
            time,
            scope,
            hex(sha256(CanonicalRequest.of(request, "", names, hash))));
    headers.add(
        "authorization",
        "%s Credential=%s/%s, SignedHeaders=%s, Signature=%s"
            .formatted(
                SigV4.ALGORITHM,
                identity.accessKeyId(),
                scope,
                String.join(";", names),
                hex(hmac(key(time.substring(0, 8)).key(), toSign))));
    return request;
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  private static byte[] sha256(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(text.getBytes(UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Headers with one value each.
  public static Map<String, List<String>> headers(Map<String, String> single) {
    return single.entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, entry -> List.of(entry.getValue())));
  }
}
