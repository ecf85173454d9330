package dev.hmacd.sigv4;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import dev.hmacd.http.Headers;
import dev.hmacd.http.Request;
import dev.hmacd.testing.AwsCaller;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// Fuzz target: any bytes as a signed request.
///
/// The daemon accepts a request if, and only if, [ReferenceSigV4] computes the same signature.
/// Otherwise it throws an error of AWS, and nothing else. A fuzzer cannot guess a signature, so the
/// test also tries each well-formed request with its valid signature.
public final class SigV4Fuzz {
  /// The time at which the inputs in the test resources were signed.
  static final Instant NOW = Instant.parse("2026-11-22T06:00:00Z");

  private static final SigV4 SIG_V4 =
      new SigV4(SigningScope.kms(SdkSigner.REGION), Clock.fixed(NOW, ZoneOffset.UTC));
  private static final String TODAY = "20261122";
  private static final SigningKey KEY = SdkSigner.at(NOW).key(TODAY);
  private static final JsonFactory JSON = new JsonFactory();

  private SigV4Fuzz() {}

  /// Parses bytes as a request, more leniently than a server.
  public static Request request(byte[] bytes) {
    String text = new String(bytes, ISO_8859_1);
    int end = text.indexOf("\r\n\r\n");
    String[] lines = (end < 0 ? text : text.substring(0, end)).split("\r\n", -1);
    byte[] body = (end < 0 ? "" : text.substring(end + 4)).getBytes(ISO_8859_1);
    String[] start = lines[0].split(" ", 3);
    var headers = new Headers();
    for (int i = 1; i < lines.length; i++) {
      String[] field = lines[i].split(":", 2);
      headers.add(field[0].toLowerCase(Locale.ROOT), field.length == 1 ? "" : field[1].strip());
    }
    return Request.of(start[0], start.length == 1 ? "" : start[1], headers, body);
  }

  private static void check(boolean holds, String otherwise, Request request) {
    if (!holds) {
      throw new AssertionError(otherwise + ": " + new String(AwsCaller.bytes(request), ISO_8859_1));
    }
  }

  /// Whether a request is accepted.
  public static boolean isAccepted(Request request) {
    try {
      SigV4.UnverifiedSignature signature = SIG_V4.read(request);
      check(signature.day().equals(TODAY), "read as signed on another day", request);
      signature.verify(KEY);
      return true;
    } catch (SigV4Exception e) {
      checkRefusal(e);
      return false;
    }
  }

  /// The body of each refusal is JSON, also if it repeats parts of the request.
  private static void checkRefusal(SigV4Exception refusal) {
    var body = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(body)) {
      json.writeString(refusal.text());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    try (JsonParser json = JSON.createParser(body.toByteArray())) {
      while (json.nextToken() != null) {}
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    if (refusal.text().isEmpty()) {
      throw new AssertionError("no message: " + refusal.kind());
    }
  }

  /// Checks that the signature covers all relevant headers, and that its scope and time are those
  /// of the daemon.
  private static void checkCovered(Request request, ReferenceSigV4 reference) {
    List<String> signed = Arrays.asList(reference.signedHeaders().split(";", -1));
    request
        .headers()
        .forEach(
            (name, _) ->
                check(
                    signed.contains(name) || !(name.equals("host") || name.startsWith("x-amz-")),
                    "accepted without a signature of " + name,
                    request));
    check(
        reference.credential().endsWith("/20261122/eu-central-1/kms/aws4_request"),
        "accepted for " + reference.credential(),
        request);
    Instant time =
        Instant.ofEpochSecond(
            SignatureTime.parseDateHeader(reference.date()).orElseThrow().epochSecond());
    check(
        Duration.between(time, NOW).abs().compareTo(Duration.ofMinutes(5)) <= 0,
        "accepted, signed at " + time,
        request);
    check(!ReferenceSigV4.hasSessionToken(request), "accepted with a session token", request);
  }

  /// The fuzzer calls this method first, so the time to load classes does not count.
  public static void fuzzerInitialize() {
    fuzzerTestOneInput("POST / HTTP/1.1".getBytes(ISO_8859_1));
  }

  /// The fuzzer calls this method with each input.
  public static void fuzzerTestOneInput(byte[] bytes) {
    Request request = request(bytes);
    boolean accepted = isAccepted(request);
    try {
      var _ = SIG_V4.read(request);
    } catch (SigV4Exception e) {
      check(!accepted, "accepted, but malformed", request);
      return;
    }
    var reference = ReferenceSigV4.of(request);
    check(
        accepted == isRight(request, reference),
        accepted ? "accepted with a wrong signature" : "refused with the right signature",
        request);
    Request signed = ReferenceSigV4.withSignature(request, reference.expected(request, KEY));
    if (isAccepted(signed)) {
      checkCovered(signed, ReferenceSigV4.of(signed));
    }
    check(
        isAccepted(signed) == isRight(signed, ReferenceSigV4.of(signed)),
        "accepted with a wrong signature, or refused with the right one",
        signed);
  }

  /// Whether the request has the expected signature, and no wrong hash of its body.
  private static boolean isRight(Request request, ReferenceSigV4 reference) {
    String hash = ReferenceSigV4.hex(ReferenceSigV4.sha256(request.body()));
    return reference.signature().equals(reference.expected(request, KEY))
        && request.headers().all("x-amz-content-sha256").stream().allMatch(hash::equals)
        && request.headers().all("x-amz-content-sha256").size() <= 1;
  }
}
