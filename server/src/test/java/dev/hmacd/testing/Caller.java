package dev.hmacd.testing;

import com.google.protobuf.ByteString;
import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.CreateAliasRequest;
import dev.hmacd.v1.CreateKeyRequest;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.DisableKeyRequest;
import dev.hmacd.v1.EnableKeyRequest;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.KeyMetadata;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.RandomServiceGrpc;
import dev.hmacd.v1.VerifyMacRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;

/// A gRPC client of a daemon, with the generated stubs.
public final class Caller implements AutoCloseable {
  private static final long LIMIT_SECONDS = 30;
  private static final EventLoopGroup LOOPS =
      new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());

  private final ManagedChannel channel;

  /// The channel, or an intercepted channel.
  private final Channel calls;

  private Caller(ManagedChannel channel) {
    this(channel, channel);
  }

  private Caller(ManagedChannel channel, Channel calls) {
    this.channel = channel;
    this.calls = calls;
  }

  static Caller tls(int port, String caPem, X509Bundle certificate) {
    try {
      return tls(port, clientContext(caPem, certificate));
    } catch (SSLException e) {
      throw new IllegalStateException(e);
    }
  }

  /// A client that presents its newest certificate in each handshake.
  static Caller tls(int port, String caPem, RenewableIdentity identity) {
    try {
      return tls(
          port,
          GrpcSslContexts.configure(
                  SslContextBuilder.forClient().trustManager(stream(caPem)).keyManager(identity))
              .build());
    } catch (SSLException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Caller tls(int port, SslContext context) {
    return new Caller(
        NettyChannelBuilder.forAddress("127.0.0.1", port)
            .eventLoopGroup(LOOPS)
            .channelType(EpollSocketChannel.class)
            .sslContext(context)
            .build());
  }

  /// A client that balances calls over several daemons, and omits daemons that do not serve.
  public static Caller roundRobin(TestCa ca, X509Bundle certificate, int... ports) {
    try {
      return new Caller(
          NettyChannelBuilder.forTarget(Loopback.target(ports))
              .defaultLoadBalancingPolicy("round_robin")
              .overrideAuthority("localhost")
              .eventLoopGroup(LOOPS)
              .channelType(EpollSocketChannel.class)
              .sslContext(clientContext(ca.pem(), certificate))
              .build());
    } catch (SSLException e) {
      throw new IllegalStateException(e);
    }
  }

  /// A client whose gRPC library repeats calls that fail with one of these codes: at most four
  /// times each.
  public static Caller retrying(int port, TestCa ca, X509Bundle certificate, Code... codes) {
    Map<String, ?> policy =
        Map.of(
            "maxAttempts",
            5.0,
            "initialBackoff",
            "0.01s",
            "maxBackoff",
            "1s",
            "backoffMultiplier",
            2.0,
            "retryableStatusCodes",
            Arrays.stream(codes).map(Code::name).toList());
    try {
      return new Caller(
          NettyChannelBuilder.forAddress("127.0.0.1", port)
              .eventLoopGroup(LOOPS)
              .channelType(EpollSocketChannel.class)
              .sslContext(clientContext(ca.pem(), certificate))
              .defaultServiceConfig(
                  Map.of(
                      "methodConfig",
                      List.of(Map.of("name", List.of(Map.of()), "retryPolicy", policy))))
              .disableServiceConfigLookUp()
              .build());
    } catch (SSLException e) {
      throw new IllegalStateException(e);
    }
  }

  private static SslContext clientContext(String caPem, X509Bundle certificate)
      throws SSLException {
    return GrpcSslContexts.configure(
            SslContextBuilder.forClient()
                .trustManager(stream(caPem))
                .keyManager(
                    stream(certificate.getCertificatePathPEM()),
                    stream(certificate.getPrivateKeyPEM())))
        .build();
  }

  private static ByteArrayInputStream stream(String pem) {
    return new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII));
  }

  static Caller unix(Path socket) {
    return new Caller(
        NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
            .eventLoopGroup(LOOPS)
            .channelType(EpollDomainSocketChannel.class)
            .usePlaintext()
            .build());
  }

  public ManagedChannel channel() {
    return channel;
  }

  public MacServiceGrpc.MacServiceBlockingStub macs() {
    return MacServiceGrpc.newBlockingStub(calls).withDeadlineAfter(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  public AccessKeyServiceGrpc.AccessKeyServiceBlockingStub accessKeys() {
    return AccessKeyServiceGrpc.newBlockingStub(calls)
        .withDeadlineAfter(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  public KeyServiceGrpc.KeyServiceBlockingStub keys() {
    return KeyServiceGrpc.newBlockingStub(calls).withDeadlineAfter(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  public RandomServiceGrpc.RandomServiceBlockingStub random() {
    return RandomServiceGrpc.newBlockingStub(calls)
        .withDeadlineAfter(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  /// The same caller, but it records the end of each call: status, headers and trailers.
  public Caller recording(List<String> ends) {
    return new Caller(channel, ClientInterceptors.intercept(channel, new Recorder(ends)));
  }

  private record Recorder(List<String> ends) implements ClientInterceptor {
    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(
        MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
      return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
        @Override
        public void start(Listener<A> listener, Metadata headers) {
          super.start(
              new SimpleForwardingClientCallListener<>(listener) {
                private String answered = "";

                @Override
                public void onHeaders(Metadata received) {
                  answered = received + " ";
                  super.onHeaders(received);
                }

                @Override
                public void onClose(Status status, Metadata trailers) {
                  ends.add(answered + status + " " + trailers);
                  super.onClose(status, trailers);
                }
              },
              headers);
        }
      };
    }
  }

  /// Creates a key and returns its id.
  public String createKey(KeySpec spec) {
    return keys()
        .createKey(CreateKeyRequest.newBuilder().setKeySpec(spec).build())
        .getKeyMetadata()
        .getKeyId();
  }

  public KeyMetadata adopt(String label, KeySpec spec) {
    return keys()
        .adoptKey(AdoptKeyRequest.newBuilder().setObjectLabel(label).setKeySpec(spec).build())
        .getKeyMetadata();
  }

  public KeyMetadata adoptById(String idHex, KeySpec spec) {
    return keys()
        .adoptKey(
            AdoptKeyRequest.newBuilder()
                .setObjectId(ByteString.fromHex(idHex))
                .setKeySpec(spec)
                .build())
        .getKeyMetadata();
  }

  public KeyMetadata describe(String keyId) {
    return keys()
        .describeKey(DescribeKeyRequest.newBuilder().setKeyId(keyId).build())
        .getKeyMetadata();
  }

  public void disable(String keyId) {
    var _ = keys().disableKey(DisableKeyRequest.newBuilder().setKeyId(keyId).build());
  }

  public void enable(String keyId) {
    var _ = keys().enableKey(EnableKeyRequest.newBuilder().setKeyId(keyId).build());
  }

  public void createAlias(String name, String keyId) {
    var _ =
        keys()
            .createAlias(
                CreateAliasRequest.newBuilder().setAliasName(name).setTargetKeyId(keyId).build());
  }

  /// The MAC of a string with HMAC_SHA_256.
  public byte[] generateMac(String keyId, String message) {
    return generateMac(
        keyId, message.getBytes(StandardCharsets.UTF_8), MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256);
  }

  public byte[] generateMac(String keyId, byte[] message, MacAlgorithm algorithm) {
    return macs()
        .generateMac(
            GenerateMacRequest.newBuilder()
                .setKeyId(keyId)
                .setMessage(ByteString.copyFrom(message))
                .setMacAlgorithm(algorithm)
                .build())
        .getMac()
        .toByteArray();
  }

  /// Verifies a MAC; fails if it does not match.
  public void verifyMac(String keyId, byte[] message, byte[] mac, MacAlgorithm algorithm) {
    var _ =
        macs()
            .verifyMac(
                VerifyMacRequest.newBuilder()
                    .setKeyId(keyId)
                    .setMessage(ByteString.copyFrom(message))
                    .setMac(ByteString.copyFrom(mac))
                    .setMacAlgorithm(algorithm)
                    .build());
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
