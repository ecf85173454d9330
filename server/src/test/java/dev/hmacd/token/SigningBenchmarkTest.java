package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.KeyObject;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.TokenException.Fault;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The benchmark of `hmacd check` on a token that invalidates handles.
final class SigningBenchmarkTest {
  private static final Duration EACH = Duration.ofMillis(1);
  private static final KeyObject KEY =
      new KeyObject(SoftHsm.freshLabel("benchmark"), SoftHsm.freshId());

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());

  @BeforeAll
  static void makeKey() throws TokenException {
    try (TokenSession session = SoftHsm.shared().token().open()) {
      session.generate(KEY, 32);
    }
  }

  @AfterEach
  void allSessionsAreClosed() {
    assertThat(token.sessions()).isZero();
  }

  private SigningBenchmark.Rates run() throws TokenException, InterruptedException {
    return SigningBenchmark.run(token, KEY, 2, EACH);
  }

  @ParameterizedTest
  @EnumSource(names = {"LOAD", "SIGN"})
  void invalidHandleRepeatsTheBenchmark(Call call) throws Exception {
    token.passing(call).failing(call, 1, FaultyToken.CKR_OBJECT_HANDLE_INVALID);
    assertThat(run().measurements())
        .allSatisfy(measured -> assertThat(measured.macsPerSecond()).isPositive())
        .extracting(SigningBenchmark.Measurement::sessions)
        .isEqualTo(List.of(1, 2));
    assertThat(token.count(Call.OPEN)).isGreaterThan(2);
  }

  @Test
  void handlesThatStayInvalidFailTheBenchmark() {
    token.failing(Call.SIGN, 3, FaultyToken.CKR_OBJECT_HANDLE_INVALID);
    assertThatThrownBy(this::run)
        .isInstanceOfSatisfying(
            TokenException.class, e -> assertThat(e.fault()).isEqualTo(Fault.OBJECT));
    assertThat(token.count(Call.OPEN)).isEqualTo(3);
  }

  @Test
  void otherFaultFailsTheBenchmarkAtOnce() {
    token.failing(Call.SIGN, 1, FaultyToken.CKR_DEVICE_ERROR);
    assertThatThrownBy(this::run)
        .isInstanceOfSatisfying(
            TokenException.class, e -> assertThat(e.fault()).isEqualTo(Fault.DEVICE));
    assertThat(token.count(Call.OPEN)).isEqualTo(1);
  }
}
