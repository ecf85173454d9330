package dev.hmacd.rpc;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.access.Principal;
import dev.hmacd.limit.OwnerQuota;
import dev.hmacd.log.LogRateLimiter;
import dev.hmacd.usecase.Failure;
import io.netty.util.concurrent.FastThreadLocal;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Partially received requests. Each has a deadline, like every other call. Otherwise a client
/// could keep unfinished calls open for the lifetime of its connection, and a stop would wait for
/// them. Their memory has a bound for all callers together, and one for each principal.
@ThreadSafe
final class Arrivals {
  private static final Logger log = LoggerFactory.getLogger(Arrivals.class);

  /// Memory of gRPC and Netty for a call that has sent its headers only.
  private static final int CALL_BYTES = 4096;

  private final int maxRequestBytes;
  private final long maxHeldBytes;
  private final Set<Arrival> incomplete = ConcurrentHashMap.newKeySet();
  private final AtomicLong held = new AtomicLong();
  private final OwnerQuota owners;
  private final LogRateLimiter refusals = new LogRateLimiter();

  /// The call that has just begun on this event loop, until [Inflow] takes it. gRPC does not expose
  /// the stream identifier of a call.
  private final FastThreadLocal<@Nullable Arrival> latest = new FastThreadLocal<>();

  /// @param maxRequestBytes maximum of one message on the wire
  /// @param maxHeldBytes maximum of all partially received requests together
  Arrivals(int maxRequestBytes, long maxHeldBytes) {
    this.maxRequestBytes = maxRequestBytes;
    this.maxHeldBytes = maxHeldBytes;
    // The bound of one owner admits the longest request even in many pieces.
    this.owners = OwnerQuota.halfOf(maxHeldBytes, maxRequestBytes + maxRequestBytes / 8);
  }

  int maxRequestBytes() {
    return maxRequestBytes;
  }

  /// Registers a call. Called on its connection's event loop.
  ///
  /// @param owner the caller
  Arrival begun(Answer<?> call, Principal owner) {
    var arrival = new Arrival(call, owner, this);
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

  /// Counts more held bytes of a call. Refuses the call if its owner, or all owners together,
  /// exceed their bound. A call with at most [#CALL_BYTES] may exceed a bound by an eighth, so that
  /// long requests cannot keep out short ones.
  ///
  /// @param ofCall bytes that this call holds, including `bytes`
  void hold(int bytes, long ofCall, Arrival arrival) {
    long ofAll = held.addAndGet(bytes);
    long ofOwner = owners.hold(arrival.owner(), bytes);
    boolean isShort = ofCall <= CALL_BYTES;
    if (ofOwner > max(owners.max(), isShort)) {
      refuse(arrival, Failure.Bound.OF_CALLER);
    } else if (ofAll > max(maxHeldBytes, isShort)) {
      refuse(arrival, Failure.Bound.OF_ALL);
    }
  }

  private static long max(long bytes, boolean isShort) {
    return isShort ? bytes + bytes / 8 : bytes;
  }

  private void refuse(Arrival arrival, Failure.Bound bound) {
    arrival.answer().fail(new Failure.MemoryBusy(bound));
    long times = refusals.happened();
    if (times > 0) {
      log.atWarn()
          .addKeyValue("times", times)
          .addKeyValue("bound", bound)
          .addKeyValue("principal", arrival.owner())
          .log("Calls were refused: grpc.limits.max_incomplete_bytes is reached");
    }
  }

  void ended(Arrival arrival, long heldBytes) {
    incomplete.remove(arrival);
    if (heldBytes != 0) {
      held.addAndGet(-heldBytes);
      owners.release(arrival.owner(), heldBytes);
    }
  }

  /// Answers calls whose deadline has passed. If one owner or all owners have too many calls,
  /// refuses the oldest of them.
  void expire(long nowNanos) {
    for (Arrival each : incomplete) {
      if (each.answer().call().isExpired(nowNanos)) {
        each.answer().fail(new Failure.DeadlineExceeded());
      }
    }
    open()
        .collect(Collectors.groupingBy(Arrival::owner))
        .values()
        .forEach(own -> refuseOldest(own, owners.max(), Failure.Bound.OF_CALLER, nowNanos));
    refuseOldest(open().toList(), maxHeldBytes, Failure.Bound.OF_ALL, nowNanos);
  }

  private Stream<Arrival> open() {
    return incomplete.stream().filter(each -> !each.answer().isEnded());
  }

  private void refuseOldest(List<Arrival> open, long maxBytes, Failure.Bound bound, long nowNanos) {
    long tooMany = open.size() - maxBytes / CALL_BYTES;
    if (tooMany > 0) {
      open.stream()
          .sorted(Comparator.comparingLong(each -> -each.answer().call().ageNanos(nowNanos)))
          .limit(tooMany)
          .forEach(each -> refuse(each, bound));
    }
  }
}
