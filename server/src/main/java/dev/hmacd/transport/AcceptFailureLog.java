package dev.hmacd.transport;

import dev.hmacd.config.HostPort;
import dev.hmacd.log.LogRateLimiter;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import java.io.IOException;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;

/// Logs failed accepts of one listener at a limited rate, for example if no file descriptor is
/// free. Without this handler, Netty logs a stack trace for each failure.
///
/// Netty's own handler of a listening channel pauses the listener for a second after a failed
/// accept, and then passes the failure on to this handler.
public final class AcceptFailureLog extends ChannelInboundHandlerAdapter {
  private static final Logger log = LoggerFactory.getLogger(AcceptFailureLog.class);

  private final LogRateLimiter failures = new LogRateLimiter();

  private AcceptFailureLog() {}

  /// Adds this handler to a listening channel. Must be called when the channel is active, because
  /// Netty adds its own handler before, and this handler must follow it.
  public static void addTo(ChannelPipeline listening) {
    listening.addLast(new AcceptFailureLog());
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    long times = failures.happened();
    if (times == 0) {
      return;
    }
    LoggingEventBuilder line =
        log.atError()
            .addKeyValue("address", HostPort.text(context.channel().localAddress()))
            .addKeyValue("reason", String.valueOf(cause.getMessage()))
            .addKeyValue("times", times)
            .addKeyValue("open_fds", text(FileDescriptors.open()))
            .addKeyValue("max_fds", text(FileDescriptors.max()));
    (cause instanceof IOException ? line : line.setCause(cause))
        .log("Connections not accepted; the listener tries again after 1 second");
  }

  private static String text(OptionalLong number) {
    return number.isPresent() ? Long.toString(number.getAsLong()) : "unknown";
  }
}
