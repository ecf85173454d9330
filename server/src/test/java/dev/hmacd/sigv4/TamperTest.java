package dev.hmacd.sigv4;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.http.Request;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.KmsItem;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SettableClock;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A signed request with any changed byte is refused. The test generates each change from a valid
/// request.
@Tag("slow")
final class TamperTest {
  private static final Instant NOW = Instant.parse("2026-11-22T06:00:00Z");
  private static final Pattern CODE = Pattern.compile("\"__type\":\"([^\"]+)\"");

  private static final String MISMATCH = "InvalidSignatureException";
  private static final String INCOMPLETE = "IncompleteSignatureException";
  private static final String UNKNOWN_KEY = "UnrecognizedClientException";
  private static final String MISSING = "MissingAuthenticationTokenException";
  private static final String BAD_REQUEST = "BadRequestException";
  private static final String NO_OPERATION = "UnknownOperationException";

  private static final SettableClock clock = new SettableClock(NOW);
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .awsKms()
          .awsLimit("request_timeout: 1s")
          .clock(clock)
          .allowingUserAll("admin");
  private static AwsCaller admin;
  private static String body = "";
  private static int cases;

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    admin = new AwsCaller(daemon, "admin");
    String created =
        answer(
                signed(
                    "CreateKey", "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"}"))
            .body();
    Matcher id = Pattern.compile("\"KeyId\":\"([^\"]+)\"").matcher(created);
    assertThat(id.find()).as(created).isTrue();
    body = AwsCaller.macOf(id.group(1));
  }

  @AfterAll
  static void stop() throws IOException {
    admin.close();
    daemon.close();
    System.out.println("TamperTest: " + cases + " changes of a signed request, each refused");
  }

  private static String signed(String operation, String json) {
    return text(
        admin
            .signer(NOW)
            .sign(
                admin.endpoint(),
                SdkSigner.headers(AwsCaller.headers(operation)),
                json.getBytes(UTF_8)));
  }

  private static String text(Request request) {
    return new String(AwsCaller.bytes(request), ISO_8859_1);
  }

  private static String good() {
    return signed("GenerateMac", body);
  }

  private static RawHttp1.Answer answer(String request) throws IOException {
    try (RawHttp1 caller = RawHttp1.to(daemon.awsPort())) {
      return caller.write(request).read();
    }
  }

  /// Sends a request that the daemon refuses, and returns AWS's error code.
  private static String refusal(String request) throws IOException {
    cases++;
    RawHttp1.Answer answer = answer(request);
    assertThat(answer.status()).as(request).isGreaterThanOrEqualTo(400).isLessThan(500);
    assertThat(answer.body()).doesNotContain("Mac\":");
    Matcher code = CODE.matcher(answer.body());
    assertThat(code.find()).as(answer.body()).isTrue();
    return code.group(1);
  }

  /// Variants of the request: each changes one character of the part.
  private static List<String> changes(String request, String part) {
    int start = request.indexOf(part);
    assertThat(start).as("%s in %s", part, request).isNotNegative();
    List<String> changed = new ArrayList<>();
    for (int i = start; i < start + part.length(); i++) {
      char c = request.charAt(i);
      char other = (char) (c ^ (Character.isLetter(c) ? 2 : 1));
      changed.add(request.substring(0, i) + other + request.substring(i + 1));
    }
    return changed;
  }

  private static void assertRefused(List<String> requests, String... codes) throws IOException {
    assertThat(requests).isNotEmpty();
    for (String request : requests) {
      assertThat(refusal(request)).as(request).isIn((Object[]) codes);
    }
  }

  private static String header(String request, String name) {
    Matcher line = Pattern.compile("(?im)^" + name + ": (.*)").matcher(request);
    assertThat(line.find()).as("%s in %s", name, request).isTrue();
    return line.group(1);
  }

  @Test
  void unchangedRequestIsAnswered() throws IOException {
    RawHttp1.Answer answer = answer(good());
    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    assertThat(answer.body()).contains("\"Mac\":");
  }

