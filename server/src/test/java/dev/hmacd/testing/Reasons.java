package dev.hmacd.testing;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RequestInfo;
import com.google.rpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/// Assertions on errors by status code and reason.
public final class Reasons {
  private static final Pattern INTERNAL =
      Pattern.compile(
          "(?i)exception|throwable|\\bnull\\b|\\b(java|javax|sun|com|org|io)\\.[a-z]|dev\\.hmacd\\.|\\.java"
              + "|CKR_|0x[0-9a-f]|libsofthsm|\\.so\\b|\\.db\\b|/(tmp|usr|etc|home|root|work|var)/");

  private Reasons() {}

  /// Asserts the code, and that the error has exactly one `ErrorInfo`, with this reason.
  public static Consumer<Throwable> failsWith(Code code, String reason) {
    return thrown -> {
      assertThat(thrown).isInstanceOf(StatusRuntimeException.class);
      StatusRuntimeException status = (StatusRuntimeException) thrown;
      assertThat(status.getStatus().getCode()).as(status.getMessage()).isEqualTo(code);
      assertThat(info(status).getReason()).isEqualTo(reason);
      assertThat(info(status).getDomain()).isEqualTo("hmacd.dev");
      assertNoInternalDetails(String.valueOf(status.getStatus().getDescription()));
      assertNoInternalDetails(info(status).toString());
    };
  }

  /// As [#failsWith(Code, String)], with one entry of the metadata.
  public static Consumer<Throwable> failsWith(Code code, String reason, String key, String value) {
    return failsWith(code, reason)
        .andThen(
            thrown ->
                assertThat(info((StatusRuntimeException) thrown).getMetadataMap())
                    .containsEntry(key, value));
  }

  /// Asserts that an error text has no internal details: no exception, class, file or return code
  /// of the token.
  public static void assertNoInternalDetails(String text) {
    assertThat(text).doesNotContainPattern(INTERNAL);
  }

  /// The request id in an error.
  public static String requestId(StatusRuntimeException thrown) {
    try {
      return Objects.requireNonNull(StatusProto.fromThrowable(thrown))
          .getDetails(1)
          .unpack(RequestInfo.class)
          .getRequestId();
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError("not a RequestInfo", e);
    }
  }

  public static ErrorInfo info(StatusRuntimeException thrown) {
    Status status = StatusProto.fromThrowable(thrown);
    assertThat(status).as("status details of %s", thrown.getStatus()).isNotNull();
    assertThat(status.getDetailsList()).hasSizeBetween(2, 3); // The third is a RetryInfo.
    Any detail = status.getDetails(0);
    try {
      assertThat(status.getDetails(1).unpack(RequestInfo.class).getRequestId()).hasSize(36);
      return detail.unpack(ErrorInfo.class);
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError("not an ErrorInfo: " + detail.getTypeUrl(), e);
    }
  }
}
