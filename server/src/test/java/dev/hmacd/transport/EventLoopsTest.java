package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Eventually;
import io.netty.util.concurrent.EventExecutor;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// The event loops, and the barrier of their tasks.
final class EventLoopsTest {
  private final EventLoops loops = new EventLoops();

  @AfterEach
  void close() {
    loops.close();
  }

  @Test
  void tasksThatRunEndBeforeTheBarrier() throws InterruptedException {
    loops.start();
    for (EventExecutor loop : loops.group()) {
      var entered = new CountDownLatch(1);
      var released = new CountDownLatch(1);
      var ended = new CompletableFuture<Void>();
      loop.execute(
          () -> {
            entered.countDown();
            try {
              released.await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
            ended.complete(null);
          });
      entered.await();
      CompletableFuture<?> barrier = loops.tasksBegun();
      assertThat(barrier).isNotDone();
      released.countDown();
      assertThat(barrier).succeedsWithin(Eventually.LIMIT);
      assertThat(ended).isCompleted();
    }
  }

  @Test
  void loopsThatDoNotRunHaveNoTasks() {
    assertThat(loops.tasksBegun()).isCompleted();
    loops.start();
    loops.close();
    assertThat(loops.tasksBegun()).succeedsWithin(Eventually.LIMIT);
  }
}
