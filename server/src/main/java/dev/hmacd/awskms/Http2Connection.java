package dev.hmacd.awskms;

import dev.hmacd.transport.Connections;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An HTTP/2 connection; each request has a stream of its own ([Http2Exchange]). What is here
/// belongs to its event loop.
final class Http2Connection extends ChannelInboundHandlerAdapter implements Watch.Watched {
  /// What a stream may have unread before it is told to wait (RFC 9113, section 5.2).
  private static final int FLOW_CONTROL_WINDOW = 1 << 16;

  /// How long the last answer may take on its way.
  private static final long LINGER_MILLIS = 1000;

  private static final int MAX_RESETS_PER_WINDOW = 400;
  private static final int RESET_WINDOW_SECONDS = 10;

  private static final Logger log = LoggerFactory.getLogger(Http2Connection.class);

  private final Channel channel;
  private final Intake intake;
  private boolean authenticated;
  private boolean leaving;
  private int streams;

  /// When the last stream ended; 0 while there are some.
  private volatile long idleSinceNanos = System.nanoTime() | 1;

  private Http2Connection(Channel channel, Intake intake) {
    this.channel = channel;
    this.intake = intake;
  }

  /// Puts HTTP/2 on a connection.
  static void configure(ChannelPipeline pipeline, Intake intake) {
    var limits = intake.limits();
    var connection = new Http2Connection(pipeline.channel(), intake);
    pipeline.addLast(
        Http2FrameCodecBuilder.forServer()
            .initialSettings(
                Http2Settings.defaultSettings()
                    .maxConcurrentStreams(limits.maxRequestsPerConnection())
                    .maxHeaderListSize(limits.maxHeaderBytes())
                    .initialWindowSize(FLOW_CONTROL_WINDOW))
            .decoderEnforceMaxRstFramesPerWindow(MAX_RESETS_PER_WINDOW, RESET_WINDOW_SECONDS)
            .gracefulShutdownTimeoutMillis(limits.request().toMillis())
            .build());
    pipeline.addLast(
        new Http2MultiplexHandler(
            new ChannelInitializer<>() {
              @Override
              protected void initChannel(Channel stream) {
                stream.pipeline().addLast(new Http2Exchange(stream, connection, intake));
              }
            }));
    pipeline.addLast(connection);
  }

  Channel channel() {
    return channel;
  }

  void authenticated() {
    if (!authenticated) {
      authenticated = true;
      intake.connections().authenticated(channel.remoteAddress());
    }
  }

  /// Who has not shown who they are gets one answer: no more requests are taken, and soon after the
  /// connection ends, whatever is still open on it.
  void answered() {
    if (!authenticated && !leaving) {
      leaving = true;
      var _ = channel.close(); // The codec's way: it says so, and waits for streams.
      var _ =
          channel
              .eventLoop()
              .schedule(() -> Connections.cut(channel), LINGER_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  void begun() {
    streams++;
    idleSinceNanos = 0;
  }

  void ended() {
    if (--streams == 0) {
      idleSinceNanos = System.nanoTime() | 1;
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    intake.watch().begin(this);
    var _ = channel.closeFuture().addListener(_ -> intake.watch().end(this));
  }

  /// Frames of the connection itself, which the codec has dealt with.
  @Override
  public void channelRead(ChannelHandlerContext context, Object frame) {
    ReferenceCountUtil.release(frame);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    log.atDebug().setCause(cause).log("A connection broke");
    var _ = context.close();
  }

  @Override
  public void look(long nowNanos) {
    long idle = idleSinceNanos;
    if (idle != 0 && nowNanos - idle > intake.limits().idle().toNanos()) {
      channel
          .eventLoop()
          .execute(
              () -> {
                if (idle == idleSinceNanos) {
                  var _ = channel.close();
                }
              });
    }
  }

  /// The codec tells the other end which streams it will not see answered, and closes once the
  /// others have been.
  @Override
  public void drain() {
    channel
        .eventLoop()
        .execute(
            () -> {
              var _ = channel.close();
            });
  }
}
