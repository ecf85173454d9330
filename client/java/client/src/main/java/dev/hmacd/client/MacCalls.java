package dev.hmacd.client;

import com.google.protobuf.MessageLite;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.VerifyMacRequest;
import dev.hmacd.v1.VerifyMacResponse;
import io.grpc.MethodDescriptor;
import io.grpc.Status.Code;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/// The calls of `MacService`, and the checks of messages and MACs before a call. [HmacdClient]
/// documents them.
///
/// @param maxMessageBytes length of the longest message that is sent
record MacCalls(Calls calls, List<String> grantTokens, int maxMessageBytes) {
  private static final MethodDescriptor<GenerateMacRequest, GenerateMacResponse> GENERATE =
      MacServiceGrpc.getGenerateMacMethod();
  private static final MethodDescriptor<VerifyMacRequest, VerifyMacResponse> VERIFY =
      MacServiceGrpc.getVerifyMacMethod();

  Mac generate(String keyId, byte[] message, MacAlgorithm algorithm) {
    return calls.safe(
        GENERATE, request(keyId, message, algorithm, false), answer -> Wire.mac(answer, algorithm));
  }

  CompletableFuture<Mac> generateAsync(String keyId, byte[] message, MacAlgorithm algorithm) {
    try {
      return calls.safeAsync(
          GENERATE,
          request(keyId, message, algorithm, false),
          answer -> Wire.mac(answer, algorithm));
    } catch (HmacdException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  void dryRunGenerate(String keyId, byte[] message, MacAlgorithm algorithm) {
    dryRun(GENERATE, request(keyId, message, algorithm, true));
  }

  Verification verify(String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac) {
    return calls.safe(
        VERIFY,
        request(keyId, message, algorithm, mac, false),
        answer -> Wire.verification(answer, algorithm));
  }

  CompletableFuture<Verification> verifyAsync(
      String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac) {
    try {
      return calls.safeAsync(
          VERIFY,
          request(keyId, message, algorithm, mac, false),
          answer -> Wire.verification(answer, algorithm));
    } catch (HmacdException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  void dryRunVerify(String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac) {
    dryRun(VERIFY, request(keyId, message, algorithm, mac, true));
  }

  private GenerateMacRequest request(
      String keyId, byte[] message, MacAlgorithm algorithm, boolean dryRun) {
    checkMessage(message);
    return Wire.generateMac(keyId, message, algorithm, grantTokens, dryRun);
  }

  private VerifyMacRequest request(
      String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac, boolean dryRun) {
    checkMessage(message);
    if (mac.length != algorithm.macBytes()) {
      throw HmacdException.refused(
          ErrorReason.KMS_INVALID_MAC,
          Code.INVALID_ARGUMENT,
          "the MAC has " + mac.length + " bytes, " + algorithm + " has " + algorithm.macBytes());
    }
    return Wire.verifyMac(keyId, message, algorithm, mac, grantTokens, dryRun);
  }

  private void checkMessage(byte[] message) {
    if (message.length == 0) {
      throw HmacdException.refused(
          ErrorReason.INVALID_ARGUMENT, Code.INVALID_ARGUMENT, "the message is empty");
    }
    if (message.length > maxMessageBytes) {
      Failure failure =
          Failure.local(
              ErrorReason.MESSAGE_TOO_LONG,
              Code.INVALID_ARGUMENT,
              "the message has " + message.length + " bytes, the limit is " + maxMessageBytes);
      throw new MessageTooLongException(
          failure, CallFacts.NO_ATTEMPT, maxMessageBytes, message.length);
    }
  }

  private <Q extends MessageLite, A> void dryRun(MethodDescriptor<Q, A> method, Q request) {
    try {
      calls.safe(method, request, Function.identity());
    } catch (HmacdException e) {
      if (e.reason() == ErrorReason.DRY_RUN_OPERATION) {
        return;
      }
      throw e;
    }
    throw HmacdException.refused(
        ErrorReason.DRY_RUN_IGNORED, Code.OK, "the daemon ignored dry_run, and ran the request");
  }
}
