package dev.hmacd.client;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;

/// Bounds the retries of a client, so that they do not overload daemons that recover: a bucket of
/// 100 tokens. A retry takes one token. Ten calls that succeed at their first attempt give one.
@ThreadSafe
final class RetryBudget {
  private static final int TENTHS_OF_A_TOKEN = 10;
  private static final int MAX_TENTHS = 100 * TENTHS_OF_A_TOKEN;

  @GuardedBy("this")
  private int tenths = MAX_TENTHS;

  /// Takes a token for a retry.
  ///
  /// @return false if no token is left
  synchronized boolean take() {
    if (tenths < TENTHS_OF_A_TOKEN) {
      return false;
    }
    tenths -= TENTHS_OF_A_TOKEN;
    return true;
  }

  /// Adds a tenth of a token for a call that succeeded at its first attempt.
  synchronized void succeededAtFirstAttempt() {
    tenths = Math.min(tenths + 1, MAX_TENTHS);
  }
}
