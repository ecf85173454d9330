/** The client of hmacd. The build adds this descriptor to the jar with the copied libraries. */
module dev.hmacd.client {
  requires java.logging;
  requires jdk.unsupported;
  requires static java.naming;
  requires static jdk.jfr;
  requires static io.opentelemetry.api;
  requires static io.opentelemetry.context;
  requires static org.jspecify;

  // Each public package has a line here, and no other package.
  exports dev.hmacd.client;
  exports dev.hmacd.client.webhooks;

  // The services of gRPC. A module ignores META-INF/services, which has the same providers.
  uses dev.hmacd.client.internal.io.grpc.LoadBalancerProvider;
  uses dev.hmacd.client.internal.io.grpc.ManagedChannelProvider;
  uses dev.hmacd.client.internal.io.grpc.NameResolverProvider;

  provides dev.hmacd.client.internal.io.grpc.LoadBalancerProvider with
      dev.hmacd.client.internal.io.grpc.internal.PickFirstLoadBalancerProvider,
      dev.hmacd.client.internal.io.grpc.util.OutlierDetectionLoadBalancerProvider,
      dev.hmacd.client.internal.io.grpc.util.RandomSubsettingLoadBalancerProvider,
      dev.hmacd.client.internal.io.grpc.util.SecretRoundRobinLoadBalancerProvider.Provider;
  provides dev.hmacd.client.internal.io.grpc.ManagedChannelProvider with
      dev.hmacd.client.internal.io.grpc.netty.NettyChannelProvider,
      dev.hmacd.client.internal.io.grpc.netty.UdsNettyChannelProvider;
  provides dev.hmacd.client.internal.io.grpc.NameResolverProvider with
      dev.hmacd.client.internal.io.grpc.internal.DnsNameResolverProvider,
      dev.hmacd.client.internal.io.grpc.netty.UdsNameResolverProvider;
}
