package dev.hmacd.registry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.limit.Owner;
import dev.hmacd.registry.RegistryQueue.Urgency;
import dev.hmacd.testing.Eventually;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Order, bounds and stop of the registry's queue.
final class RegistryQueueTest {
  private final RegistryQueue queue = new RegistryQueue("registry-queue-test");
  private final CountDownLatch gate = new CountDownLatch(1);
  private final List<String> order = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() throws InterruptedException {
    gate.countDown();
    assertThat(queue.close(Eventually.LIMIT)).isTrue();
  }

  /// Starts the queue, and blocks its thread with a task until the gate opens.
  private void startBlocked() {
    queue.start();
    var entered = new CountDownLatch(1);
    assertThat(
            queue.offer(
                Urgency.ORDINARY,
                () -> {
                  entered.countDown();
                  await(gate);
                }))
        .isTrue();
    await(entered);
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  /// Offers a task that adds its name to the order.
  private boolean offer(Urgency urgency, String name) {
    return queue.offer(urgency, () -> order.add(name));
  }

  /// Offers an urgent task of an owner that adds its name to the order.
  private boolean offerUrgent(String owner, String name) {
    return queue.offer(Urgency.URGENT, Owner.of("issuer", owner), () -> order.add(name));
  }

  /// Opens the gate, and waits until all accepted tasks were executed.
  private void runAll() throws InterruptedException {
    gate.countDown();
    assertThat(queue.close(Eventually.LIMIT)).isTrue();
  }

  @ParameterizedTest
  @EnumSource
  void tasksOfOneUrgencyAreExecutedInTheirOrder(Urgency urgency) throws InterruptedException {
    startBlocked();
    List<String> names = IntStream.range(0, urgency.places()).mapToObj(Integer::toString).toList();
    names.forEach(name -> assertThat(offer(urgency, name)).isTrue());
    runAll();
    assertThat(order).isEqualTo(names);
  }

  @Test
  void urgentTaskOvertakesWaitingOrdinaryTasks() throws InterruptedException {
    startBlocked();
    assertThat(offer(Urgency.ORDINARY, "first")).isTrue();
    assertThat(offer(Urgency.ORDINARY, "second")).isTrue();
    assertThat(offer(Urgency.URGENT, "urgent")).isTrue();
    assertThat(offer(Urgency.ORDINARY, "third")).isTrue();
    runAll();
    assertThat(order).containsExactly("urgent", "first", "second", "third");
  }

  /// Otherwise, the check for due deletions could overtake a waiting CancelKeyDeletion.
  @Test
  void tasksOfTheDaemonWaitInTheOrderOfTheOrdinaryTasks() throws InterruptedException {
    startBlocked();
    assertThat(offer(Urgency.ORDINARY, "first")).isTrue();
    assertThat(offer(Urgency.DAEMON, "daemon")).isTrue();
    assertThat(offer(Urgency.ORDINARY, "second")).isTrue();
    assertThat(offer(Urgency.URGENT, "urgent")).isTrue();
    runAll();
    assertThat(order).containsExactly("urgent", "first", "daemon", "second");
  }

  @Test
  void loadsAndOtherTasksTakeTurns() throws InterruptedException {
    startBlocked();
    assertThat(offer(Urgency.ORDINARY, "first")).isTrue();
    assertThat(offer(Urgency.DAEMON, "second")).isTrue();
    assertThat(
            queue.offer(
                Urgency.LOAD,
                () -> {
                  order.add("load");
                  assertThat(offer(Urgency.LOAD, "next load")).isTrue();
                }))
        .isTrue();
    assertThat(offer(Urgency.URGENT, "urgent")).isTrue();
    var ended = new CountDownLatch(1);
    assertThat(queue.offer(Urgency.ORDINARY, ended::countDown)).isTrue();
    gate.countDown();
    ended.await(); // Before the queue is closed: the load offers another one.
    runAll();
    assertThat(order).containsExactly("urgent", "load", "first", "next load", "second");
  }

  @Test
  void floodOfUrgentTasksDoesNotStopOrdinaryTasks() throws InterruptedException {
    startBlocked();
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      assertThat(offer(Urgency.ORDINARY, "ordinary " + i)).isTrue();
    }
    for (int i = 0; i < 3 * RegistryQueue.MAX_URGENT_IN_SUCCESSION; i++) {
      assertThat(offer(Urgency.URGENT, "urgent " + i)).isTrue();
      expected.add("urgent " + i);
    }
    expected.add(RegistryQueue.MAX_URGENT_IN_SUCCESSION, "ordinary 0");
    expected.add(2 * RegistryQueue.MAX_URGENT_IN_SUCCESSION + 1, "ordinary 1");
    runAll();
    assertThat(order).isEqualTo(expected);
  }

