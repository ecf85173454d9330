package dev.hmacd.rpc;

import dev.hmacd.config.HostPort;
import dev.hmacd.log.ScheduledTask;
import dev.hmacd.usecase.Failure;
import io.grpc.Attributes;
import io.grpc.netty.InternalGracefulServerCloseCommand;
import io.netty.channel.Channel;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Closes a connection gracefully (GOAWAY) shortly before the client certificate ends, or at the
/// first refusal of a call for the client certificate. The client then connects again with its
/// renewed certificate.
///
/// The lead is the time between the GOAWAY and the end. The lead is random, so that connections
/// with the same certificate do not all connect again at once. The lead is a part of the time to
/// the end, so that a client without a renewed certificate connects again only a few times.
final class CertificateEnd {
  /// Key of the transport attribute. A connection has no such attribute if it is on a Unix socket,
  /// or if its client certificate was not valid at the start.
  static final Attributes.Key<CertificateEnd> KEY = Attributes.Key.create("hmacd-certificate-end");

  /// Heap of this object with its timer and its listener, in bytes.
  static final long HEAP_BYTES = 512;

  /// Debug data of the GOAWAY frames.
  static final String DEBUG_DATA = "certificate_end";

  /// Upper bound on the shortest possible lead.
  private static final Duration MAX_SHORTEST_LEAD = Duration.ofMinutes(1);

  /// The shortest possible lead is at most this fraction of the time to the end.
  private static final int LEAD_DIVISOR = 4;

  /// The lead is zero for a certificate with less time to its end.
  private static final Duration MIN_REMAINING = Duration.ofSeconds(1);

  /// Maximum delay of the next check. The daemon's clock, and the path to a trust anchor, may
  /// change between two checks.
  static final Duration MAX_DELAY = Duration.ofHours(1);

  private static final Logger log = LoggerFactory.getLogger(CertificateEnd.class);

  private final Channel connection;
  private final Supplier<Duration> remaining;
  private final Duration lead;
  private final Duration grace;
  private final Runnable task = new ScheduledTask("end of a client certificate", this::check);

  /// The next check. Only the event loop uses this field.
  private @Nullable Future<?> timer;

  private volatile boolean closing;

  private CertificateEnd(
      Channel connection, Supplier<Duration> remaining, Duration lead, Duration grace) {
    this.connection = connection;
    this.remaining = remaining;
    this.lead = lead;
    this.grace = grace;
  }

  /// Schedules the graceful close of a connection. Must be called on its event loop. The timer ends
  /// with the connection.
  ///
  /// @param remaining returns the time until the client certificate ends; zero or negative if the
  ///   client certificate is not valid now
  /// @param grace maximum time that the close waits for calls in flight
  static CertificateEnd start(Channel connection, Supplier<Duration> remaining, Duration grace) {
    Duration lead = lead(remaining.get(), ThreadLocalRandom.current().nextDouble());
    var end = new CertificateEnd(connection, remaining, lead, grace);
    end.check();
    var _ = connection.closeFuture().addListener(_ -> end.cancel());
    return end;
  }

  /// The time between the GOAWAY and the end of the certificate: 1 to 2 minutes. If the end is less
  /// than 4 minutes away: a quarter to a half of the time to the end.
  ///
  /// @param random from 0 to less than 1
  static Duration lead(Duration remaining, double random) {
    if (remaining.compareTo(MIN_REMAINING) < 0) {
      return Duration.ZERO;
    }
    Duration shortest = min(remaining.dividedBy(LEAD_DIVISOR), MAX_SHORTEST_LEAD);
    return Duration.ofNanos((long) (shortest.toNanos() * (1 + random)));
  }

  /// The delay of the next check: zero if the GOAWAY is due, and never more than [#MAX_DELAY].
  static Duration delay(Duration remaining, Duration lead) {
    return remaining.compareTo(lead) <= 0 ? Duration.ZERO : min(remaining.minus(lead), MAX_DELAY);
  }

  private static Duration min(Duration one, Duration other) {
    return one.compareTo(other) <= 0 ? one : other;
  }

  private void check() {
    Duration delay = delay(remaining.get(), lead);
    if (delay.isZero()) {
      close();
    } else {
      timer = connection.eventLoop().schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
    }
  }

  private void cancel() {
    Future<?> scheduled = timer;
    if (scheduled != null) {
      boolean _ = scheduled.cancel(false);
    }
  }

  /// Reports the refusal of a call, before the call ends. If the call is refused for the client
  /// certificate, closes the connection gracefully: the client gets the GOAWAY before the refusal,
  /// and its next call uses another connection. Any thread may call this method.
  ///
  /// @param attributes the attributes of the call's transport
  static void refused(Attributes attributes, Failure failure) {
    if (failure instanceof Failure.Unauthenticated) {
      CertificateEnd end = attributes.get(KEY);
      if (end != null) {
        end.close();
      }
    }
  }

  /// Writes gRPC's own command for a graceful close, as at the maximum age of a connection: GOAWAY,
  /// PING, a second GOAWAY with the last stream, and the close after the last call. gRPC ignores
  /// the command if a graceful close has begun.
  private void close() {
    if (closing) {
      return;
    }
    closing = true;
    log.atDebug()
        .addKeyValue("remote_address", HostPort.text(connection.remoteAddress()))
        .log("gRPC connection closed gracefully: its client certificate ends, or is not trusted");
    var _ =
        connection.writeAndFlush(
            InternalGracefulServerCloseCommand.create(
                DEBUG_DATA, grace.toNanos(), TimeUnit.NANOSECONDS));
  }
}