  @Test
  @KmsItem({"AUTH-1", "AUTH-9"})
  void changedSignatureIsRefused() throws IOException {
    String request = good();
    Matcher signature = Pattern.compile("Signature=([0-9a-f]{64})").matcher(request);
    assertThat(signature.find()).isTrue();
    assertRefused(changes(request, signature.group(1)), MISMATCH);
    String other = signature.group(1);
    assertRefused(
        List.of(
            request.replace(other, other.substring(1)),
            request.replace(other, other + "0"),
            request.replace(other, other.toUpperCase(Locale.ROOT)),
            request.replace(other, "0".repeat(64)),
            request.replace(other, "x")),
        MISMATCH);
    assertRefused(List.of(request.replace("Signature=" + other, "Signature=")), INCOMPLETE);
  }

  @Test
  void changedBodyIsRefused() throws IOException {
    String request = good();
    assertRefused(changes(request, body), MISMATCH);
    assertRefused(
        List.of(
            request.replace(body, "").replaceAll("(?i)content-length: \\d+", "content-length: 0"),
            request
                .replace(body, body + " ")
                .replaceAll("(?i)content-length: \\d+", "content-length: " + (body.length() + 1))),
        MISMATCH);
  }

  @ParameterizedTest
  @ValueSource(strings = {"X-Amz-Target", "Content-Type", "Host"})
  void changedSignedHeaderIsRefused(String name) throws IOException {
    String request = good();
    String value = header(request, name);
    assertRefused(changes(request, value), MISMATCH);
    assertRefused(
        List.of(request.replace(value, value + "x"), request.replace(value, value.substring(1))),
        MISMATCH);
  }

  @Test
  void missingOrDuplicateSignedHeaderIsRefused() throws IOException {
    String request = good();
    String target = "(?im)^x-amz-target: .*?\r\n";
    String date = "(?im)^x-amz-date: .*?\r\n";
    String line =
        Pattern.compile(target).matcher(request).results().findFirst().orElseThrow().group();
    assertRefused(
        List.of(request.replaceAll(target, ""), request.replace(line, line + line)), MISMATCH);
    String dateLine =
        Pattern.compile(date).matcher(request).results().findFirst().orElseThrow().group();
    assertRefused(
        List.of(request.replaceAll(date, ""), request.replace(dateLine, dateLine + dateLine)),
        INCOMPLETE,
        MISMATCH);
    String host = "host: " + header(request, "host") + "\r\n";
    assertRefused(
        List.of(
            request.replaceAll("(?im)^host: .*?\r\n", ""),
            request.replaceFirst("\r\n", "\r\n" + host)),
        BAD_REQUEST);
  }

  @Test
  @KmsItem("AUTH-10")
  void unsignedHeaderOfAwsIsRefused() throws IOException {
    for (String more :
        List.of(
            "x-amz-foo: 1",
            "X-AMZ-Meta: x",
            "x-amz-content-sha256: " + "0".repeat(64),
            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
            "x-amz-: ")) {
      assertRefused(List.of(good().replaceFirst("\r\n", "\r\n" + more + "\r\n")), MISMATCH);
    }
    assertRefused(
        List.of(good().replaceFirst("\r\n", "\r\nx-amz-security-token: abc\r\n")), UNKNOWN_KEY);
  }

