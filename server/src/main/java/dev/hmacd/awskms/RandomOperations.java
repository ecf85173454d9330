package dev.hmacd.awskms;

import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.RandomService;
import java.util.Base64;
import java.util.List;

/// The operation `GenerateRandom`.
final class RandomOperations {
  private static final String NUMBER_OF_BYTES = "NumberOfBytes";

  private final RandomService random;

  RandomOperations(RandomService random) {
    this.random = random;
  }

  List<Operation> all() {
    return List.of(
        new Operation(
            "GenerateRandom",
            InputStructure.of(
                InputMember.integer(NUMBER_OF_BYTES, 1, ModelLimits.RANDOM_BYTES),
                InputMember.unserved("CustomKeyStoreId"),
                InputMember.unserved("Recipient")),
            this::generateRandom));
  }

  private void generateRandom(Call call, OperationInput input, AwsReply reply) {
    // The member is optional in AWS's model, so AWS reports its absence with another text.
    int count =
        input
            .number(NUMBER_OF_BYTES)
            .orElseThrow(
                () -> new AwsException(AwsError.validation(NUMBER_OF_BYTES + " is required.")));
    random.generateRandom(
        call,
        count,
        reply.json(
            (json, bytes) ->
                json.writeStringField("Plaintext", Base64.getEncoder().encodeToString(bytes))));
  }
}
