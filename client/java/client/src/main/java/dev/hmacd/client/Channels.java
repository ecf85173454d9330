package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.SECONDS;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.NameResolverRegistry;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import java.net.UnixDomainSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/// Opens gRPC channels. A channel makes no retries, except of requests that a connection certainly
/// did not carry.
final class Channels {
  private static final long KEEP_ALIVE_SECONDS = 10;
  private static final long KEEP_ALIVE_TIMEOUT_SECONDS = 3;
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of("loadBalancingConfig", List.of(Map.of("round_robin", Map.of())));

  private Channels() {}

  /// Opens a channel, which connects at its first call.
  ///
  /// @param tls the PEM files; null for a Unix socket
  static ManagedChannel open(
      Target target, @Nullable TlsFiles tls, EventLoopGroup eventLoops, Executor callbacks) {
    return builder(target, tls)
        .eventLoopGroup(eventLoops)
        .executor(callbacks)
        .userAgent("hmacd-java/" + version())
        .defaultServiceConfig(SERVICE_CONFIG)
        .disableServiceConfigLookUp()
        .keepAliveTime(KEEP_ALIVE_SECONDS, SECONDS)
        .keepAliveTimeout(KEEP_ALIVE_TIMEOUT_SECONDS, SECONDS)
        .build();
  }

  private static NettyChannelBuilder builder(Target target, @Nullable TlsFiles tls) {
    if (target instanceof Target.HostPort hostPort && tls != null) {
      var resolvers = new NameResolverRegistry();
      resolvers.register(new TargetResolver(hostPort));
      var builder =
          (NettyChannelBuilder)
              Grpc.newChannelBuilder(TargetResolver.CHANNEL_TARGET, tls.credentials(), resolvers);
      return builder.channelType(NioSocketChannel.class);
    }
    if (target instanceof Target.UnixSocket socket) {
      return NettyChannelBuilder.forAddress(socket.address(), InsecureChannelCredentials.create())
          .overrideAuthority("localhost")
          .channelFactory(NioDomainSocketChannel::new, UnixDomainSocketAddress.class)
          // Removes SO_KEEPALIVE, which gRPC sets on every socket. A Unix socket does not have this
          // option, and Netty would log an unknown option.
          .withOption(ChannelOption.SO_KEEPALIVE, null);
    }
    throw new IllegalArgumentException("a host:port target requires TLS: " + target);
  }

  private static String version() {
    String version = Channels.class.getPackage().getImplementationVersion();
    return version == null ? "unreleased" : version;
  }
}