  @Test
  void signedHashOfTheBodyIsAccepted() throws Exception {
    byte[] hash = MessageDigest.getInstance("SHA-256").digest(body.getBytes(UTF_8));
    Request request =
        admin.signer(NOW).signWithHash(admin.endpoint(), body, HexFormat.of().formatHex(hash));
    assertThat(answer(text(request)).status()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(strings = {"UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0", ""})
  void signedHashOfAnotherBodyIsRefused(String hash) throws IOException {
    String request = text(admin.signer(NOW).signWithHash(admin.endpoint(), body, hash));
    assertThat(header(request, "Authorization")).contains("x-amz-content-sha256");
    assertThat(header(request, "x-amz-content-sha256")).isEqualTo(hash);
    assertRefused(List.of(request), MISMATCH);
  }

  @Test
  void changedCredentialIsRefused() throws IOException {
    String request = good();
    Matcher credential = Pattern.compile("Credential=([^,]+),").matcher(request);
    assertThat(credential.find()).isTrue();
    String[] parts = credential.group(1).split("/", -1);
    assertThat(parts).hasSize(5);
    assertRefused(changes(request, parts[0]), UNKNOWN_KEY);
    assertRefused(changes(request, "/" + parts[1] + "/"), MISMATCH, INCOMPLETE);
    assertRefused(changes(request, "/" + parts[2] + "/"), MISMATCH, INCOMPLETE);
    assertRefused(changes(request, "/" + parts[3] + "/"), MISMATCH, INCOMPLETE);
    assertRefused(changes(request, "/" + parts[4] + ","), MISMATCH, INCOMPLETE);
  }

  @Test
  void changedListOfSignedHeadersIsRefused() throws IOException {
    String request = good();
    Matcher names = Pattern.compile("SignedHeaders=([^,]+),").matcher(request);
    assertThat(names.find()).isTrue();
    assertRefused(changes(request, names.group(1)), MISMATCH, INCOMPLETE);
    List<String> all = Arrays.asList(names.group(1).split(";", -1));
    for (String name : all) {
      String fewer = String.join(";", all.stream().filter(each -> !each.equals(name)).toList());
      assertRefused(List.of(request.replace(names.group(1), fewer)), MISMATCH);
    }
    assertRefused(
        List.of(
            request.replace(names.group(1), names.group(1) + ";" + "zzz"),
            request.replace(names.group(1), "a;" + names.group(1))),
        MISMATCH);
    assertRefused(
        List.of(
            request.replace(names.group(1), names.group(1) + ";host"),
            request.replace(names.group(1), names.group(1).toUpperCase(Locale.ROOT)),
            request.replace(names.group(1), ";" + names.group(1))),
        INCOMPLETE);
  }

  @Test
  void changedDateIsRefused() throws IOException {
    String request = good();
    assertRefused(changes(request, header(request, "X-Amz-Date")), MISMATCH, INCOMPLETE);
  }

  @Test
  void changedAuthorizationIsRefused() throws IOException {
    String request = good();
    assertRefused(changes(request, "AWS4-HMAC-SHA256 Credential="), INCOMPLETE);
    assertRefused(changes(request, " SignedHeaders="), INCOMPLETE);
    assertRefused(changes(request, " Signature="), INCOMPLETE);
    String line = "Authorization: " + header(request, "Authorization") + "\r\n";
    assertRefused(
        List.of(
            request.replaceFirst("\r\n", "\r\n" + Matcher.quoteReplacement(line)),
            request.replace(", SignedHeaders=", "; SignedHeaders="),
            request.replace(", Signature=", ", Foo, Signature=")),
        INCOMPLETE);
    assertRefused(List.of(request.replaceFirst("(?im)^Authorization: .*?\r\n", "")), MISSING);
  }

  @Test
  void changedRequestLineIsRefused() throws IOException {
    String request = good();
    assertThat(request).startsWith("POST / HTTP/1.1\r\n");
    for (String line :
        List.of(
            "POST /?a=b HTTP/1.1",
            "POST /?a HTTP/1.1",
            "POST /?%20 HTTP/1.1",
            "POST /?%2 HTTP/1.1")) {
      assertRefused(List.of(request.replaceFirst("POST / HTTP/1.1", line)), MISMATCH, INCOMPLETE);
    }
    for (String line :
        List.of(
            "POST // HTTP/1.1",
            "POST /. HTTP/1.1",
            "POST /x HTTP/1.1",
            "POST * HTTP/1.1",
            "POST http://127.0.0.1/ HTTP/1.1",
            "GET / HTTP/1.1",
            "PUT / HTTP/1.1",
            "OPTIONS / HTTP/1.1",
            "post / HTTP/1.1")) {
      assertThat(refusal(request.replaceFirst("POST / HTTP/1.1", line)))
          .as(line)
          .isEqualTo(NO_OPERATION);
    }
    for (String changed : changes(request, "HTTP/1.1\r\n")) {
      RawHttp1.Answer answer = answer(changed);
      cases++;
      assertThat(answer.status()).as(changed).isIn(400, 505);
      assertThat(answer.headers()).containsEntry("connection", "close");
    }
  }

  /// No byte of a request that is signed in its query can be changed.
  @Test
  void changedQueryIsRefused() throws IOException {
    Request signed =
        admin
            .signer(NOW)
            .inQuery()
            .sign(
                admin.endpoint(),
                SdkSigner.headers(AwsCaller.headers("GenerateMac")),
                body.getBytes(UTF_8));
    String request = text(signed);
    assertThat(answer(request).status()).isEqualTo(200);
    assertThat(signed.query()).contains("X-Amz-Signature=");
    for (String changed : changes(request, signed.query())) {
      cases++;
      RawHttp1.Answer answer = answer(changed);
      assertThat(answer.status()).as(changed).isEqualTo(400);
      assertThat(answer.body())
          .as(changed)
          .containsAnyOf(MISMATCH, INCOMPLETE, UNKNOWN_KEY, MISSING, BAD_REQUEST);
    }
    assertRefused(
        List.of(
            request.replace(signed.query(), signed.query() + "&a=b"),
            request.replace(signed.query(), "a=b&" + signed.query())),
        MISMATCH);
    assertRefused(
        List.of(
            request.replace(signed.query(), signed.query() + "&" + signed.query()),
            request.replace(signed.query(), signed.query() + "&X-Amz-Expires=604801")),
        INCOMPLETE);
  }

  /// Also unsigned bytes of the head matter: without its length, a body is empty.
  @Test
  void noByteOfTheHeadCanBeChanged() throws IOException {
    String request = good();
    int before = cases;
    int end = request.indexOf("\r\n\r\n");
    for (int i = 0; i < end; i++) {
      char c = request.charAt(i);
      if (c != '\r' && c != '\n') {
        String changed = request.substring(0, i) + (char) (c ^ 1) + request.substring(i + 1);
        cases++;
        assertThat(answer(changed).status()).as(changed).isBetween(400, 505);
      }
    }
    assertThat(cases - before).isGreaterThan(200);
  }

  @Test
  @KmsItem({"AUTH-2", "AUTH-3", "AUTH-9"})
  void requestOutsideTheTimeWindowIsRefused() throws IOException {
    String request = good();
    String early =
        text(
            admin
                .signer(NOW.plus(Duration.ofSeconds(301)))
                .sign(
                    admin.endpoint(),
                    SdkSigner.headers(AwsCaller.headers("GenerateMac")),
                    body.getBytes(UTF_8)));
    assertThat(answer(early).body())
        .contains(
            "Signature not yet current: 20261122T060501Z is still later than 20261122T060500Z"
                + " (20261122T060000Z + 5 min.)");
    clock.advance(Duration.ofMinutes(5));
    try {
      assertThat(answer(request).status()).isEqualTo(200);
      clock.advance(Duration.ofSeconds(1));
      assertThat(answer(early).status()).isEqualTo(200);
      RawHttp1.Answer late = answer(request);
      assertThat(late.status()).isEqualTo(400);
      assertThat(late.body())
          .isEqualTo(
              "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired:"
                  + " 20261122T060000Z is now earlier than 20261122T060001Z (20261122T060501Z - 5"
                  + " min.)\"}");
    } finally {
      clock.advance(Duration.ofSeconds(-301));
    }
  }
}
