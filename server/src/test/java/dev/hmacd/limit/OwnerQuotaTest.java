package dev.hmacd.limit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/// In-flight quota: each owner has its own count, and holds at most half of the total.
final class OwnerQuotaTest {
  private final OwnerQuota quota = OwnerQuota.halfOf(4);

  @Test
  void ownerHoldsAtMostHalf() {
    assertThat(quota.tryHold("a", 1)).isTrue();
    assertThat(quota.tryHold("a", 1)).isTrue();
    assertThat(quota.tryHold("a", 1)).isFalse();
    assertThat(quota.tryHold("b", 2)).isTrue();
    assertThat(quota.tryHold("b", 1)).isFalse();
    quota.release("a", 1);
    assertThat(quota.tryHold("a", 1)).isTrue();
  }

  @Test
  void holdsAboveTheQuotaCount() {
    assertThat(quota.hold("a", 3)).isEqualTo(3);
    assertThat(quota.tryHold("a", 1)).isFalse();
    quota.release("a", 3);
    assertThat(quota.tryHold("a", 2)).isTrue();
  }

  @Test
  void largestOwnerHoldsMost() {
    assertThat(quota.largest()).isEqualTo(new LargestShare("nobody", 0));
    quota.hold("a", 1);
    quota.hold("b", 3);
    assertThat(quota.largest()).isEqualTo(new LargestShare("b", 3));
    quota.release("b", 3);
    assertThat(quota.largest()).isEqualTo(new LargestShare("a", 1));
  }

  @Test
  void minimumQuotaIsGuaranteed() {
    assertThat(OwnerQuota.halfOf(10, 7).max()).isEqualTo(7);
    assertThat(OwnerQuota.halfOf(10, 3).max()).isEqualTo(5);
    assertThat(OwnerQuota.halfOf(10, 20).max()).isEqualTo(10);
  }

  @Test
  void oneIsAlwaysAllowed() {
    assertThat(OwnerQuota.halfOf(1).tryHold("a", 1)).isTrue();
    assertThat(OwnerQuota.halfOf(1).max()).isEqualTo(1);
  }

  @Test
  void countersOfIdleOwnersAreRemoved() {
    quota.hold("kept", 1);
    for (int owner = 0; owner < 100_000; owner++) {
      quota.hold(owner, 1);
      quota.release(owner, 1);
    }
    assertThat(quota.counters()).isLessThanOrEqualTo(1024);
    assertThat(quota.held("kept")).isEqualTo(1);
  }

  @Test
  void countersOfActiveOwnersStay() {
    for (int owner = 0; owner < 5000; owner++) {
      quota.hold(owner, 1);
    }
    for (int owner = 0; owner < 5000; owner++) {
      assertThat(quota.held(owner)).isEqualTo(1);
    }
  }

  /// Counters of idle owners are removed while other threads use the same owners again.
  @Test
  void countsAreCorrectDuringConcurrentRemovals() throws Exception {
    OwnerQuota shared = OwnerQuota.halfOf(Long.MAX_VALUE);
    try (var threads = Executors.newFixedThreadPool(4)) {
      List<Future<?>> ends = new ArrayList<>();
      for (int thread = 0; thread < 4; thread++) {
        long seed = thread;
        ends.add(
            threads.submit(
                () -> {
                  var random = new Random(seed);
                  for (int i = 0; i < 300_000; i++) {
                    Integer owner = random.nextInt(2000);
                    assertThat(shared.hold(owner, 2)).isGreaterThanOrEqualTo(2);
                    shared.release(owner, 2);
                  }
                  for (int owner = 0; owner < 2000; owner++) {
                    shared.hold(owner, 1);
                  }
                }));
      }
      for (Future<?> end : ends) {
        end.get();
      }
    }
    for (int owner = 0; owner < 2000; owner++) {
      assertThat(shared.held(owner)).isEqualTo(4);
    }
  }
}
