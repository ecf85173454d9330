package dev.hmacd.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Eventually;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.concurrent.DefaultEventExecutor;
import io.netty.util.internal.OutOfDirectMemoryError;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ResponseEncodeQueueTest {
  private static final int ANSWER_BYTES = 100_000;
  private static final int BUFFER_BYTES = ResponseEncodeQueue.bufferBytes(ANSWER_BYTES);

  private final DefaultEventExecutor loop = new DefaultEventExecutor();
  private final ResponseEncodeQueue queue = new ResponseEncodeQueue(loop, 2 * BUFFER_BYTES + 1);

  /// Events in order; only the event loop adds events.
  private final List<String> events = new ArrayList<>();

  private int unwritten;
  private int mostUnwritten;

  @AfterEach
  void stop() {
    var _ = loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  /// A call that encodes at once, and writes in a later task, as gRPC does.
  private final class Call implements ResponseEncodeQueue.Response {
    private final String name;
    private final Runnable measurement;

    Call(String name) {
      this.name = name;
      this.measurement = () -> events.add("measured " + name);
    }

    @Override
    public int encode() {
      events.add("encoded " + name);
      unwritten++;
      mostUnwritten = Math.max(mostUnwritten, unwritten);
      loop.execute(
          () -> {
            unwritten--;
            events.add("written " + name);
          });
      return ANSWER_BYTES;
    }

    @Override
    public void exhausted() {
      throw new AssertionError("memory is available");
    }

    @Override
    public Runnable measurement() {
      return measurement;
    }
  }

  /// Runs a task on the event loop, and waits for the event `last`.
  private void run(Runnable task, String last) {
    loop.submit(task).syncUninterruptibly();
    Eventually.holds(
        last, () -> CompletableFuture.supplyAsync(() -> events.contains(last), loop).join());
  }

  @Test
  void answersAboveTheBoundWaitForWrites() {
    List<String> names = IntStream.range(0, 10).mapToObj(Integer::toString).toList();
    run(
        () -> {
          names.forEach(name -> queue.submit(new Call(name)));
          assertThat(events).containsExactly("encoded 0", "encoded 1", "encoded 2");
        },
        "written 9");
    assertThat(mostUnwritten).isEqualTo(3);
    assertThat(events).containsSubsequence(names.stream().map(name -> "encoded " + name).toList());
  }

  @Test
  void connectionIsMeasuredAfterItsWrite() {
    run(
        () -> {
          queue.submit(new Call("a"));
          loop.execute(() -> queue.submit(new Call("b")));
        },
        "measured b");
    assertThat(events.indexOf("measured a")).isGreaterThan(events.indexOf("written a"));
    assertThat(events.indexOf("measured b")).isGreaterThan(events.indexOf("written b"));
  }

  @Test
  void onlyTheAnswerWithoutMemoryFails() {
    OutOfDirectMemoryError full = outOfMemory();
    run(
        () -> {
          queue.submit(
              new ResponseEncodeQueue.Response() {
                @Override
                public int encode() {
                  throw full;
                }

                @Override
                public void exhausted() {
                  events.add("exhausted");
                }

                @Override
                public Runnable measurement() {
                  throw new AssertionError("nothing was encoded");
                }
              });
          queue.submit(new Call("next"));
        },
        "written next");
    assertThat(events).startsWith("exhausted", "encoded next", "written next");
  }

  @Test
  void errorOfAWaitingAnswerDoesNotStopTheNext() {
    run(
        () -> {
          for (int i = 0; i < 3; i++) {
            queue.submit(new Call("first " + i));
          }
          queue.submit(
              new ResponseEncodeQueue.Response() {
                @Override
                public int encode() {
                  throw new NoClassDefFoundError("thrown by the test");
                }

                @Override
                public void exhausted() {
                  throw new AssertionError("memory is available");
                }

                @Override
                public Runnable measurement() {
                  throw new AssertionError("nothing was encoded");
                }
              });
          queue.submit(new Call("next"));
          assertThat(events).doesNotContain("encoded next");
        },
        "written next");
  }

  /// Only Netty can construct this error.
  static OutOfDirectMemoryError outOfMemory() {
    try {
      var constructor = OutOfDirectMemoryError.class.getDeclaredConstructor(String.class);
      constructor.setAccessible(true);
      return constructor.newInstance("full");
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("OutOfDirectMemoryError", e);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 100, 4091, 4092, 5000, 8187, 16_000, 16_380, 100_000, 1_000_000})
  void bufferSizeIsThatOfNetty(int message) {
    int bytes = Math.max(4096, message + 5);
    var buffer = PooledByteBufAllocator.DEFAULT.directBuffer(bytes);
    try {
      assertThat(ResponseEncodeQueue.bufferBytes(message)).isEqualTo(buffer.maxFastWritableBytes());
    } finally {
      buffer.release();
    }
  }
}
