package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Eventually;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Order of callbacks that several threads add under a lock and run outside of it.
final class SerialExecutorTest {
  private final SerialExecutor tasks = new SerialExecutor();
  private final List<Integer> order = new CopyOnWriteArrayList<>();

  @Test
  void taskAddedByATaskRunsAfterIt() {
    tasks.add(
        () -> {
          tasks.add(() -> order.add(2));
          tasks.run();
          order.add(1);
        });
    tasks.run();
    assertThat(order).containsExactly(1, 2);
  }

  @Test
  void taskThatThrowsDoesNotStopTheNext() {
    tasks.add(
        () -> {
          throw new IllegalStateException("thrown by the test");
        });
    tasks.add(() -> order.add(1));
    tasks.run();
    assertThat(order).containsExactly(1);
  }

  @Test
  void secondThreadReturnsWhileTheFirstRunsItsTask() throws InterruptedException {
    var entered = new CountDownLatch(1);
    var gate = new CountDownLatch(1);
    tasks.add(
        () -> {
          entered.countDown();
          await(gate);
          order.add(1);
        });
    Thread first = Thread.ofPlatform().start(tasks::run);
    await(entered);
    tasks.add(() -> order.add(2));
    tasks.run();
    assertThat(order).isEmpty();
    gate.countDown();
    assertThat(first.join(Eventually.LIMIT)).isTrue();
    assertThat(order).containsExactly(1, 2);
  }

  @Test
  void lastStateDeliveredIsTheCurrentState() throws InterruptedException {
    int threads = 4;
    int changes = 10_000;
    var lock = new Object();
    int[] state = {0};
    var delivered = new ArrayList<Integer>();
    List<Thread> running = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      running.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int change = 0; change < changes; change++) {
                      synchronized (lock) {
                        state[0]++;
                        int now = state[0];
                        tasks.add(() -> delivered.add(now));
                      }
                      tasks.run();
                    }
                  }));
    }
    for (Thread each : running) {
      assertThat(each.join(Eventually.LIMIT)).isTrue();
    }
    assertThat(delivered).isEqualTo(IntStream.rangeClosed(1, threads * changes).boxed().toList());
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
