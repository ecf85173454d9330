package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.access.Principal;
import dev.hmacd.authn.UnixPeer;
import dev.hmacd.testing.Eventually;
import dev.hmacd.usecase.Call;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.health.v1.HealthGrpc.HealthBlockingStub;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Responses of a gRPC server whose allocator has no memory, as clients get them.
final class ResponseMemoryTest {
  /// Before each response, the daemon checks the allocator.
  private static final long NEAR_THE_LIMIT = Long.MIN_VALUE;

  /// The daemon does not check the allocator.
  private static final long FAR_FROM_THE_LIMIT = Long.MAX_VALUE;

  private static final HealthCheckRequest REQUEST = HealthCheckRequest.getDefaultInstance();
  private static final HealthCheckResponse RESPONSE =
      HealthCheckResponse.newBuilder().setStatus(ServingStatus.SERVING).build();

  private final EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final ResponseEncodeQueue queue = new ResponseEncodeQueue(loop.next(), 1 << 20);
  private final Memory memory = new Memory();

  @AfterEach
  void stop() {
    var _ = loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  /// An allocator that can be exhausted while a response is sent.
  private static final class Memory extends PooledByteBufAllocator {
    /// The buffers that were allocated while a response was sent.
    private final List<ByteBuf> buffers = new CopyOnWriteArrayList<>();

    // Only the event loop uses these fields.
    private boolean sending;
    private boolean exhausted;

    Memory() {
      super(true);
    }

    void whileSending(boolean isExhausted, Runnable action) {
      sending = true;
      exhausted = isExhausted;
      try {
        action.run();
      } finally {
        sending = false;
        exhausted = false;
      }
    }

    /// gRPC allocates the buffer of a response with this method.
    @Override
    public ByteBuf buffer(int initialCapacity, int maxCapacity) {
      if (exhausted) {
        throw ResponseEncodeQueueTest.outOfMemory();
      }
      ByteBuf buffer = super.buffer(initialCapacity, maxCapacity);
      if (sending) {
        buffers.add(buffer);
      }
      return buffer;
    }
  }

  enum Sending {
    LAST_MESSAGE {
      @Override
      MethodDescriptor<HealthCheckRequest, HealthCheckResponse> method() {
        return HealthGrpc.getCheckMethod();
      }

      @Override
      void send(GrpcReply<HealthCheckResponse> reply) {
        reply.succeed(RESPONSE);
      }

      @Override
      HealthCheckResponse receive(HealthBlockingStub stub) {
        return stub.check(REQUEST);
      }
    },
    MESSAGE_OF_A_STREAM {
      @Override
      MethodDescriptor<HealthCheckRequest, HealthCheckResponse> method() {
        return HealthGrpc.getWatchMethod();
      }

      @Override
      void send(GrpcReply<HealthCheckResponse> reply) {
        reply.send(RESPONSE);
        reply.finish();
      }

      @Override
      HealthCheckResponse receive(HealthBlockingStub stub) {
        return stub.watch(REQUEST).next();
      }
    };

    abstract MethodDescriptor<HealthCheckRequest, HealthCheckResponse> method();

    /// Sends the response on the event loop.
    abstract void send(GrpcReply<HealthCheckResponse> reply);

    abstract HealthCheckResponse receive(HealthBlockingStub stub);
  }

  /// Makes a call to a new server, and returns the response.
  private HealthCheckResponse call(Sending sending, long safeBytes, boolean exhausted)
      throws IOException {
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .channelType(NioServerSocketChannel.class)
            .bossEventLoopGroup(loop)
            .workerEventLoopGroup(loop)
            .withChildOption(ChannelOption.ALLOCATOR, memory)
            .directExecutor()
            .addService(service(sending, safeBytes, exhausted))
            .build()
            .start();
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", server.getPort())
            .eventLoopGroup(loop)
            .channelType(NioSocketChannel.class)
            .usePlaintext()
            .build();
    try {
      return sending.receive(
          HealthGrpc.newBlockingStub(channel)
              .withDeadlineAfter(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS));
    } finally {
      channel.shutdownNow();
      server.shutdownNow();
    }
  }

  private ServerServiceDefinition service(Sending sending, long safeBytes, boolean exhausted) {
    return ServerServiceDefinition.builder(HealthGrpc.SERVICE_NAME)
        .addMethod(
            sending.method(),
            (transport, _) -> {
              var call = Call.ofDaemon(Principal.uid(0), System.nanoTime());
              var reply = new GrpcReply<>(transport, new UnixPeer(0), call, queue);
              reply.connected(() -> {}, new ResponseMemory(memory, safeBytes));
              transport.request(1);
              return new ServerCall.Listener<>() {
                @Override
                public void onHalfClose() {
                  memory.whileSending(exhausted, () -> sending.send(reply));
                }
              };
            })
        .build();
  }

  @ParameterizedTest
  @EnumSource
  void callerGetsTheReasonIfNoMemoryIsLeft(Sending sending) {
    assertThatThrownBy(() -> call(sending, NEAR_THE_LIMIT, true))
        .satisfies(failsWith(Code.RESOURCE_EXHAUSTED, "MEMORY_BUSY"));
    assertThat(memory.buffers).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void memoryOfTheCheckIsReleased(Sending sending) throws IOException {
    assertThat(call(sending, NEAR_THE_LIMIT, false)).isEqualTo(RESPONSE);
    assertThat(memory.buffers).as("of the check and of the response").hasSize(2);
    Eventually.holds(
        "the buffers are released",
        () -> memory.buffers.stream().allMatch(buffer -> buffer.refCnt() == 0));
  }

  @ParameterizedTest
  @EnumSource
  void checkAllocatesNothingFarFromTheLimit(Sending sending) throws IOException {
    assertThat(call(sending, FAR_FROM_THE_LIMIT, false)).isEqualTo(RESPONSE);
    assertThat(memory.buffers).as("of the response").hasSize(1);
  }

  /// The reason for the check. If gRPC reports another error, the check may be unnecessary.
  @ParameterizedTest
  @EnumSource
  void withoutTheCheckGrpcCancelsTheCall(Sending sending) {
    assertThatThrownBy(() -> call(sending, FAR_FROM_THE_LIMIT, true))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            failure -> assertThat(failure.getStatus().getCode()).isEqualTo(Code.CANCELLED));
  }
}
