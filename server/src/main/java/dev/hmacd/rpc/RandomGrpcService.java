package dev.hmacd.rpc;

import com.google.protobuf.ByteString;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.RandomService;
import dev.hmacd.v1.GenerateRandomRequest;
import dev.hmacd.v1.GenerateRandomResponse;
import dev.hmacd.v1.RandomServiceGrpc;
import io.grpc.ServerServiceDefinition;

/// Serves `hmacd.v1.RandomService`: passes each request to its use case, and encodes the result.
final class RandomGrpcService {
  private final RandomService random;

  RandomGrpcService(RandomService random) {
    this.random = random;
  }

  ServerServiceDefinition definition(CallStarter starter) {
    return new ServiceBuilder(RandomServiceGrpc.getServiceDescriptor(), starter)
        .add(
            RandomServiceGrpc.getGenerateRandomMethod(),
            GenerateRandomRequest.getDefaultInstance(),
            this::generateRandom)
        .build();
  }

  private void generateRandom(
      Call call, GenerateRandomRequest request, GrpcReply<GenerateRandomResponse> reply) {
    random.generateRandom(
        call,
        request.getNumberOfBytes(),
        reply.encoding(
            bytes ->
                GenerateRandomResponse.newBuilder()
                    .setPlaintext(ByteString.copyFrom(bytes))
                    .setPlaintextCrc32C(Checksums.crc32c(bytes))
                    .build()));
  }
}
