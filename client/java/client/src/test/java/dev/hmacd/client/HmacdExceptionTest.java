package dev.hmacd.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The types of errors, and their serialization.
class HmacdExceptionTest {
  private static final CallFacts FACTS = new CallFacts("h:1", 3, true, "id-1");
  private static final Map<String, String> METADATA = Map.of("maximum", "4096", "given", "4097");

  private static HmacdException exception(ErrorReason reason) {
    var cause = new IllegalStateException("not serializable: " + new Object());
    var failure =
        new Failure(
            reason,
            reason + ": text",
            Status.UNAVAILABLE.withCause(cause),
            METADATA,
            true,
            false,
            reason == ErrorReason.TLS_FAILED ? TlsFault.NO_TLS : null);
    return HmacdException.of(failure, FACTS, 5000);
  }

  @ParameterizedTest
  @EnumSource
  void exceptionOfEachReasonIsSerialized(ErrorReason reason)
      throws IOException, ClassNotFoundException {
    HmacdException exception = exception(reason);
    assertThat(exception).hasMessage(reason + ": text (target h:1, 3 attempts)");
    assertThat(exception.getCause()).isNotNull();
    var bytes = new ByteArrayOutputStream();
    try (var out = new ObjectOutputStream(bytes)) {
      out.writeObject(exception);
    }
    try (var in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      var copy = (HmacdException) in.readObject();
      assertThat(copy).hasSameClassAs(exception).hasMessage(exception.getMessage());
      assertThat(copy.getCause()).isNull();
      assertThat(copy)
          .returns(reason, HmacdException::reason)
          .returns(METADATA, HmacdException::metadata)
          .returns(true, HmacdException::retryable)
          .returns(true, HmacdException::mayHaveRun)
          .returns("h:1", HmacdException::target)
          .returns(3, HmacdException::attempts)
          .returns("id-1", HmacdException::requestId);
      if (copy instanceof TlsFailedException tls) {
        assertThat(tls.fault()).isEqualTo(TlsFault.NO_TLS);
      }
      if (copy instanceof MessageTooLongException tooLong) {
        assertThat(tooLong.limit()).isEqualTo(4096);
        assertThat(tooLong.size()).isEqualTo(reason == ErrorReason.REQUEST_TOO_LONG ? 5000 : 4097);
      }
    }
  }
}
