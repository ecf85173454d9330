package dev.hmacd.http;

import dev.hmacd.transport.ConnectionMeter;
import dev.hmacd.transport.Connections;
import dev.hmacd.transport.HeaderTableChanges;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http2.DefaultHttp2SettingsFrame;
import io.netty.handler.codec.http2.Http2FrameCodec;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2SettingsAckFrame;
import io.netty.handler.codec.http2.Http2SettingsFrame;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An HTTP/2 connection; each request has a stream of its own ([Http2Exchange]). All methods run on
/// the connection's event loop, except [#check] and [#drain].
final class Http2Connection extends ChannelInboundHandlerAdapter
    implements ConnectionWatchdog.Watched {
  /// Flow-control window of a stream, in bytes (RFC 9113, section 5.2).
  private static final int FLOW_CONTROL_WINDOW = 1 << 16;

  /// Maximum time to send the last answer, before the connection is closed at once.
  private static final long LINGER_MILLIS = 1000;

  /// Maximum number of open streams of a connection before its first request with a valid
  /// signature. The daemon refuses streams above this maximum. A client may send the requests of
  /// refused streams again (RFC 9113, section 8.7).
  private static final int MAX_UNAUTHENTICATED_STREAMS = 4;

  /// Maximum number of queued outbound control frames, e.g. acknowledgements. Netty's default is
  /// 10,000.
  private static final int MAX_QUEUED_CONTROL_FRAMES = 1000;

  private static final int MAX_RESETS_PER_WINDOW = 400;
  private static final int RESET_WINDOW_SECONDS = 10;

  private static final Logger log = LoggerFactory.getLogger(Http2Connection.class);

  private final Channel channel;
  private final ServerContext server;
  private final Http2FrameCodec codec;
  private final ConnectionMemory memory;
  private final ConnectionMeter meter;
  private final HeaderTableChanges tableChanges = new HeaderTableChanges();
  private boolean leaving;

  /// Whether [#authenticated] has raised the stream limit.
  private boolean raised;

  private int streams;

  /// Number of streams that were refused before the first valid signature.
  private int refused;

  /// Time at which the last stream ended, or the connection's start ([System#nanoTime]); 0 while
  /// streams are open.
  private volatile long idleSinceNanos = System.nanoTime() | 1;

  private Http2Connection(Channel channel, Http2FrameCodec codec, ServerContext server) {
    this.channel = channel;
    this.codec = codec;
    this.server = server;
    this.memory = new ConnectionMemory(channel, server);
    this.meter = ConnectionMeter.of(channel);
  }

  /// Adds the HTTP/2 handlers to a connection.
  static void configure(ChannelPipeline pipeline, ServerContext server) {
    var limits = server.limits();
    Http2FrameCodec codec =
        Http2FrameCodecBuilder.forServer()
            .initialSettings(
                Http2Settings.defaultSettings()
                    .maxConcurrentStreams(
                        Math.min(MAX_UNAUTHENTICATED_STREAMS, limits.maxRequestsPerConnection()))
                    .maxHeaderListSize(limits.maxHeaderBytes())
                    .initialWindowSize(FLOW_CONTROL_WINDOW))
            .decoderEnforceMaxRstFramesPerWindow(MAX_RESETS_PER_WINDOW, RESET_WINDOW_SECONDS)
            .encoderEnforceMaxQueuedControlFrames(MAX_QUEUED_CONTROL_FRAMES)
            // No field enters the encoder's dynamic table: request ids and dates would fill it.
            .headerSensitivityDetector((_, _) -> true)
            .gracefulShutdownTimeoutMillis(limits.request().toMillis())
            .build();
    var connection = new Http2Connection(pipeline.channel(), codec, server);
    pipeline.addLast(codec);
    pipeline.addLast(
        new Http2MultiplexHandler(
            new ChannelInitializer<>() {
              @Override
              protected void initChannel(Channel stream) {
                stream.pipeline().addLast(new Http2Exchange(stream, connection, server));
              }
            }));
    pipeline.addLast(connection);
  }

  Channel channel() {
    return channel;
  }

  /// Reports to the [ConnectionMeter] that a complete frame was decoded.
  void decoded() {
    meter.decoded();
  }

  ConnectionMemory memory() {
    return memory;
  }

  /// Raises the stream limit to the configured limit, after the first valid signature.
  void authenticated() {
    if (!raised) {
      raised = true;
      var _ =
          channel.writeAndFlush(
              new DefaultHttp2SettingsFrame(
                  new Http2Settings()
                      .maxConcurrentStreams(server.limits().maxRequestsPerConnection())));
    }
  }

  private int maxStreams() {
    int max = server.limits().maxRequestsPerConnection();
    return raised ? max : Math.min(MAX_UNAUTHENTICATED_STREAMS, max);
  }

  /// Closes an unauthenticated connection after its first answer. The connection accepts no further
  /// requests, and is closed at once after [#LINGER_MILLIS], even with open streams.
  void answered() {
    if (!raised && !leaving) {
      leaving = true;
      var _ = channel.close(); // The codec sends GOAWAY, and waits for open streams.
      var _ =
          channel
              .eventLoop()
              .schedule(
                  () -> Connections.closeAtOnce(channel), LINGER_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  /// Counts a new stream; [#ended] must follow.
  ///
  /// @return whether the stream is within the limit; otherwise the caller refuses the stream
  boolean begun() {
    streams++;
    idleSinceNanos = 0;
    // The codec's count excludes streams that the client has reset.
    if (codec.connection().remote().numActiveStreams() <= maxStreams()) {
      return true;
    }
    if (!raised && ++refused > server.limits().maxRequestsPerConnection()) {
      Connections.closeAtOnce(channel);
    }
    return false;
  }

  /// Disables the stream limit of Netty's codec, because [#begun] enforces the limit. The codec
  /// keeps no record of a stream that it refused, and would close the connection if more data of
  /// this stream arrived.
  private void countStreamsHere() {
    codec.connection().remote().maxActiveStreams(Integer.MAX_VALUE);
  }

  void ended() {
    if (--streams == 0) {
      idleSinceNanos = System.nanoTime() | 1;
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    countStreamsHere();
    server.watchdog().begin(this);
    meter.edge(memory);
    var _ =
        channel
            .closeFuture()
            .addListener(
                _ -> {
                  server.watchdog().end(this);
                });
  }

  /// Receives frames that belong to no stream, e.g. SETTINGS, after the codec has handled them.
  @Override
  public void channelRead(ChannelHandlerContext context, Object frame) {
    decoded();
    if (frame instanceof Http2SettingsAckFrame) {
      countStreamsHere(); // The codec has just applied the limit of the acknowledged settings.
    }
    if (frame instanceof Http2SettingsFrame received
        && !tableChanges.permits(received.settings())) {
      Connections.closeAtOnce(channel);
    }
    ReferenceCountUtil.release(frame);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    log.atDebug().setCause(cause).log("HTTP/2 connection closed after an error");
    var _ = context.close();
  }

  @Override
  public void check(long nowNanos) {
    long idle = idleSinceNanos;
    if (idle != 0 && nowNanos - idle > server.limits().idle().toNanos()) {
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

  /// Closes the connection: the codec sends GOAWAY, and waits until the open streams have ended.
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
