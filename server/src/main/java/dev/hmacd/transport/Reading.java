package dev.hmacd.transport;

import io.netty.channel.Channel;
import java.util.EnumSet;
import java.util.Set;

/// Whether the daemon reads a connection: not while there is a reason to pause. All methods run on
/// the connection's event loop.
public final class Reading {
  /// Reasons to pause.
  public enum Reason {
    /// The peer does not read its answers.
    UNWRITABLE,
    /// The connection has as many requests as it may have.
    FULL,
    /// Input of the connection waits for its turn.
    TURN
  }

  private final Channel channel;
  private final Set<Reason> reasons = EnumSet.noneOf(Reason.class);

  Reading(Channel channel) {
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
