package dev.hmacd.ctl;

import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.KeySpec;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/// The commands `create-key`, `adopt-key`, `describe-key` and `list-keys`.
final class KeyCommands {
  static final Option KEY_ID =
      Option.required("--key-id", "KEY", "Key id, key ARN, alias name (alias/...) or alias ARN.");
  static final Option GRANT_TOKENS =
      Option.list("--grant-tokens", "TOKEN...", "Grant tokens, at most 10.");

  private static final Option KEY_SPEC =
      Option.required("--key-spec", "SPEC", "The spec of the key:")
          .of(List.of("HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"));
  private static final Option DESCRIPTION =
      Option.optional("--description", "TEXT", "The purpose of the key. No secrets.");
  private static final Option TOKEN_SERIAL =
      Option.optional(
          "--token-serial",
          "SERIAL",
          "Serial number of the token for the key. Default: the first configured token.");
  private static final Option OBJECT_LABEL =
      Option.optional("--object-label", "LABEL", "CKA_LABEL of the secret key.");
  private static final Option OBJECT_ID =
      Option.optional("--object-id", "HEX", "CKA_ID of the secret key, hexadecimal digits.");

  static final List<Command> ALL =
      List.of(
          new Command(
              "create-key",
              "Creates a key in the HSM.",
              List.of(KEY_SPEC, DESCRIPTION, TagCommands.TAGS, TOKEN_SERIAL),
              Examples::key,
              KeyCommands::create),
          new Command(
              "adopt-key",
              "Registers a key that a key ceremony put on the token. Exactly one key must match"
                  + " --object-label, --object-id, or both.",
              List.of(OBJECT_LABEL, OBJECT_ID, KEY_SPEC, DESCRIPTION, TagCommands.TAGS),
              Examples::key,
              KeyCommands::adopt),
          new Command(
              "describe-key",
              "Shows the metadata of a key.",
              List.of(KEY_ID, GRANT_TOKENS),
              Examples::key,
              KeyCommands::describe),
          new Command(
              "list-keys",
              "Lists all keys, ordered by key id.",
              Paging.OPTIONS,
              Examples::keys,
              (hmacd, arguments, terminal) ->
                  Optional.of(
                      new Paging(arguments, 1000)
                          .list("Keys", hmacd::listKeys, Answers::keyListEntry))));

  private KeyCommands() {}

  private static Optional<Value> create(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    return Optional.of(
        Answers.key(
            hmacd.createKey(
                keySpec(arguments),
                arguments.find(DESCRIPTION).orElse(""),
                TagCommands.tags(arguments),
                arguments.find(TOKEN_SERIAL))));
  }

  private static Optional<Value> adopt(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    if (!arguments.has(OBJECT_LABEL) && !arguments.has(OBJECT_ID)) {
      throw new UsageException("use --object-label, --object-id, or both");
    }
    KeySpec keySpec = keySpec(arguments);
    String description = arguments.find(DESCRIPTION).orElse("");
    return Optional.of(
        Answers.key(
            hmacd.adoptKey(
                arguments.find(OBJECT_LABEL),
                arguments.find(OBJECT_ID).map(KeyCommands::objectId),
                keySpec,
                description,
                TagCommands.tags(arguments))));
  }

  private static Optional<Value> describe(
      HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    return Optional.of(
        Answers.key(
            hmacd.withGrantTokens(arguments.all(GRANT_TOKENS)).describeKey(arguments.get(KEY_ID))));
  }

  private static KeySpec keySpec(Arguments arguments) {
    return KeySpec.valueOf(arguments.get(KEY_SPEC));
  }

  private static byte[] objectId(String hex) {
    try {
      return HexFormat.of().parseHex(hex);
    } catch (IllegalArgumentException e) {
      throw new UsageException("--object-id must be pairs of hexadecimal digits: " + hex);
    }
  }
}
