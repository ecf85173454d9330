package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.token.IdleLanes.Waiter;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// The order and the number of the lanes that wake for jobs.
final class IdleLanesTest {
  private final IdleLanes idle = new IdleLanes();

  /// Adds idle lanes. They are returned in the order of their addition.
  private List<Waiter> add(int count) {
    List<Waiter> waiters = Stream.generate(Waiter::new).limit(count).toList();
    waiters.forEach(idle::add);
    return waiters;
  }

  @Test
  void noLaneWakesIfNoneIsIdle() {
    assertThat(idle.next()).isNull();
    assertThat(idle.poll()).isNull();
  }

  @Test
  void laneThatBecameIdleLastWakesFirst() {
    List<Waiter> waiters = add(2);
    assertThat(idle.next()).isSameAs(waiters.get(1));
    assertThat(idle.next()).isSameAs(waiters.get(0));
    assertThat(idle.next()).isNull();
  }

  @Test
  void nextLaneWakesAfterOneOfTwoWakingLanesHasRun() {
    List<Waiter> waiters = add(4);
    assertThat(idle.next()).isSameAs(waiters.get(3));
    assertThat(idle.next()).isSameAs(waiters.get(2));
    assertThat(idle.next()).as("a third lane, while two wake").isNull();
    idle.remove(waiters.get(3));
    assertThat(idle.next()).isSameAs(waiters.get(1));
    assertThat(idle.next()).as("a third lane, while two wake").isNull();
  }

  @Test
  void pollIgnoresTheBoundAndCountsForIt() {
    List<Waiter> waiters = add(4);
    assertThat(idle.poll()).isSameAs(waiters.get(3));
    assertThat(idle.poll()).isSameAs(waiters.get(2));
    assertThat(idle.poll()).isSameAs(waiters.get(1));
    assertThat(idle.next()).as("a fourth lane, while three wake").isNull();
    idle.remove(waiters.get(1));
    assertThat(idle.next()).as("a third lane, while two wake").isNull();
    idle.remove(waiters.get(2));
    assertThat(idle.next()).isSameAs(waiters.get(0));
  }

  /// The wait of the removed lane has ended without a job.
  @Test
  void removedLaneIsNotChosen() {
    List<Waiter> waiters = add(3);
    idle.remove(waiters.get(2));
    idle.remove(waiters.get(0));
    assertThat(idle.next()).isSameAs(waiters.get(1));
    assertThat(idle.poll()).isNull();
    // The removal of a lane that was not woken permits no further wake-up.
    idle.remove(waiters.get(1));
    add(3);
    assertThat(idle.next()).isNotNull();
    assertThat(idle.next()).isNotNull();
    assertThat(idle.next()).isNull();
  }
}
