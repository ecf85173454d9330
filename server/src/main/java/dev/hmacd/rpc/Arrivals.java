package dev.hmacd.rpc;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.mac.Failure;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Calls whose request has not come whole. They have a deadline like all others: whoever opens
/// calls and never finishes them would hold them for as long as the connection lasts, and a stop
/// would wait for them.
@ThreadSafe
final class Arrivals {
  private final Set<Answer<?>> incomplete = ConcurrentHashMap.newKeySet();

  void begun(Answer<?> call) {
    incomplete.add(call);
  }

  /// The request is there, or will never be.
  void ended(Answer<?> call) {
    incomplete.remove(call);
  }

  /// Answers those whose deadline has passed.
  void expire(long nowNanos) {
    List<Answer<?>> late = incomplete.stream().filter(call -> call.isExpired(nowNanos)).toList();
    late.forEach(call -> call.fail(new Failure.DeadlineExceeded()));
    late.forEach(incomplete::remove);
  }
}
