package dev.hmacd.transport;

import io.netty.channel.Channel;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Transfer timeout of one connection, a defence against slow clients (slowloris). All methods run
/// on the connection's event loop.
///
/// The timeout applies to an unfinished TLS record or frame (from its first byte), to outbound
/// bytes without progress, and to a connection that is not writable.
final class TransferTimeout {
  private final Channel channel;
  private final long timeoutNanos;
  private @Nullable ByteToMessageDecoder timedByEdge;

  /// Number of complete frames so far.
  private int frames;

  /// Number of complete frames at the last check.
  private int framesSeen;

  private final Since undecodedSince = new Since();
  private final Since unwritableSince = new Since();
  private final Since unsentSince = new Since();
  private @Nullable Object unsent;
  private long unsentProgress;

  TransferTimeout(Channel channel, long timeoutNanos) {
    this.channel = channel;
    this.timeoutNanos = timeoutNanos;
  }

  /// Start time of a condition; 0 while the condition does not hold.
  private static final class Since {
    private long nanos;

    boolean exceeds(boolean holds, long now, long limit) {
      if (!holds) {
        nanos = 0;
      } else if (nanos == 0) {
        nanos = now | 1;
      }
      return holds && now - nanos > limit;
    }
  }

  /// Excludes the bytes of a decoder from the timeout. The edge has its own timeout for this
  /// decoder.
  void exclude(ByteToMessageDecoder decoder) {
    timedByEdge = decoder;
  }

  /// Reports that a complete frame, or the head of a request, was decoded.
  void decoded() {
    frames++;
  }

  long millis() {
    return TimeUnit.NANOSECONDS.toMillis(timeoutNanos);
  }

  /// Checks the connection against the timeout. Called every [ConnectionMeter#SWEEP_MILLIS] while
  /// the connection is not idle.
  ///
  /// @param undecodedBytes bytes of all decoders, including an excluded decoder
  /// @return description of the late bytes, for the log; null if the timeout is not exceeded
  @Nullable String findLate(long now, long undecodedBytes) {
    boolean progress = frames != framesSeen;
    framesSeen = frames;
    if (progress) {
      boolean _ = undecodedSince.exceeds(false, now, timeoutNanos);
    }
    if (undecodedSince.exceeds(isRestAwaited(undecodedBytes), now, timeoutNanos)) {
      return "unfinished frame";
    }
    if (unwritableSince.exceeds(!channel.isWritable(), now, timeoutNanos)
        || unsentSince.exceeds(isUnsentTheSame(), now, timeoutNanos)) {
      return "unsent bytes";
    }
    return null;
  }

  /// Whether the timeout applies to an unfinished record or frame. The timeout does not apply while
  /// reading from the connection is paused.
  private boolean isRestAwaited(long undecodedBytes) {
    long timedBytes = timedByEdge == null ? 0 : NettyInternals.undecodedBytes(timedByEdge);
    return channel.config().isAutoRead() && undecodedBytes > timedBytes;
  }

  /// Whether outbound bytes wait, and no outbound byte was sent since the last check.
  @SuppressWarnings("ReferenceEquality") // Identity, not equality: the same message object.
  private boolean isUnsentTheSame() {
    ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
    Object current = outbound == null ? null : outbound.current();
    long progress = outbound == null ? 0 : outbound.currentProgress();
    boolean same = current != null && current == unsent && progress == unsentProgress;
    unsent = current;
    unsentProgress = progress;
    return same;
  }
}
