package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.hmacd.http.Headers;
import dev.hmacd.http.Request;
import dev.hmacd.sigv4.SdkSigner;
import dev.hmacd.sigv4.SigV4;
import dev.hmacd.sigv4.SigV4Exception;
import dev.hmacd.sigv4.SigningScope;
import java.net.URI;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Errors of signatures have the status and the code of AWS.
final class SignatureErrorsTest {
  private static final Instant NOW = Instant.parse("2026-11-22T06:00:00Z");
  private static final SigV4 SIG_V4 =
      new SigV4(SigningScope.kms(SdkSigner.REGION), Clock.fixed(NOW, ZoneOffset.UTC));

  private static Request request(Headers headers) {
    return Request.of("POST", "/", headers, new byte[0]);
  }

  private static SigV4Exception refusal(Request request) {
    return catchThrowableOfType(SigV4Exception.class, () -> SIG_V4.read(request));
  }

  private static Stream<SigV4Exception> refusals() {
    Request elsewhere =
        SdkSigner.at(NOW)
            .region("us-east-1")
            .sign(URI.create("http://localhost/"), Map.of(), new byte[0]);
    return Stream.of(
        refusal(request(new Headers())),
        refusal(request(new Headers().add("authorization", "AWS4-HMAC-SHA256"))),
        refusal(elsewhere),
        SigV4Exception.unknownKey());
  }

  @Test
  void errorHasTheCodeOfItsKind() {
    assertThat(refusals().map(SigV4Exception::kind)).containsExactly(SigV4Exception.Kind.values());
    assertThat(refusals().map(SignatureErrors::of).map(AwsError::code))
        .containsExactly(
            "MissingAuthenticationTokenException",
            "IncompleteSignatureException",
            "InvalidSignatureException",
            "UnrecognizedClientException");
  }

  @Test
  void errorIsAClientErrorWithAMessage() {
    assertThat(refusals().map(SignatureErrors::of))
        .allSatisfy(
            error -> {
              assertThat(error.status()).isEqualTo(400);
              assertThat(error.message()).isNotBlank();
            });
  }
}
