package dev.hmacd.testing;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.function.Consumer;

/// Looks at errors as a caller should: by status code and reason.
public final class Reasons {
  private Reasons() {}

  /// Asserts the code, and that the error has exactly one `ErrorInfo`, with this reason.
  public static Consumer<Throwable> failsWith(Code code, String reason) {
    return thrown -> {
      assertThat(thrown).isInstanceOf(StatusRuntimeException.class);
      StatusRuntimeException status = (StatusRuntimeException) thrown;
      assertThat(status.getStatus().getCode()).as(status.getMessage()).isEqualTo(code);
      assertThat(info(status).getReason()).isEqualTo(reason);
      assertThat(info(status).getDomain()).isEqualTo("hmacd.dev");
    };
  }

  public static ErrorInfo info(StatusRuntimeException thrown) {
    Status status = StatusProto.fromThrowable(thrown);
    assertThat(status).as("status details of %s", thrown.getStatus()).isNotNull();
    assertThat(status.getDetailsList()).hasSize(1);
    Any detail = status.getDetails(0);
    try {
      return detail.unpack(ErrorInfo.class);
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError("not an ErrorInfo: " + detail.getTypeUrl(), e);
    }
  }
}
