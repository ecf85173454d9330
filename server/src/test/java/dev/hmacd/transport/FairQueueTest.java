package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Eventually;
import io.netty.channel.DefaultEventLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FairQueueTest {
  private static final int QUANTUM = FairQueue.QUANTUM_BYTES;
  private static final int SLICE = FairQueue.SLICE_BYTES;

  private final DefaultEventLoop loop = new DefaultEventLoop();
  private final FairQueue queue = new FairQueue(loop);

  /// The names of the connections that decoded a slice, in order.
  private final List<String> slices = new ArrayList<>();

  private final CountDownLatch allDecoded = new CountDownLatch(1);
  private int undecoded;

  @AfterEach
  void stop() {
    var _ = loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  /// A connection with waiting input.
  private final class Connection implements FairQueue.Waiting {
    private final String name;
    private int bytes;

    Connection(String name, int bytes) {
      this.name = name;
      this.bytes = bytes;
      undecoded += bytes;
    }

    @Override
    public int decode(int maxBytes) {
      int now = Math.min(bytes, maxBytes);
      bytes -= now;
      undecoded -= now;
      slices.add(name);
      if (undecoded == 0) {
        allDecoded.countDown();
      }
      return now;
    }

    @Override
    public boolean hasInput() {
      return bytes > 0;
    }
  }

  /// A connection whose input is lost at the failure of its decoding.
  private abstract static class Failing implements FairQueue.Waiting {
    @Override
    public final boolean hasInput() {
      return false;
    }
  }

  private void onLoop(Runnable task) {
    loop.submit(task).syncUninterruptibly();
  }

  private void awaitDecoded() throws InterruptedException {
    assertThat(allDecoded.await(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void ownerHasAQuantumInEachPass() {
    onLoop(
        () -> {
          FairQueue.InputOwner owner = queue.join("a");
          assertThat(owner.take(QUANTUM - 100)).isEqualTo(QUANTUM - 100);
          assertThat(owner.take(100)).isEqualTo(100);
          assertThat(owner.take(1)).isZero();
          assertThat(queue.join("b").take(10)).isEqualTo(10);
        });
    onLoop(() -> assertThat(queue.join("a").take(2 * QUANTUM)).isEqualTo(QUANTUM));
  }

  @Test
  void bytesAreNotTakenBeforeTheOwnersWaitingInput() {
    onLoop(
        () -> {
          FairQueue.InputOwner owner = queue.join("a");
          owner.await(new Connection("a1", 1));
          assertThat(owner.take(1)).isZero();
        });
  }

  @Test
  void ownersWithWaitingInputTakeTurns() throws InterruptedException {
    onLoop(
        () -> {
          FairQueue.InputOwner greedy = queue.join("a");
          greedy.await(new Connection("a1", 2 * QUANTUM));
          greedy.await(new Connection("a2", 2 * QUANTUM));
          queue.join("b").await(new Connection("b1", SLICE));
          assertThat(greedy.take(QUANTUM)).isZero();
        });
    awaitDecoded();
    assertThat(slices).startsWith("a1", "a2", "b1", "a1", "a2");
    assertThat(slices).hasSize(4 * QUANTUM / SLICE + 1);
  }

  /// Sixteen owners fill several rounds. Each owner is served once before any is served twice.
  @Test
  void manyOwnersAreServedInTurn() throws InterruptedException {
    onLoop(
        () -> {
          for (int i = 0; i < 16; i++) {
            queue.join(i).await(new Connection(Integer.toString(i), 2 * QUANTUM));
          }
          queue.join(0).take(1); // Starts the pass.
        });
    awaitDecoded();
    int perOwner = QUANTUM / SLICE;
    assertThat(slices.subList(0, 16 * perOwner).stream().distinct()).hasSize(16);
    assertThat(slices).hasSize(2 * 16 * perOwner);
  }

  @Test
  void newInputOfAnotherOwnerIsTakenBetweenRounds() throws InterruptedException {
    List<Integer> atTake = new ArrayList<>();
    onLoop(
        () -> {
          FairQueue.InputOwner greedy = queue.join("a");
          greedy.await(new Connection("a1", 100 * QUANTUM));
          greedy.take(1);
          FairQueue.InputOwner modest = queue.join("b");
          loop.execute(
              () -> {
                atTake.add(slices.size());
                assertThat(modest.take(100)).isEqualTo(100);
              });
        });
    awaitDecoded();
    assertThat(atTake.getFirst()).isLessThanOrEqualTo(QUANTUM / SLICE);
  }

  @Test
  void failureOfAConnectionDoesNotAffectOthers() throws InterruptedException {
    onLoop(
        () -> {
          FairQueue.InputOwner owner = queue.join("a");
          owner.await(
              new Failing() {
                @Override
                public int decode(int maxBytes) {
                  throw new IllegalStateException("unforeseen");
                }
              });
          owner.await(
              new Failing() {
                @Override
                public int decode(int maxBytes) {
                  throw new NoClassDefFoundError("unforeseen");
                }
              });
          owner.await(new Connection("a1", 2 * QUANTUM));
          queue.join("b").await(new Connection("b1", 1));
        });
    awaitDecoded();
    assertThat(slices).contains("a1", "b1");
  }

  @Test
  void ownerIsRemovedWithItsLastConnection() {
    onLoop(
        () -> {
          FairQueue.InputOwner owner = queue.join("a");
          assertThat(queue.join("a")).isSameAs(owner);
          queue.leave(owner);
          assertThat(queue.join("a")).isSameAs(owner);
          queue.leave(owner);
          queue.leave(owner);
          assertThat(queue.join("a")).isNotSameAs(owner);
        });
  }
}
