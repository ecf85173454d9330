package dev.hmacd.usecase;

import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/// A check of the caller's credentials or of its authorization that can be repeated, before work on
/// a token and before the release of an answer. Thread-safe.
public interface Reauthorization {
  /// A check that always succeeds.
  Reauthorization NONE =
      new Reauthorization() {
        @Override
        public boolean isCurrent() {
          return true;
        }

        @Override
        public CompletableFuture<Reauthorization> renew() {
          return CompletableFuture.completedFuture(this);
        }
      };

  /// Whether the result of the check holds now. Reads memory only. Runs in the event-loop task that
  /// hands the answer to the transport.
  boolean isCurrent();

  /// Repeats the check. Does not block.
  ///
  /// @return the repeated check. Complete at once, unless the registry must be read first. Fails
  ///   with a [Refusal], or with the exception of the registry
  CompletableFuture<Reauthorization> renew();

  /// A check that always fails.
  static Reauthorization refused(Failure failure) {
    return new Reauthorization() {
      @Override
      public boolean isCurrent() {
        return false;
      }

      @Override
      public CompletableFuture<Reauthorization> renew() {
        return CompletableFuture.failedFuture(new Refusal(failure));
      }
    };
  }

  /// A check of credentials.
  ///
  /// @param current whether the credentials are known to be valid, from memory alone
  /// @param valid checks the credentials
  static Reauthorization of(BooleanSupplier current, Supplier<CompletableFuture<Boolean>> valid) {
    return new Reauthorization() {
      @Override
      public boolean isCurrent() {
        return current.getAsBoolean();
      }

      @Override
      public CompletableFuture<Reauthorization> renew() {
        return valid
            .get()
            .thenApply(
                isValid -> {
                  if (!isValid) {
                    throw new Refusal(new Failure.Unauthenticated());
                  }
                  return this;
                });
      }
    };
  }
}
