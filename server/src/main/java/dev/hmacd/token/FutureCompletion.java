package dev.hmacd.token;

import dev.hmacd.limit.Owner;
import java.util.concurrent.CompletableFuture;

/// Completion that completes a future with the outcome of a token operation.
record FutureCompletion<T>(CompletableFuture<T> future, Owner owner) implements Completion<T> {
  @Override
  public void done(T value) {
    future.complete(value);
  }

  @Override
  public void failed(TokenException cause) {
    future.completeExceptionally(cause);
  }
}
