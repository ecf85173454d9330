package dev.hmacd.token;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.token.TokenException.Kind;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;

/// One operation that waits for a lane, or runs on one. It is answered once, by whoever comes
/// first: the lane, or the watch that sees its deadline pass.
abstract class Job<T> {
  final long deadlineNanos;
  final long queuedAtNanos = System.nanoTime();
  private final Completion<T> completion;
  private final AtomicBoolean answered = new AtomicBoolean();

  private Job(long deadlineNanos, Completion<T> completion) {
    this.deadlineNanos = deadlineNanos;
    this.completion = completion;
  }

  /// Does the operation with what the lane has.
  abstract T perform(Lane lane) throws TokenException;

  /// Whether doing it twice is the same as doing it once.
  abstract boolean isRepeatable();

  static Job<byte[]> sign(
      KeyObject key,
      MacAlgorithm algorithm,
      byte[] message,
      long deadlineNanos,
      Completion<byte[]> completion) {
    return new Mac(key, algorithm, message, deadlineNanos, completion);
  }

  private static class Mac extends Job<byte[]> {
    private final KeyObject key;
    private final MacAlgorithm algorithm;
    private final byte[] message;

    Mac(
        KeyObject key,
        MacAlgorithm algorithm,
        byte[] message,
        long deadlineNanos,
        Completion<byte[]> completion) {
      super(deadlineNanos, completion);
      this.key = key;
      this.algorithm = algorithm;
      this.message = message;
    }

    @Override
    byte[] perform(Lane lane) throws TokenException {
      return lane.session().sign(lane.handle(key), algorithm, message);
    }

    // A MAC is deterministic.
    @Override
    boolean isRepeatable() {
      return true;
    }
  }

  static <T> Job<T> of(
      TokenWork<T> work, boolean repeatable, long deadlineNanos, Completion<T> completion) {
    return new Job<>(deadlineNanos, completion) {
      @Override
      T perform(Lane lane) throws TokenException {
        return work.on(lane.session());
      }

      @Override
      boolean isRepeatable() {
        return repeatable;
      }
    };
  }

  /// A MAC by which the [Probe] finds out whether a token that is out of service is back.
  static Job<byte[]> question(
      KeyObject key,
      MacAlgorithm algorithm,
      byte[] message,
      long deadlineNanos,
      Completion<byte[]> completion) {
    return new Mac(key, algorithm, message, deadlineNanos, completion) {
      @Override
      boolean isQuestion() {
        return true;
      }
    };
  }

  /// Has a lane that waits look whether there is a question.
  static final Job<Boolean> NUDGE =
      new Word() {
        @Override
        boolean isNudge() {
          return true;
        }
      };

  /// Tells one lane that there is nothing more to do.
  static Job<Boolean> stop() {
    return new Word() {
      @Override
      boolean isStop() {
        return true;
      }
    };
  }

  /// For a lane, and not for the token.
  private static class Word extends Job<Boolean> {
    Word() {
      super(System.nanoTime(), new FutureCompletion<>(new CompletableFuture<>()));
    }

    @Override
    Boolean perform(Lane lane) {
      return true;
    }

    @Override
    boolean isRepeatable() {
      return true;
    }
  }

  boolean isStop() {
    return false;
  }

  boolean isNudge() {
    return false;
  }

  /// Whether it is for a token that is out of service, too.
  boolean isQuestion() {
    return false;
  }

  boolean isAnswered() {
    return answered.get();
  }

  boolean isExpired(long nowNanos) {
    return nowNanos - deadlineNanos >= 0;
  }

  boolean isAbandoned() {
    return completion.isAbandoned();
  }

  void done(T value) {
    if (answered.compareAndSet(false, true)) {
      completion.done(value);
    }
  }

  void failed(TokenException cause) {
    if (answered.compareAndSet(false, true)) {
      completion.failed(cause);
    }
  }

  void late() {
    failed(new TokenException(Kind.LATE, "the deadline passed"));
  }
}
