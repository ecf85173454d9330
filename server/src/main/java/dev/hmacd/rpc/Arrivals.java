package dev.hmacd.rpc;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.log.Seldom;
import dev.hmacd.mac.Failure;
import io.netty.util.concurrent.FastThreadLocal;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Calls whose request has not come whole. They have a deadline like all others: whoever opens
/// calls and never finishes them would hold them for as long as the connection lasts, and a stop
/// would wait for them. And what has come of them has a bound, all callers together.
@ThreadSafe
final class Arrivals {
  private static final Logger log = LoggerFactory.getLogger(Arrivals.class);

  /// What gRPC and Netty keep of a call of which nothing but headers has come.
  private static final int CALL_BYTES = 4096;

  private final int maxRequestBytes;
  private final long maxHeldBytes;
  private final Set<Arrival> incomplete = ConcurrentHashMap.newKeySet();
  private final AtomicLong held = new AtomicLong();
  private final Seldom refusals = new Seldom();

  /// The call that this event loop has just begun, until [Inflow] takes it: gRPC shows no call its
  /// stream's number.
  private final FastThreadLocal<@Nullable Arrival> latest = new FastThreadLocal<>();

  /// @param maxRequestBytes of one message on the wire
  /// @param maxHeldBytes of all requests that have not come whole
  Arrivals(int maxRequestBytes, long maxHeldBytes) {
    this.maxRequestBytes = maxRequestBytes;
    this.maxHeldBytes = maxHeldBytes;
  }

  int maxRequestBytes() {
    return maxRequestBytes;
  }

  /// A call begins, on its connection's event loop.
  Arrival begun(Answer<?> call) {
    var arrival = new Arrival(call, this);
    incomplete.add(arrival);
    latest.set(arrival);
    return arrival;
  }

  @Nullable Arrival takeLatest() {
    Arrival arrival = latest.get();
    if (arrival != null) {
      latest.set(null);
    }
    return arrival;
  }

  /// More is kept of a call; it is refused if that is more than there may be. An eighth beyond the
  /// bound is for calls of which little is kept: those who fill it with long ones keep nobody out.
  ///
  /// @param ofCall what is kept of this call, with these bytes
  void hold(int bytes, long ofCall, Answer<?> call) {
    long max = ofCall <= CALL_BYTES ? maxHeldBytes + maxHeldBytes / 8 : maxHeldBytes;
    if (held.addAndGet(bytes) > max) {
      refuse(call);
    }
  }

  private void refuse(Answer<?> call) {
    call.fail(new Failure.MemoryBusy());
    long times = refusals.happened();
    if (times > 0) {
      log.atWarn()
          .addKeyValue("times", times)
          .log("Calls were refused: grpc.limits.max_incomplete_bytes is reached");
    }
  }

  void ended(Arrival arrival, long heldBytes) {
    incomplete.remove(arrival);
    if (heldBytes != 0) {
      held.addAndGet(-heldBytes);
    }
  }

  /// Answers those whose deadline has passed, and the oldest of those that are too many.
  void expire(long nowNanos) {
    for (Arrival each : incomplete) {
      if (each.answer().isExpired(nowNanos)) {
        each.answer().fail(new Failure.DeadlineExceeded());
      }
    }
    List<? extends Answer<?>> open =
        incomplete.stream().map(Arrival::answer).filter(call -> !call.isEnded()).toList();
    long tooMany = open.size() - maxHeldBytes / CALL_BYTES;
    if (tooMany > 0) {
      open.stream()
          .sorted(Comparator.comparingLong(call -> -call.ageNanos(nowNanos)))
          .limit(tooMany)
          .forEach(this::refuse);
    }
  }
}
