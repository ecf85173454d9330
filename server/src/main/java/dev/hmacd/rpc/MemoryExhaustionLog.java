package dev.hmacd.rpc;

import dev.hmacd.log.LogRateLimiter;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Logs a failed read for which no direct memory is left. gRPC closes the connection without a log
/// message.
@Sharable
final class MemoryExhaustionLog extends ChannelInboundHandlerAdapter {
  private static final Logger log = LoggerFactory.getLogger(MemoryExhaustionLog.class);

  private final LogRateLimiter exhaustions = new LogRateLimiter();

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (cause instanceof OutOfMemoryError) {
      long times = exhaustions.happened();
      if (times > 0) {
        log.atError()
            .addKeyValue("times", times)
            .addKeyValue("reason", cause.getMessage())
            .log("gRPC connections closed: no direct memory left for reads");
      }
    }
    context.fireExceptionCaught(cause);
  }
}
