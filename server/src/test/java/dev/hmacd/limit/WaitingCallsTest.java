package dev.hmacd.limit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.limit.WaitingCalls.Admission;
import org.junit.jupiter.api.Test;

/// The bound on waiting calls.
final class WaitingCallsTest {
  private final WaitingCalls waiting =
      new WaitingCalls(10, new RefusalLog("Calls refused by the test", "owner_calls"));

  private static Owner owner(String principal) {
    return new Owner("123456789012", "issuer", principal);
  }

  @Test
  void oneOwnerMayHaveHalf() {
    for (int i = 0; i < 5; i++) {
      assertThat(waiting.enter(owner("greedy"), 1)).isEqualTo(Admission.ADMITTED);
    }
    assertThat(waiting.enter(owner("greedy"), 1)).isEqualTo(Admission.OWNER_FULL);
    assertThat(waiting.enter(owner("modest"), 1)).isEqualTo(Admission.ADMITTED);
  }

  @Test
  void allOwnersTogetherHaveTheMaximum() {
    assertThat(waiting.enter(owner("a"), 5)).isEqualTo(Admission.ADMITTED);
    assertThat(waiting.enter(owner("b"), 5)).isEqualTo(Admission.ADMITTED);
    assertThat(waiting.enter(owner("c"), 1)).isEqualTo(Admission.FULL);
  }

  @Test
  void refusedCallsTakeNoPlaces() {
    assertThat(waiting.enter(owner("a"), 6)).isEqualTo(Admission.OWNER_FULL);
    assertThat(waiting.enter(owner("a"), 11)).isEqualTo(Admission.FULL);
    assertThat(waiting.enter(owner("a"), 5)).isEqualTo(Admission.ADMITTED);
    assertThat(waiting.enter(owner("b"), 5)).isEqualTo(Admission.ADMITTED);
  }

  @Test
  void endedWaitGivesItsPlacesBack() {
    assertThat(waiting.enter(owner("a"), 5)).isEqualTo(Admission.ADMITTED);
    waiting.leave(owner("a"), 5);
    assertThat(waiting.enter(owner("a"), 5)).isEqualTo(Admission.ADMITTED);
  }
}
