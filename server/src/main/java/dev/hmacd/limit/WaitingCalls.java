package dev.hmacd.limit;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.concurrent.atomic.AtomicInteger;

/// A bound on the calls that wait for one kind of event, for all owners together. One owner may
/// have half of it.
///
/// A waiting call uses memory until the event, even after its caller has disconnected. So a call
/// with a long message counts for several calls.
@ThreadSafe
public final class WaitingCalls {
  private final int max;
  private final OwnerQuota owners;
  private final RefusalLog refusals;
  private final AtomicInteger waiting = new AtomicInteger();

  /// The result of [#enter].
  public enum Admission {
    ADMITTED,
    /// The owner has half of all places.
    OWNER_FULL,
    /// All places are taken.
    FULL
  }

  /// @param max maximum for all owners together
  /// @param refusals logs refused calls
  public WaitingCalls(int max, RefusalLog refusals) {
    this.max = max;
    this.owners = OwnerQuota.halfOf(max);
    this.refusals = refusals;
  }

  /// Maximum for all owners together.
  public int max() {
    return max;
  }

  /// Maximum for one owner.
  public long maxOfOwner() {
    return owners.max();
  }

  /// Counts a call. [#leave] must follow if the call is admitted.
  ///
  /// @param calls the number of calls for which this call counts
  public Admission enter(Owner owner, int calls) {
    if (waiting.addAndGet(calls) > max) {
      waiting.addAndGet(-calls);
      refusals.refused(owners);
      return Admission.FULL;
    }
    if (!owners.tryHold(owner.principal(), calls)) {
      waiting.addAndGet(-calls);
      refusals.refused(owners);
      return Admission.OWNER_FULL;
    }
    return Admission.ADMITTED;
  }

  /// Subtracts a call that [#enter] has admitted.
  public void leave(Owner owner, int calls) {
    owners.release(owner.principal(), calls);
    waiting.addAndGet(-calls);
  }
}
