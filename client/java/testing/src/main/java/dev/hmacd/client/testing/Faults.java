package dev.hmacd.client.testing;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Queue;

/// The faults of the next attempts, in order, and the number of attempts so far.
@ThreadSafe
final class Faults {
  @GuardedBy("this")
  private final Queue<Fault> next = new ArrayDeque<>();

  @GuardedBy("this")
  private int attempts;

  synchronized void add(int attempts, Fault fault) {
    if (attempts < 1) {
      throw new IllegalArgumentException("attempts must be 1 or more: " + attempts);
    }
    next.addAll(Collections.nCopies(attempts, fault));
  }

  /// Counts an attempt, and returns its fault.
  synchronized Fault ofNewAttempt() {
    attempts++;
    Fault fault = next.poll();
    return fault == null ? Fault.NONE : fault;
  }

  synchronized int attempts() {
    return attempts;
  }
}
