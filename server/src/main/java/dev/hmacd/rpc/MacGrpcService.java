package dev.hmacd.rpc;

import com.google.protobuf.ByteString;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.MacRequest;
import dev.hmacd.usecase.MacResult;
import dev.hmacd.usecase.MacService;
import dev.hmacd.usecase.Refusal;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.VerifyMacRequest;
import dev.hmacd.v1.VerifyMacResponse;
import io.grpc.ServerServiceDefinition;

/// Serves `hmacd.v1.MacService`: passes each request to its use case, and encodes the result.
final class MacGrpcService {
  private final MacService macs;
  private final int maxMessageBytes;

  /// @param maxMessageBytes maximum length of a message
  MacGrpcService(MacService macs, int maxMessageBytes) {
    this.macs = macs;
    this.maxMessageBytes = maxMessageBytes;
  }

  ServerServiceDefinition definition(CallStarter starter) {
    return new ServiceBuilder(MacServiceGrpc.getServiceDescriptor(), starter)
        .add(
            MacServiceGrpc.getGenerateMacMethod(),
            GenerateMacRequest.getDefaultInstance(),
            this::generateMac)
        .add(
            MacServiceGrpc.getVerifyMacMethod(),
            VerifyMacRequest.getDefaultInstance(),
            this::verifyMac)
        .build();
  }

  private void generateMac(
      Call call, GenerateMacRequest request, GrpcReply<GenerateMacResponse> reply) {
    refuseUnserved(request.getGrantTokensCount(), request.hasKeyVersion());
    byte[] message = request.getMessage().toByteArray();
    MacRequest domain =
        macRequest(request.getKeyId(), message, request.getMacAlgorithm(), request.getDryRun());
    boolean checked = request.hasMessageCrc32C();
    if (checked) {
      Checksums.check("message", request.getMessageCrc32C(), message);
    }
    macs.generateMac(call, domain, reply.encoding(made -> generated(made, checked)));
  }

  private static GenerateMacResponse generated(MacResult made, boolean checked) {
    return GenerateMacResponse.newBuilder()
        .setKeyId(made.keyArn())
        .setMac(ByteString.copyFrom(made.mac()))
        .setMacAlgorithm(ProtoConverter.algorithm(made.algorithm()))
        .setKeyVersion(made.keyVersion())
        .setMacCrc32C(Checksums.crc32c(made.mac()))
        .setVerifiedMessageCrc32C(checked)
        .build();
  }

  private void verifyMac(Call call, VerifyMacRequest request, GrpcReply<VerifyMacResponse> reply) {
    refuseUnserved(request.getGrantTokensCount(), request.hasKeyVersion());
    byte[] message = request.getMessage().toByteArray();
    byte[] mac = request.getMac().toByteArray();
    MacRequest domain =
        macRequest(request.getKeyId(), message, request.getMacAlgorithm(), request.getDryRun());
    boolean messageChecked = request.hasMessageCrc32C();
    if (messageChecked) {
      Checksums.check("message", request.getMessageCrc32C(), message);
    }
    boolean macChecked = request.hasMacCrc32C();
    if (macChecked) {
      Checksums.check("mac", request.getMacCrc32C(), mac);
    }
    macs.verifyMac(
        call,
        domain,
        mac,
        reply.encoding(
            made ->
                VerifyMacResponse.newBuilder()
                    .setKeyId(made.keyArn())
                    .setMacValid(true)
                    .setMacAlgorithm(ProtoConverter.algorithm(made.algorithm()))
                    .setKeyVersion(made.keyVersion())
                    .setVerifiedMessageCrc32C(messageChecked)
                    .setVerifiedMacCrc32C(macChecked)
                    .build()));
  }

  private MacRequest macRequest(
      String keyId, byte[] message, MacAlgorithm algorithm, boolean dryRun) {
    return new MacRequest(
        keyId, message, ProtoConverter.algorithm(algorithm), dryRun, maxMessageBytes);
  }

  private static void refuseUnserved(int grantTokens, boolean keyVersion) {
    if (grantTokens > 0) {
      throw new Refusal(new Failure.GrantTokensNotServed());
    }
    if (keyVersion) {
      throw new Refusal(new Failure.KeyVersionNotServed());
    }
  }
}
