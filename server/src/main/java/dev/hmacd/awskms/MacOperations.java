package dev.hmacd.awskms;

import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.MacRequest;
import dev.hmacd.usecase.MacService;
import java.util.Base64;
import java.util.List;

/// The operations `GenerateMac` and `VerifyMac`.
final class MacOperations {
  private static final Member MESSAGE =
      Member.blob("Message", 1, MacRequest.MAX_MESSAGE_BYTES).required();
  private static final Member MAC = Member.blob("Mac", 1, MacRequest.MAX_MAC_BYTES).required();

  /// The values in the order of AWS's message.
  private static final Member MAC_ALGORITHM =
      Member.oneOf(
              "MacAlgorithm",
              List.of("HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"))
          .required();

  private static final Member DRY_RUN = Member.bool("DryRun");

  private final MacService macs;

  MacOperations(MacService macs) {
    this.macs = macs;
  }

  List<Operation> all() {
    return List.of(
        new Operation(
            "GenerateMac",
            Members.of(MESSAGE, KeyOperations.KEY_ID, MAC_ALGORITHM, GrantTokens.MEMBER, DRY_RUN),
            this::generateMac),
        new Operation(
            "VerifyMac",
            Members.of(
                MESSAGE, KeyOperations.KEY_ID, MAC_ALGORITHM, MAC, GrantTokens.MEMBER, DRY_RUN),
            this::verifyMac));
  }

  private void generateMac(Call call, Input input, Answer answer) {
    macs.generateMac(
        call,
        request(input),
        answer.json(
            (json, made) -> {
              json.writeStringField("KeyId", made.keyArn());
              json.writeStringField("Mac", Base64.getEncoder().encodeToString(made.mac()));
              json.writeStringField("MacAlgorithm", made.algorithm().name());
            }));
  }

  private void verifyMac(Call call, Input input, Answer answer) {
    macs.verifyMac(
        call,
        request(input),
        input.blob("Mac"),
        answer.json(
            (json, made) -> {
              json.writeStringField("KeyId", made.keyArn());
              json.writeBooleanField("MacValid", true);
              json.writeStringField("MacAlgorithm", made.algorithm().name());
            }));
  }

  private static MacRequest request(Input input) {
    GrantTokens.refuse(input);
    return new MacRequest(
        input.text("KeyId"),
        input.blob("Message"),
        MacAlgorithm.valueOf(input.text("MacAlgorithm")),
        input.bool("DryRun"));
  }
}
