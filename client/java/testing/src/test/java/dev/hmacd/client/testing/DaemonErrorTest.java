package dev.hmacd.client.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.client.ErrorReason;
import io.grpc.Status.Code;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The errors of the fake are those of the contract.
class DaemonErrorTest {
  /// From the comment at the start of `error_reason.proto`.
  private static final Set<Code> FORBIDDING =
      EnumSet.of(Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED, Code.INTERNAL);

  static Stream<ErrorReason> reasons() {
    return Stream.of(ErrorReason.values()).filter(Contract::hasReason);
  }

  @ParameterizedTest
  @MethodSource("reasons")
  void errorIsThatOfTheContract(ErrorReason reason) {
    DaemonError error = DaemonError.of(reason);
    boolean retry = Contract.permitsRetry(reason);
    assertThat(error.code()).isEqualTo(Contract.code(reason));
    assertThat(error.retryDelay().isPresent()).isEqualTo(retry);
    assertThat(error.forbidsRetry()).isEqualTo(!retry && FORBIDDING.contains(error.code()));
  }

  @Test
  void eachReasonOfTheContractIsKnown() {
    // Without UNSPECIFIED and UNRECOGNIZED.
    assertThat(reasons()).hasSize(dev.hmacd.v1.ErrorReason.values().length - 2);
  }
}
