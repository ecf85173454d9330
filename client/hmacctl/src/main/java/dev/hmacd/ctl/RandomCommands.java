package dev.hmacd.ctl;

import java.util.List;
import java.util.Optional;

/// The command `generate-random`.
final class RandomCommands {
  private static final Option NUMBER_OF_BYTES =
      Option.required("--number-of-bytes", "N", "The number of random bytes, 1 to 1024.");

  static final List<Command> ALL =
      List.of(
          new Command(
              "generate-random",
              "Generates random bytes in the HSM. Plaintext in the answer has them in base64.",
              List.of(NUMBER_OF_BYTES),
              Examples::random,
              (hmacd, arguments, terminal) ->
                  Optional.of(
                      Answers.random(hmacd.generateRandom(arguments.number(NUMBER_OF_BYTES, 0))))));

  private RandomCommands() {}
}
