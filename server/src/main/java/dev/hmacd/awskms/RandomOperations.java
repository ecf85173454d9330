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
            Members.of(
                Member.integer(NUMBER_OF_BYTES, 1, RandomService.MAX_BYTES).required(),
                Member.unserved("CustomKeyStoreId"),
                Member.unserved("Recipient")),
            this::generateRandom));
  }

  private void generateRandom(Call call, Input input, Answer answer) {
    int count = input.number(NUMBER_OF_BYTES).orElseThrow();
    random.generateRandom(
        call,
        count,
        answer.json(
            (json, bytes) ->
                json.writeStringField("Plaintext", Base64.getEncoder().encodeToString(bytes))));
  }
}
