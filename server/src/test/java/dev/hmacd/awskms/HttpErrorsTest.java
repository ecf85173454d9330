package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.http.HttpError;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Errors of the HTTP server have the status, the code and the message of AWS.
final class HttpErrorsTest {
  @ParameterizedTest
  @CsvSource({
    "MALFORMED, 400, BadRequestException",
    "INVALID_HOST, 400, BadRequestException",
    "TRAILERS, 400, BadRequestException",
    "TIMEOUT, 408, RequestTimeoutException",
    "BODY_TOO_LONG, 413, RequestEntityTooLargeException",
    "TARGET_TOO_LONG, 414, RequestUriTooLongException",
    "EXPECTATION, 417, ExpectationFailedException",
    "HEADERS_TOO_LONG, 431, RequestHeaderFieldsTooLargeException",
    "BUFFER_LIMIT, 503, ServiceUnavailableException",
    "REQUEST_LIMIT, 400, ThrottlingException",
    "VERSION, 505, HttpVersionNotSupportedException"
  })
  void errorHasStatusAndCode(HttpError error, int status, String code) {
    assertThat(HttpErrors.of(error).status()).isEqualTo(status);
    assertThat(HttpErrors.of(error).code()).isEqualTo(code);
  }

  @Test
  void everyErrorHasAMessage() {
    assertThat(Arrays.stream(HttpError.values()).map(HttpErrors::of))
        .allSatisfy(error -> assertThat(error.message()).isNotBlank());
  }
}