  @ParameterizedTest
  @EnumSource
  void fullUrgencyRefusesTasksAndLeavesThePlacesOfTheOthers(Urgency full)
      throws InterruptedException {
    startBlocked();
    for (int i = 0; i < full.places(); i++) {
      assertThat(offer(full, "accepted")).isTrue();
    }
    for (Urgency each : Urgency.values()) {
      assertThat(offer(each, "next of " + each)).isEqualTo(each != full);
    }
    assertThat(queue.isAccepting()).isTrue();
    runAll();
    assertThat(order)
        .hasSize(full.places() + Urgency.values().length - 1)
        .doesNotContain("next of " + full);
  }

  @Test
  void newestTasksOfLargeOwnersAreDemotedForAnOwnerWithFewer() throws InterruptedException {
    startBlocked();
    for (int i = 0; i < Urgency.URGENT.places() / 2; i++) {
      assertThat(offerUrgent("greedy", "greedy " + i)).isTrue();
      assertThat(offerUrgent("eager", "eager " + i)).isTrue();
    }
    for (int i = 0; i < Urgency.ORDINARY.places(); i++) {
      assertThat(offer(Urgency.ORDINARY, "ordinary " + i)).isTrue();
    }
    assertThat(offerUrgent("greedy", "refused")).isFalse();
    int modest = 0;
    while (offerUrgent("modest", "modest " + modest)) {
      modest++;
    }
    // Each of the three owners has a third of the urgent places.
    assertThat(modest).isEqualTo(Urgency.URGENT.places() / 3);
    assertThat(offerUrgent("greedy", "refused")).isFalse();
    assertThat(offerUrgent("eager", "refused")).isFalse();
    runAll();
    // The demoted tasks are executed, too, as ordinary tasks.
    assertThat(order)
        .hasSize(Urgency.URGENT.places() + Urgency.ORDINARY.places() + modest)
        .doesNotHaveDuplicates()
        .doesNotContain("refused");
    assertThat(order.indexOf("modest " + (modest - 1)))
        .isLessThan(order.indexOf("ordinary " + Urgency.URGENT.places()));
    assertThat(order.getLast()).startsWith("greedy");
  }

  @Test
  void tasksOfAPrincipalWithTwoAuthoritiesCountTogether() throws InterruptedException {
    startBlocked();
    for (int i = 0; i < Urgency.URGENT.places(); i++) {
      Owner greedy = Owner.of("authority " + i % 2, "greedy");
      assertThat(queue.offer(Urgency.URGENT, greedy, () -> order.add("greedy"))).isTrue();
    }
    int modest = 0;
    while (offerUrgent("modest", "modest " + modest)) {
      modest++;
    }
    assertThat(modest).isEqualTo(Urgency.URGENT.places() / 2);
    runAll();
    assertThat(order).hasSize(Urgency.URGENT.places() + modest);
  }

  @Test
  void ownersWithOneUrgentTaskEachKeepTheirPlaces() throws InterruptedException {
    startBlocked();
    for (int i = 0; i < Urgency.URGENT.places(); i++) {
      assertThat(offerUrgent("owner " + i, "task " + i)).isTrue();
    }
    assertThat(offerUrgent("late", "refused")).isFalse();
    runAll();
    assertThat(order).hasSize(Urgency.URGENT.places()).doesNotContain("refused");
  }

  @Test
  void executedTaskFreesItsPlace() {
    startBlocked();
    for (int i = 0; i < Urgency.URGENT.places(); i++) {
      assertThat(offer(Urgency.URGENT, "accepted")).isTrue();
    }
    assertThat(offer(Urgency.URGENT, "refused")).isFalse();
    gate.countDown();
    Eventually.holds("a place is free", () -> offer(Urgency.URGENT, "late"));
  }

  @Test
  void taskThatThrowsDoesNotEndTheThread() throws InterruptedException {
    startBlocked();
    assertThat(
            queue.offer(
                Urgency.ORDINARY,
                () -> {
                  throw new IllegalStateException("thrown by the test");
                }))
        .isTrue();
    assertThat(
            queue.offer(
                Urgency.ORDINARY,
                () -> {
                  throw new AssertionError("thrown by the test");
                }))
        .isTrue();
    assertThat(offer(Urgency.ORDINARY, "next")).isTrue();
    runAll();
    assertThat(order).containsExactly("next");
  }

  @Test
  void closedQueueExecutesAcceptedTasksAndRefusesOthers() throws InterruptedException {
    startBlocked();
    assertThat(offer(Urgency.ORDINARY, "ordinary")).isTrue();
    assertThat(offer(Urgency.URGENT, "urgent")).isTrue();
    assertThat(queue.close(Duration.ofMillis(1))).as("a task is blocked").isFalse();
    assertThat(queue.isAccepting()).isFalse();
    for (Urgency each : Urgency.values()) {
      assertThat(offer(each, "late")).isFalse();
    }
    runAll();
    assertThat(order).containsExactly("urgent", "ordinary");
  }

  @Test
  void queueThatWasNotStartedRefusesTasksAndCloses() throws InterruptedException {
    for (Urgency each : Urgency.values()) {
      assertThat(offer(each, "early")).isFalse();
    }
    assertThat(queue.close(Duration.ofMillis(1))).isTrue();
    assertThat(order).isEmpty();
  }
}
