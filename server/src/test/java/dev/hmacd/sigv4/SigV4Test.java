package dev.hmacd.sigv4;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.hmacd.http.Request;
import java.net.URI;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

final class SigV4Test {
  private static final Instant NOW = Instant.parse("2026-11-22T06:00:00.700Z");
  private static final URI HERE = URI.create("http://localhost:8080/");

  private static final SigV4 sigV4 =
      new SigV4(SigningScope.kms(SdkSigner.REGION), Clock.fixed(NOW, ZoneOffset.UTC));

  private static void verify(Request request) {
    SigV4.UnverifiedSignature signature = sigV4.read(request);
    signature.verify(SdkSigner.at(NOW).key(signature.day()));
  }

  @Test
  void requestSignedByTheSdkIsAccepted() {
    var random = new Random(4);
    for (int i = 0; i < 2000; i++) {
      Request request = generated(random, SdkSigner.at(NOW));
      assertThatCode(() -> verify(request)).as("%s", request).doesNotThrowAnyException();
      assertReferenceAgrees(request);
    }
  }

  /// Checks the reference implementation that the fuzz target uses.
  private static void assertReferenceAgrees(Request request) {
    var reference = ReferenceSigV4.of(request);
    assertThat(reference.expected(request, SdkSigner.at(NOW).key("20261122")))
        .isEqualTo(reference.signature());
  }

  @Test
  void requestSignedInTheQueryByTheSdkIsAccepted() {
    var random = new Random(5);
    for (int i = 0; i < 1000; i++) {
      Request request = generated(random, SdkSigner.at(NOW).inQuery());
      assertThat(request.query()).contains("X-Amz-Signature=");
      assertThatCode(() -> verify(request)).as("%s", request).doesNotThrowAnyException();
      assertReferenceAgrees(request);
    }
  }

  private static Request generated(Random random, SdkSigner signer) {
    Map<String, List<String>> headers = new TreeMap<>();
    headers.put("X-Amz-Target", List.of("TrentService.GenerateMac"));
    headers.put("Content-Type", List.of("application/x-amz-json-1.1"));
    for (int i = random.nextInt(8); i > 0; i--) {
      String name = (random.nextBoolean() ? "X-Amz-" : "x-") + token(random);
      headers.put(name, random.ints(1 + random.nextInt(3)).mapToObj(_ -> value(random)).toList());
    }
    var query = new StringBuilder();
    for (int i = random.nextInt(5); i > 0; i--) {
      query.append(query.isEmpty() ? "?" : "&").append(encoded(random));
      if (random.nextBoolean()) {
        query.append('=').append(encoded(random));
      }
    }
    byte[] body = new byte[random.nextInt(3) == 0 ? 0 : random.nextInt(5000)];
    random.nextBytes(body);
    return signer.sign(HERE.resolve("/" + query), headers, body);
  }

  private static String token(Random random) {
    return random
        .ints(1 + random.nextInt(10), 0, 64)
        .mapToObj(
            i ->
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
                    .substring(i, i + 1))
        .reduce("", String::concat);
  }

  private static String value(Random random) {
    return random
        .ints(random.nextInt(30), 0, 20)
        .mapToObj(i -> " \t a,b;c\"=:/?&%+~(1Z".substring(i, i + 1))
        .reduce("", String::concat)
        .strip();
  }

  private static String encoded(Random random) {
    return random
        .ints(1 + random.nextInt(10), 0, 16)
        .mapToObj(
            i ->
                List.of(
                        "a", "Z", "0", "-", ".", "_", "~", "%20", "%2F", "%3d", "%26", "%C3%A4",
                        "%25", "%2B", "b", "%00")
                    .get(i))
        .reduce("", String::concat);
  }
}
