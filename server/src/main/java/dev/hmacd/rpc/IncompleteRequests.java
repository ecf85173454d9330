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
final class IncompleteRequests {
  private static final Logger log = LoggerFactory.getLogger(IncompleteRequests.class);

  /// Memory of gRPC and Netty for a call that has sent its headers only.
  private static final int CALL_BYTES = 4096;

  private final int maxRequestBytes;
  private final long maxHeldBytes;
  private final Set<IncompleteRequest> incomplete = ConcurrentHashMap.newKeySet();
  private final AtomicLong heldByAll = new AtomicLong();
  private final OwnerQuota ownerQuota;
  private final LogRateLimiter refusalLog = new LogRateLimiter();

  /// The call that has just begun on this event loop, until [InboundFrameFilter] takes it. gRPC
  /// does not expose the stream identifier of a call.
  private final FastThreadLocal<@Nullable IncompleteRequest> latest = new FastThreadLocal<>();

  /// @param maxRequestBytes maximum of one message on the wire
  /// @param maxHeldBytes maximum of all partially received requests together
  IncompleteRequests(int maxRequestBytes, long maxHeldBytes) {
    this.maxRequestBytes = maxRequestBytes;
    this.maxHeldBytes = maxHeldBytes;
    // The bound of one owner admits the longest request even in many pieces.
    this.ownerQuota = OwnerQuota.halfOf(maxHeldBytes, maxRequestBytes + maxRequestBytes / 8);
  }

  int maxRequestBytes() {
    return maxRequestBytes;
  }

  /// Registers a call. Called on its connection's event loop.
  ///
  /// @param owner the caller
  IncompleteRequest register(GrpcReply<?> call, Principal owner) {
    var request = new IncompleteRequest(call, owner, this);
    incomplete.add(request);
    latest.set(request);
    return request;
  }

  @Nullable IncompleteRequest takeLatest() {
    IncompleteRequest request = latest.get();
    if (request != null) {
      latest.set(null);
    }
    return request;
  }

  /// Counts more held bytes of a call. Refuses the call if its owner, or all owners together,
  /// exceed their bound. A call with at most [#CALL_BYTES] may exceed a bound by an eighth, so that
  /// long requests cannot keep out short ones.
  ///
  /// @param callBytes bytes that this call holds, including `bytes`
  void hold(int bytes, long callBytes, IncompleteRequest request) {
    long ofAll = heldByAll.addAndGet(bytes);
    long ofOwner = ownerQuota.hold(request.owner(), bytes);
    boolean isShort = callBytes <= CALL_BYTES;
    if (ofOwner > max(ownerQuota.max(), isShort)) {
      refuse(request, Failure.Bound.OF_CALLER);
    } else if (ofAll > max(maxHeldBytes, isShort)) {
      refuse(request, Failure.Bound.OF_ALL);
    }
  }

  private static long max(long bytes, boolean isShort) {
    return isShort ? bytes + bytes / 8 : bytes;
  }

  private void refuse(IncompleteRequest request, Failure.Bound bound) {
    request.reply().fail(new Failure.MemoryBusy(bound));
    long times = refusalLog.happened();
    if (times > 0) {
      log.atWarn()
          .addKeyValue("times", times)
          .addKeyValue("bound", bound)
          .addKeyValue("principal", request.owner())
          .log("Calls were refused: grpc.limits.max_incomplete_bytes is reached");
    }
  }

  void remove(IncompleteRequest request, long heldBytes) {
    incomplete.remove(request);
    if (heldBytes != 0) {
      heldByAll.addAndGet(-heldBytes);
      ownerQuota.release(request.owner(), heldBytes);
    }
  }

  /// Answers calls whose deadline has passed. If one owner or all owners have too many calls,
  /// refuses the oldest of them.
  void expire(long nowNanos) {
    for (IncompleteRequest each : incomplete) {
      if (each.reply().call().isExpired(nowNanos)) {
        each.reply().fail(new Failure.DeadlineExceeded());
      }
    }
    withoutOutcome()
        .collect(Collectors.groupingBy(IncompleteRequest::owner))
        .values()
        .forEach(own -> refuseOldest(own, ownerQuota.max(), Failure.Bound.OF_CALLER, nowNanos));
    refuseOldest(withoutOutcome().toList(), maxHeldBytes, Failure.Bound.OF_ALL, nowNanos);
  }

  private Stream<IncompleteRequest> withoutOutcome() {
    return incomplete.stream().filter(each -> !each.reply().isEnded());
  }

  private void refuseOldest(
      List<IncompleteRequest> requests, long maxBytes, Failure.Bound bound, long nowNanos) {
    long tooMany = requests.size() - maxBytes / CALL_BYTES;
    if (tooMany > 0) {
      requests.stream()
          .sorted(Comparator.comparingLong(each -> -each.reply().call().ageNanos(nowNanos)))
          .limit(tooMany)
          .forEach(each -> refuse(each, bound));
    }
  }
}
