package dev.hmacd.token;

import java.util.concurrent.CompletableFuture;

/// Ends a future with the outcome of a token operation.
record FutureCompletion<T>(CompletableFuture<T> future) implements Completion<T> {
  @Override
  public void done(T value) {
    future.complete(value);
  }

  @Override
  public void failed(TokenException cause) {
    future.completeExceptionally(cause);
  }
}
