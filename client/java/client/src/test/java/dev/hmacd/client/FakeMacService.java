package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.VerifyMacRequest;
import dev.hmacd.v1.VerifyMacResponse;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.zip.CRC32C;
import javax.crypto.spec.SecretKeySpec;

/// `MacService` on a Unix socket, with HMACs under the keys of the test. The tests of the adapters
/// use it. It has no class of the client's main code: the client may be a jar with other names of
/// gRPC's classes.
public final class FakeMacService implements AutoCloseable {
  private final Map<String, SecretKeySpec> keys = new ConcurrentHashMap<>();
  private final Queue<StatusRuntimeException> failures = new ConcurrentLinkedQueue<>();
  private final Queue<Duration> deadlines = new ConcurrentLinkedQueue<>();
  private final EventLoopGroup eventLoops =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final Path socket;
  private final Server server;

  public FakeMacService(Path socket) {
    this.socket = socket;
    server =
        NettyServerBuilder.forAddress(
                UnixDomainSocketAddress.of(socket), InsecureServerCredentials.create())
            .channelType(NioServerDomainSocketChannel.class)
            .bossEventLoopGroup(eventLoops)
            .workerEventLoopGroup(eventLoops)
            .withChildOption(ChannelOption.SO_KEEPALIVE, null) // which a Unix socket does not have
            .addService(new Macs())
            .build();
    try {
      server.start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The target for a client.
  public String target() {
    return "unix:" + socket;
  }

  /// Adds or replaces a key.
  ///
  /// @param algorithm not UNKNOWN
  /// @param secret 1 byte or more
  @CanIgnoreReturnValue
  public FakeMacService key(String name, MacAlgorithm algorithm, byte[] secret) {
    keys.put(name, new SecretKeySpec(secret, algorithm.name().replace("_", "")));
    return this;
  }

  /// Answers the next call with an error.
  @CanIgnoreReturnValue
  public FakeMacService failing(Code code, String reason) {
    failures.add(failure(code, reason));
    return this;
  }

  /// The number of calls so far.
  public int calls() {
    return deadlines.size();
  }

  /// The time to the deadline of each call at its arrival.
  public List<Duration> deadlines() {
    return List.copyOf(deadlines);
  }

  @Override
  public void close() {
    server.shutdownNow();
    try {
      server.awaitTermination(120, SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    eventLoops.shutdownGracefully(0, 1, SECONDS).awaitUninterruptibly();
  }

  private static StatusRuntimeException failure(Code code, String reason) {
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder()
            .setCode(code.value())
            .setMessage("a fake's " + reason)
            .addDetails(
                Any.pack(ErrorInfo.newBuilder().setDomain("hmacd.dev").setReason(reason).build()))
            .build());
  }

  private static int crc32c(ByteString bytes) {
    var sum = new CRC32C();
    sum.update(bytes.toByteArray());
    return (int) sum.getValue();
  }

  private final class Macs extends MacServiceGrpc.MacServiceImplBase {
    @Override
    public void generateMac(
        GenerateMacRequest request, StreamObserver<GenerateMacResponse> observer) {
      try {
        arrived();
        ByteString mac = mac(request.getKeyId(), request.getMacAlgorithm(), request.getMessage());
        observer.onNext(
            GenerateMacResponse.newBuilder()
                .setKeyId(request.getKeyId())
                .setMac(mac)
                .setMacAlgorithm(request.getMacAlgorithm())
                .setKeyVersion(1)
                .setMacCrc32C(crc32c(mac))
                .setVerifiedMessageCrc32C(true)
                .build());
        observer.onCompleted();
      } catch (StatusRuntimeException e) {
        observer.onError(e);
      }
    }

    @Override
    public void verifyMac(VerifyMacRequest request, StreamObserver<VerifyMacResponse> observer) {
      try {
        arrived();
        ByteString mac = mac(request.getKeyId(), request.getMacAlgorithm(), request.getMessage());
        if (!MessageDigest.isEqual(mac.toByteArray(), request.getMac().toByteArray())) {
          throw failure(Code.INVALID_ARGUMENT, "KMS_INVALID_MAC");
        }
        observer.onNext(
            VerifyMacResponse.newBuilder()
                .setKeyId(request.getKeyId())
                .setMacValid(true)
                .setMacAlgorithm(request.getMacAlgorithm())
                .setKeyVersion(1)
                .setVerifiedMessageCrc32C(true)
                .setVerifiedMacCrc32C(true)
                .build());
        observer.onCompleted();
      } catch (StatusRuntimeException e) {
        observer.onError(e);
      }
    }

    private void arrived() {
      Deadline deadline = Context.current().getDeadline();
      if (deadline == null) {
        throw new IllegalStateException("the call has no deadline");
      }
      deadlines.add(Duration.ofNanos(deadline.timeRemaining(NANOSECONDS)));
      StatusRuntimeException failure = failures.poll();
      if (failure != null) {
        throw failure;
      }
    }

    private ByteString mac(String name, dev.hmacd.v1.MacAlgorithm algorithm, ByteString message) {
      SecretKeySpec key = keys.get(name);
      if (key == null) {
        throw failure(Code.NOT_FOUND, "KEY_NOT_FOUND");
      }
      if (!algorithm.name().replace("_", "").equals("MACALGORITHM" + key.getAlgorithm())) {
        throw failure(Code.INVALID_ARGUMENT, "INVALID_KEY_USAGE");
      }
      try {
        var mac = javax.crypto.Mac.getInstance(key.getAlgorithm());
        mac.init(key);
        return ByteString.copyFrom(mac.doFinal(message.toByteArray()));
      } catch (GeneralSecurityException e) {
        throw new AssertionError(e);
      }
    }
  }
}
