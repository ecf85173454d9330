package dev.hmacd.client;

import dev.hmacd.v1.MacServiceGrpc;
import io.grpc.MethodDescriptor;
import io.grpc.Status.Code;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/// The calls of `MacService`. [HmacdClient] documents them.
record MacCalls(Calls calls, List<String> grantTokens) {
  Mac generate(String keyId, byte[] message, MacAlgorithm algorithm) {
    return calls.checkedCall(
        MacServiceGrpc.getGenerateMacMethod(),
        Wire.generateMac(keyId, message, algorithm, grantTokens, false),
        Wire::mac);
  }

  CompletableFuture<Mac> generateAsync(String keyId, byte[] message, MacAlgorithm algorithm) {
    return calls.checkedCallAsync(
        MacServiceGrpc.getGenerateMacMethod(),
        Wire.generateMac(keyId, message, algorithm, grantTokens, false),
        Wire::mac);
  }

  void dryRunGenerate(String keyId, byte[] message, MacAlgorithm algorithm) {
    dryRun(
        MacServiceGrpc.getGenerateMacMethod(),
        Wire.generateMac(keyId, message, algorithm, grantTokens, true));
  }

  Verification verify(String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac) {
    return calls.checkedCall(
        MacServiceGrpc.getVerifyMacMethod(),
        Wire.verifyMac(keyId, message, algorithm, mac, grantTokens, false),
        Wire::verification);
  }

  CompletableFuture<Verification> verifyAsync(
      String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac) {
    return calls.checkedCallAsync(
        MacServiceGrpc.getVerifyMacMethod(),
        Wire.verifyMac(keyId, message, algorithm, mac, grantTokens, false),
        Wire::verification);
  }

  void dryRunVerify(String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac) {
    dryRun(
        MacServiceGrpc.getVerifyMacMethod(),
        Wire.verifyMac(keyId, message, algorithm, mac, grantTokens, true));
  }

  private <Q, A> void dryRun(MethodDescriptor<Q, A> method, Q request) {
    try {
      calls.checkedCall(method, request, Function.identity());
    } catch (HmacdException e) {
      if (e.reason() == ErrorReason.DRY_RUN_OPERATION) {
        return;
      }
      throw e;
    }
    throw new HmacdException(
        ErrorReason.DRY_RUN_IGNORED, Code.OK, "the daemon ignored dry_run, and ran the request");
  }
}
