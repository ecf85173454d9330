package dev.hmacd.transport;

import io.netty.channel.Channel;
import java.util.EnumSet;
import java.util.Set;

/// Backpressure on one connection: reading is paused while at least one reason applies. All methods
/// run on the connection's event loop.
public final class Backpressure {
  /// Reasons to pause reading.
  public enum Reason {
    /// The peer does not read its answers.
    UNWRITABLE,
    /// The connection has its maximum number of requests in flight.
    MAX_IN_FLIGHT,
    /// Input of the connection waits in the [FairQueue].
    QUEUED_INPUT
  }

  private final Channel channel;
  private final Set<Reason> reasons = EnumSet.noneOf(Reason.class);

  Backpressure(Channel channel) {
    this.channel = channel;
  }

  /// Sets or clears a reason to pause reading.
  ///
  /// @param holds whether the reason applies now
  public void pause(Reason reason, boolean holds) {
    if (holds ? reasons.add(reason) : reasons.remove(reason)) {
      channel.config().setAutoRead(reasons.isEmpty());
    }
  }
}
