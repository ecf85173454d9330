package dev.hmacd.ctl;

import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import java.util.Optional;

/// Explains the refusal of an alias by a command that accepts only a key id or a key ARN.
final class AliasRefusal {
  private AliasRefusal() {}

  /// The failure with an explanation, if an alias is its cause; otherwise the failure itself. The
  /// explanation has the key of the alias if the caller may describe it.
  static RuntimeException explained(
      HmacdException failure, Command command, HmacdClient hmacd, Arguments arguments) {
    if (failure.reason() != ErrorReason.INVALID_KEY_ID) {
      return failure;
    }
    String name = "--" + failure.metadata().getOrDefault("field", "key_id").replace('_', '-');
    Optional<String> alias =
        command.ownOptions().stream()
            .filter(option -> option.name().equals(name) && !option.equals(KeyCommands.KEY_ID))
            .findFirst()
            .flatMap(arguments::find)
            .filter(given -> given.startsWith("alias/") || given.contains(":alias/"));
    if (alias.isEmpty()) {
      return failure;
    }
    return new CommandException(
        ExitCode.REFUSED,
        ErrorReason.INVALID_KEY_ID
            + ": "
            + command.name()
            + " "
            + name
            + " accepts a key id or key ARN, no alias: "
            + alias.get(),
        hint(alias.get(), name, hmacd));
  }

  private static String hint(String alias, String option, HmacdClient hmacd) {
    try {
      return "The alias leads to this key now: " + option + " " + hmacd.describeKey(alias).keyId();
    } catch (HmacdException e) { // For example, the caller may not describe the key.
      return "Use the id of the key that the alias leads to.";
    }
  }
}
