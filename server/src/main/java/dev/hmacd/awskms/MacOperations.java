package dev.hmacd.awskms;

import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.MacRequest;
import dev.hmacd.usecase.MacService;
import java.util.Base64;
import java.util.List;

/// The operations `GenerateMac` and `VerifyMac`.
final class MacOperations {
  static final InputMember MESSAGE =
      InputMember.blob("Message", 1, ModelLimits.MESSAGE_BYTES).required();
  private static final InputMember MAC =
      InputMember.blob("Mac", 1, ModelLimits.CIPHERTEXT_BYTES).required();

  /// The member `MacAlgorithm`, with its values in the order of AWS's error message.
  private static final InputMember MAC_ALGORITHM =
      InputMember.oneOf(
              "MacAlgorithm",
              List.of("HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"))
          .required();

  private static final InputMember DRY_RUN = InputMember.bool("DryRun");

  private final MacService macs;

  MacOperations(MacService macs) {
    this.macs = macs;
  }

  List<Operation> all() {
    return List.of(
        new Operation(
            "GenerateMac",
            InputStructure.of(
                MESSAGE, KeyOperations.KEY_ID, MAC_ALGORITHM, GrantTokens.MEMBER, DRY_RUN),
            this::generateMac),
        new Operation(
            "VerifyMac",
            InputStructure.of(
                MESSAGE, KeyOperations.KEY_ID, MAC_ALGORITHM, MAC, GrantTokens.MEMBER, DRY_RUN),
            this::verifyMac));
  }

  private void generateMac(Call call, OperationInput input, AwsReply reply) {
    macs.generateMac(
        call,
        request(input),
        reply.json(
            (json, made) -> {
              json.writeStringField("KeyId", made.keyArn());
              json.writeStringField("Mac", Base64.getEncoder().encodeToString(made.mac()));
              json.writeStringField("MacAlgorithm", made.algorithm().name());
            }));
  }

  private void verifyMac(Call call, OperationInput input, AwsReply reply) {
    macs.verifyMac(
        call,
        request(input),
        input.blob("Mac"),
        reply.json(
            (json, made) -> {
              json.writeStringField("KeyId", made.keyArn());
              json.writeBooleanField("MacValid", true);
              json.writeStringField("MacAlgorithm", made.algorithm().name());
            }));
  }

  private static MacRequest request(OperationInput input) {
    GrantTokens.refuse(input);
    return new MacRequest(
        input.text("KeyId"),
        input.blob("Message"),
        MacAlgorithm.valueOf(input.text("MacAlgorithm")),
        input.bool("DryRun"),
        ModelLimits.MESSAGE_BYTES);
  }
}
