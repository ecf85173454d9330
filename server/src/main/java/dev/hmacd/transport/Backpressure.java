package dev.hmacd.transport;

import io.netty.channel.Channel;
import java.util.EnumSet;
import java.util.Set;

/// Whether the daemon reads a connection: not while there is a reason to pause. All methods run on
/// the connection's event loop.
public final class Backpressure {
  /// Reasons to pause.
  public enum Reason {
    /// The peer does not read its answers.
    UNWRITABLE,
    /// The connection has as many requests as it may have.
    MAX_IN_FLIGHT,
    /// Input of the connection waits for its turn.
    QUEUED_INPUT
  }

  private final Channel channel;
  private final Set<Reason> reasons = EnumSet.noneOf(Reason.class);

  Backpressure(Channel channel) {
    this.channel = channel;
  }

  /// Begins or ends a pause.
  ///
  /// @param holds whether the reason applies now
  public void pause(Reason reason, boolean holds) {
    if (holds ? reasons.add(reason) : reasons.remove(reason)) {
      channel.config().setAutoRead(reasons.isEmpty());
    }
  }
}
