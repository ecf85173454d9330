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

/// Partially received requests: deadlines and memory bounds (slowloris defence). Without deadlines,
/// a client could keep calls open for the lifetime of its connection, and a stop of the daemon
/// would wait for these calls. There is one memory bound for all principals together, and another
/// for each principal.
@ThreadSafe
final class IncompleteRequests {
  private static final Logger log = LoggerFactory.getLogger(IncompleteRequests.class);

  /// Memory of gRPC and Netty for a call whose request has only headers so far.
  private static final int CALL_BYTES = 4096;

  private final int maxRequestBytes;
  private final long maxHeldBytes;
  private final Set<IncompleteRequest> incomplete = ConcurrentHashMap.newKeySet();
  private final AtomicLong heldByAll = new AtomicLong();
  private final OwnerQuota ownerQuota;
  private final LogRateLimiter refusalLog = new LogRateLimiter();

  /// The last registered request of each event loop, until [InboundFrameFilter] assigns it to a
  /// stream. gRPC does not expose the stream identifier of a call.
  private final FastThreadLocal<@Nullable IncompleteRequest> latest = new FastThreadLocal<>();

  /// @param maxRequestBytes maximum size of one message on the wire
  /// @param maxHeldBytes bound on the memory of all partially received requests together
  IncompleteRequests(int maxRequestBytes, long maxHeldBytes) {
    this.maxRequestBytes = maxRequestBytes;
    this.maxHeldBytes = maxHeldBytes;
    // The bound of one owner admits a request of maximum size, even if it arrives in many DATA
    // frames.
    this.ownerQuota = OwnerQuota.halfOf(maxHeldBytes, maxRequestBytes + maxRequestBytes / 8);
  }

  int maxRequestBytes() {
    return maxRequestBytes;
  }

  /// Registers the request of a new call. Must be called on the event loop of the connection.
  ///
  /// @param owner the caller
  IncompleteRequest register(GrpcReply<?> call, Principal owner) {
    var request = new IncompleteRequest(call, owner, this);
    incomplete.add(request);
    latest.set(request);
    return request;
  }

  /// Returns and forgets the last registered request of this event loop; null if there is none.
  @Nullable IncompleteRequest takeLatest() {
    IncompleteRequest request = latest.get();
    if (request != null) {
      latest.set(null);
    }
    return request;
  }

  /// Adds to the bytes that a call holds. Refuses the call above the bound of its owner or of all
  /// owners together. A call with at most [#CALL_BYTES] may exceed a bound by an eighth, so that
  /// long requests cannot keep out short requests.
  ///
  /// @param bytes number of bytes to add
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
          .log("gRPC calls refused: grpc.limits.max_incomplete_bytes reached");
    }
  }

  void remove(IncompleteRequest request, long heldBytes) {
    incomplete.remove(request);
    if (heldBytes != 0) {
      heldByAll.addAndGet(-heldBytes);
      ownerQuota.release(request.owner(), heldBytes);
    }
  }

  /// Ends incomplete calls whose deadline has passed. If one owner or all owners together have too
  /// many incomplete calls, refuses the oldest of these calls.
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
