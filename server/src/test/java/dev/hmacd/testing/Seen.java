package dev.hmacd.testing;

import io.grpc.stub.StreamObserver;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// Records the messages and the end of a server stream.
public final class Seen<T> implements StreamObserver<T> {
  private static final long LIMIT_SECONDS = Eventually.LIMIT.toSeconds();

  private final BlockingQueue<T> messages = new LinkedBlockingQueue<>();
  private final CompletableFuture<T> end = new CompletableFuture<>();

  @Override
  public void onNext(T message) {
    messages.add(message);
  }

  @Override
  public void onError(Throwable cause) {
    end.completeExceptionally(cause);
  }

  @Override
  public void onCompleted() {
    end.completeExceptionally(new AssertionError("the stream was completed"));
  }

  /// The next message.
  public T next() throws InterruptedException {
    T message = messages.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
    if (message == null) {
      throw new AssertionError("no message, " + end);
    }
    return message;
  }

  /// Waits for the error at the end of the stream, and throws an exception with this cause.
  public void end() throws ExecutionException, InterruptedException, TimeoutException {
    var _ = end.get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  public boolean isOpen() {
    return !end.isDone();
  }

  /// Whether a message arrives before the end of the stream.
  public boolean isServed() {
    Eventually.holds(
        "the stream has a message or an end", () -> !messages.isEmpty() || end.isDone());
    return !messages.isEmpty();
  }
}
