package dev.hmacd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

final class CloserTest {
  private static final Duration LONG = Duration.ofMinutes(10);

  private final List<String> closed = new CopyOnWriteArrayList<>();
  private final Closer closer = new Closer();

  private void register(String name) {
    closer.register(name, LONG, () -> closed.add(name));
  }

  @Test
  void partsCloseInReverseOrderOnce() {
    register("first");
    register("second");
    register("third");
    closer.close();
    closer.close();
    assertThat(closed).containsExactly("third", "second", "first");
  }

  @Test
  void firstFailureIsThrownAndSuppressesTheOthers() {
    var first = new IllegalStateException("first failure");
    var second = new StackOverflowError("second failure");
    var third = new IOException("third failure");
    register("last");
    closer.register("c", LONG, () -> fail(third));
    closer.register("b", LONG, () -> fail(second));
    closer.register("a", LONG, () -> fail(first));
    assertThatThrownBy(closer::close).isSameAs(first).hasSuppressedException(second);
    assertThat(first.getSuppressed()).containsExactly(second, third);
    assertThat(closed).containsExactly("last");
  }

  @Test
  void errorIsThrownAsItIs() {
    var failure = new LinkageError("failure");
    closer.register("a", LONG, () -> fail(failure));
    assertThatThrownBy(closer::close).isSameAs(failure);
  }

  @Test
  void checkedExceptionIsTheCauseOfTheThrownException() {
    var failure = new IOException("failure");
    closer.register("a", LONG, () -> fail(failure));
    assertThatThrownBy(closer::close).isInstanceOf(IllegalStateException.class).hasCause(failure);
  }

  @Test
  void hangingPartDoesNotKeepTheOthersOpen() {
    var released = new CountDownLatch(1);
    register("first");
    closer.register("hanging part", Duration.ofMillis(50), released::await);
    register("third");
    assertThatThrownBy(closer::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("hanging part not closed within its time limit of 50 ms");
    assertThat(closed).containsExactly("third", "first");
    released.countDown();
  }

  @Test
  void interruptDoesNotEndTheWaitForAPart() {
    var interrupted = new CountDownLatch(1);
    register("first");
    closer.register(
        "second",
        LONG,
        () -> {
          interrupted.await();
          closed.add("second");
        });
    Thread closing = Thread.currentThread();
    Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              closing.interrupt();
              interrupted.countDown();
            });
    closer.close();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(closed).containsExactly("second", "first");
  }

  private static void fail(Throwable failure) throws Exception {
    if (failure instanceof Error e) {
      throw e;
    }
    throw (Exception) failure;
  }
}
