import com.google.protobuf.ByteString;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.VerifyMacRequest;
import dev.hmacd.v1.VerifyMacResponse;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;

/// Shows the cost of gRPC in Java: a MacService without keys, token or checks. Its answer is always
/// the same.
///
/// Arguments: default (calls run on grpc-java's own executor) or direct (calls run on the event
/// loop), and the path of the Unix socket.
final class EchoGrpc {
  private static final int MAC_BYTES = 32;

  private EchoGrpc() {}

  public static void main(String[] args) throws Exception {
    var loops = new MultiThreadIoEventLoopGroup(EpollIoHandler.newFactory());
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(new DomainSocketAddress(args[1]))
            .channelFactory(EpollServerDomainSocketChannel::new)
            .bossEventLoopGroup(loops)
            .workerEventLoopGroup(loops)
            // gRPC sets this option on every connection. A Unix socket does not have it, and Netty
            // would log a warning.
            .withChildOption(ChannelOption.SO_KEEPALIVE, null)
            .addService(new Echo());
    switch (args[0]) {
      case "default" -> {}
      case "direct" -> builder.directExecutor();
      default -> throw new IllegalArgumentException(args[0]);
    }
    builder.build().start().awaitTermination();
  }

  private static final class Echo extends MacServiceGrpc.MacServiceImplBase {
    private static final GenerateMacResponse MAC =
        GenerateMacResponse.newBuilder()
            .setKeyId("alias/bench")
            .setMac(ByteString.copyFrom(new byte[MAC_BYTES]))
            .setMacAlgorithmValue(2)
            .setKeyVersion(1)
            .build();
    private static final VerifyMacResponse VALID =
        VerifyMacResponse.newBuilder()
            .setKeyId("alias/bench")
            .setMacValid(true)
            .setMacAlgorithmValue(2)
            .setKeyVersion(1)
            .build();

    @Override
    public void generateMac(GenerateMacRequest request, StreamObserver<GenerateMacResponse> to) {
      to.onNext(MAC);
      to.onCompleted();
    }

    @Override
    public void verifyMac(VerifyMacRequest request, StreamObserver<VerifyMacResponse> to) {
      to.onNext(VALID);
      to.onCompleted();
    }
  }
}
