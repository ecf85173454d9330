package dev.hmacd.token;

import dev.hmacd.limit.Owner;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Computes one MAC with failover: if a token fails, the next token that holds the key computes the
/// MAC. Used by one thread at a time: the thread that completes an attempt starts the next attempt.
final class Failover implements Completion<byte[]> {
  private final SignRequest request;
  private final Completion<byte[]> completion;
  private final List<TokenRouter.Route> untried = new ArrayList<>();
  private TokenRouter.@Nullable Route current;
  private @Nullable TokenException failure;

  /// @param routes all tokens of the pool
  /// @param holders serial numbers of the tokens that hold the key
  Failover(
      List<TokenRouter.Route> routes,
      List<String> holders,
      SignRequest request,
      Completion<byte[]> completion) {
    this.request = request;
    this.completion = completion;
    for (TokenRouter.Route route : routes) {
      if (holders.contains(route.member().serial())) {
        untried.add(route);
      }
    }
  }

  /// Whether a token that holds the key is still untried.
  boolean hasNext() {
    return !untried.isEmpty();
  }

  /// Starts an attempt on the least loaded of the untried tokens in service.
  void next() {
    TokenRouter.Route best = null;
    for (TokenRouter.Route route : untried) {
      if (route.member().isInService()
          && (best == null || route.load().isLessThan(best.load(), request.key()))) {
        best = route;
      }
    }
    if (best == null) {
      completion.failed(outcome());
      return;
    }
    untried.remove(best);
    current = best;
    best.load().begin();
    best.member().lanes().sign(request, this);
  }

  private TokenException outcome() {
    TokenException worst = failure;
    // The untried tokens are out of service: UNAVAILABLE has priority over a failure of lower rank.
    return worst == null || (!untried.isEmpty() && rank(worst) < rank(WorkQueue.outOfService()))
        ? WorkQueue.outOfService()
        : worst;
  }

  /// Priority of a failure in the outcome of the MAC: temporary failures rank above faults of the
  /// key.
  private static int rank(TokenException e) {
    return switch (e.kind()) {
      case UNAVAILABLE -> 2;
      case BUSY, OWNER_BUSY -> 1;
      case LATE,
          STOPPED,
          WITHDRAWN,
          KEY_MISSING,
          KEY_AMBIGUOUS,
          KEY_UNFIT,
          UNSUPPORTED,
          MESSAGE_TOO_LONG ->
          0;
    };
  }

  private TokenLoad currentLoad() {
    return Objects.requireNonNull(current).load();
  }

  @Override
  public void done(byte[] mac) {
    currentLoad().end();
    currentLoad().found(request.key());
    completion.done(mac);
  }

  @Override
  public void failed(TokenException cause) {
    currentLoad().end();
    switch (cause.kind()) {
      case LATE, STOPPED, WITHDRAWN -> {
        completion.failed(cause);
        return;
      }
      case KEY_MISSING, KEY_AMBIGUOUS, KEY_UNFIT -> currentLoad().missing(request.key());
      case BUSY, OWNER_BUSY, UNAVAILABLE, UNSUPPORTED, MESSAGE_TOO_LONG -> {}
    }
    if (failure == null || rank(cause) >= rank(failure)) {
      failure = cause;
    }
    next();
  }

  @Override
  public boolean isAbandoned() {
    return completion.isAbandoned();
  }

  @Override
  public boolean isWithdrawn() {
    return completion.isWithdrawn();
  }

  @Override
  public Owner owner() {
    return completion.owner();
  }
}
