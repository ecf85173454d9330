package dev.hmacd.limit;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/// Budgets of events per second.
final class RateBudgetTest {
  private long now = Long.MAX_VALUE - Duration.ofSeconds(2).toNanos();
  private final RateBudget budget = new RateBudget(20, 40, 3, () -> now);

  private void advance(Duration time) {
    now += time.toNanos();
  }

  private void spend(String owner, int events) {
    for (int i = 0; i < events; i++) {
      budget.spend(owner);
    }
  }

  @Test
  void burstIsAllowedAtOnce() {
    spend("a", 39);
    assertThat(budget.isExhausted("a")).isFalse();
    spend("a", 1);
    assertThat(budget.isExhausted("a")).isTrue();
    assertThat(budget.isExhausted("b")).isFalse();
  }

  /// The clock of the test overflows in the meantime, as [System#nanoTime] may.
  @Test
  void budgetFillsAtItsRate() {
    spend("a", 40);
    advance(Duration.ofMillis(49));
    assertThat(budget.isExhausted("a")).isTrue();
    advance(Duration.ofMillis(1));
    assertThat(budget.isExhausted("a")).isFalse();
    spend("a", 1);
    assertThat(budget.isExhausted("a")).isTrue();
    advance(Duration.ofSeconds(10));
    spend("a", 39);
    assertThat(budget.isExhausted("a")).isFalse();
  }

  @Test
  void debtIsPaidBack() {
    spend("a", 60);
    advance(Duration.ofSeconds(1));
    assertThat(budget.isExhausted("a")).isTrue();
    advance(Duration.ofMillis(50));
    assertThat(budget.isExhausted("a")).isFalse();
  }

  @Test
  void ownerWithAFullBudgetHasNoState() {
    spend("a", 1);
    spend("b", 1);
    spend("c", 1);
    assertThat(budget.owners()).isEqualTo(3);
    advance(Duration.ofMillis(50));
    spend("d", 1);
    assertThat(budget.owners()).isEqualTo(1);
  }

  @Test
  void ownersAboveTheMaximumShareABudget() {
    spend("a", 1);
    spend("b", 1);
    spend("c", 1);
    spend("d", 20);
    spend("e", 20);
    assertThat(budget.isExhausted("d")).isTrue();
    assertThat(budget.isExhausted("f")).isTrue();
    assertThat(budget.isExhausted("a")).isFalse();
    assertThat(budget.owners()).isEqualTo(4);
  }
}
