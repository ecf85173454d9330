package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Free places go to the first caller. If no place is free, places are shared fairly.
final class FairLimitTest {
  private final List<String> evicted = new ArrayList<>();
  private final FairLimit<String> shares =
      new FairLimit<>(
          4,
          (owner, place) -> {
            assertThat(place).startsWith(owner.toString());
            evicted.add(place);
          });

  private boolean enters(String place) {
    return shares.enter(place.substring(0, 1), place);
  }

  @Test
  void oneOwnerMayTakeEveryFreePlace() {
    assertThat(List.of("a1", "a2", "a3", "a4")).allMatch(this::enters);
    assertThat(enters("a5")).isFalse();
    assertThat(evicted).isEmpty();
    assertThat(shares.taken()).isEqualTo(4);
  }

  @Test
  void oldestOfTheOwnerWithTheMostPlacesIsEvictedUntilSharesAreEqual() {
    assertThat(List.of("a1", "a2", "a3", "a4", "b1", "b2")).allMatch(this::enters);
    assertThat(evicted).containsExactly("a1", "a2");
    assertThat(enters("b3")).isFalse();
    assertThat(enters("a5")).isFalse();
    assertThat(enters("c1")).isTrue();
    assertThat(enters("d1")).isTrue();
    assertThat(evicted).hasSize(4);
    assertThat(enters("e1")).isFalse();
    assertThat(shares.taken()).isEqualTo(4);
  }

  @Test
  void placeIsReleasedOnce() {
    assertThat(enters("a1")).isTrue();
    assertThat(shares.leave("a", "a1")).isTrue();
    assertThat(shares.leave("a", "a1")).isFalse();
    assertThat(shares.leave("b", "a1")).isFalse();
    assertThat(shares.taken()).isZero();
  }

  @Test
  void evictedPlaceIsNotReleasedAgain() {
    assertThat(List.of("a1", "a2", "a3", "a4", "b1")).allMatch(this::enters);
    assertThat(shares.leave("a", "a1")).isFalse();
    assertThat(shares.taken()).isEqualTo(4);
  }
}
