package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.SECONDS;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.NameResolverRegistry;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.UnixDomainSocketAddress;
import java.util.List;
import java.util.Map;

/// The gRPC channel to the daemons, with retries, load balancing and keep-alive.
final class Connection implements AutoCloseable {
  private static final long KEEP_ALIVE_SECONDS = 30;
  private static final long KEEP_ALIVE_TIMEOUT_SECONDS = 5;
  private static final long CLOSE_SECONDS = 5;

  /// gRPC service config: retries a call, with back-off, if the daemon is unavailable or busy. Only
  /// methods that are safe to repeat are retried: a second `CreateKey` would create a second key,
  /// and a second `CreateAlias` would fail.
  ///
  /// The retry budget (`retryThrottling`) keeps clients from overloading a daemon that recovers.
  /// Retries stop while at least one answer in ten is a retryable failure.
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "loadBalancingConfig",
          List.of(Map.of("round_robin", Map.of())),
          "methodConfig",
          List.of(
              Map.of(
                  "name",
                  List.of(
                      method("hmacd.v1.MacService", "GenerateMac"),
                      method("hmacd.v1.MacService", "VerifyMac"),
                      method("hmacd.v1.RandomService", "GenerateRandom"),
                      method("hmacd.v1.KeyService", "DescribeKey"),
                      method("hmacd.v1.KeyService", "ListKeys"),
                      method("hmacd.v1.KeyService", "ListAliases"),
                      method("hmacd.v1.KeyService", "EnableKey"),
                      method("hmacd.v1.KeyService", "DisableKey"),
                      method("hmacd.v1.KeyService", "UpdateKeyDescription"),
                      method("hmacd.v1.KeyService", "TagResource"),
                      method("hmacd.v1.KeyService", "UntagResource"),
                      method("hmacd.v1.KeyService", "ListResourceTags"),
                      method("hmacd.v1.AccessKeyService", "ListAccessKeys"),
                      method("hmacd.v1.AccessKeyService", "DisableAccessKey")),
                  "retryPolicy",
                  Map.of(
                      "maxAttempts",
                      4.0,
                      "initialBackoff",
                      "0.05s",
                      "maxBackoff",
                      "1s",
                      "backoffMultiplier",
                      3.0,
                      "retryableStatusCodes",
                      List.of("UNAVAILABLE", "RESOURCE_EXHAUSTED")))),
          "retryThrottling",
          Map.of("maxTokens", 100.0, "tokenRatio", 0.1));

  // One thread does the I/O of a client, over TLS or a Unix socket: a daemon reaches its limit long
  // before this thread. NIO is part of the JDK, supports Unix sockets, and needs no native library.
  private final EventLoopGroup eventLoops =
      new MultiThreadIoEventLoopGroup(
          1, new DefaultThreadFactory("hmacd-client", true), NioIoHandler.newFactory());
  private final Runnable afterwards;
  private final ManagedChannel channel;

  /// @param afterwards runs after the channel is closed, and releases resources that only this
  ///   channel uses
  private Connection(NettyChannelBuilder builder, Runnable afterwards) {
    this.afterwards = afterwards;
    this.channel =
        builder
            .eventLoopGroup(eventLoops)
            .defaultServiceConfig(SERVICE_CONFIG)
            .disableServiceConfigLookUp()
            .keepAliveTime(KEEP_ALIVE_SECONDS, SECONDS)
            .keepAliveTimeout(KEEP_ALIVE_TIMEOUT_SECONDS, SECONDS)
            .build();
  }

  /// A connection to daemons on the network, opened at the first call.
  static Connection overTls(List<Target.HostPort> targets, TlsFiles tls) {
    var resolvers = new NameResolverRegistry();
    resolvers.register(new Targets(targets));
    var builder =
        (NettyChannelBuilder)
            Grpc.newChannelBuilder(Targets.CHANNEL_TARGET, tls.credentials(), resolvers);
    return new Connection(builder.channelType(NioSocketChannel.class), tls::close);
  }

  /// A connection to the daemon on a Unix domain socket, opened at the first call.
  static Connection overUnixSocket(Target.UnixSocket target) {
    return new Connection(
        NettyChannelBuilder.forAddress(target.address(), InsecureChannelCredentials.create())
            .overrideAuthority("localhost")
            .channelFactory(NioDomainSocketChannel::new, UnixDomainSocketAddress.class)
            // Removes SO_KEEPALIVE, which gRPC sets on every socket. A Unix socket does not have
            // this option, and Netty would log an unknown option.
            .withOption(ChannelOption.SO_KEEPALIVE, null),
        () -> {});
  }

  ManagedChannel channel() {
    return channel;
  }

  /// Waits up to 5 s for calls in flight, then cancels them.
  @Override
  public void close() {
    channel.shutdown();
    try {
      if (!channel.awaitTermination(CLOSE_SECONDS, SECONDS)) {
        channel.shutdownNow();
      }
    } catch (InterruptedException e) {
      channel.shutdownNow();
      Thread.currentThread().interrupt();
    }
    // Waits until the I/O thread has ended. Without this wait, the JVM waits 0.3 s at its end for a
    // thread that polls for I/O.
    eventLoops
        .shutdownGracefully(0, CLOSE_SECONDS, SECONDS)
        .awaitUninterruptibly(CLOSE_SECONDS, SECONDS);
    afterwards.run();
  }

  private static Map<String, String> method(String service, String method) {
    return Map.of("service", service, "method", method);
  }
}
