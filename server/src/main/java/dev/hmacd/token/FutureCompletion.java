package dev.hmacd.token;

import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Completion that completes a future with the outcome of a token operation.
record FutureCompletion<T>(CompletableFuture<T> future, @Nullable Object owner)
    implements Completion<T> {
  @Override
  public void done(T value) {
    future.complete(value);
  }

  @Override
  public void failed(TokenException cause) {
    future.completeExceptionally(cause);
  }
}
