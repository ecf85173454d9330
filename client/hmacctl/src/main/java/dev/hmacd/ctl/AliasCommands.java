package dev.hmacd.ctl;

import dev.hmacd.client.HmacdClient;
import java.util.List;
import java.util.Optional;

/// The commands `create-alias`, `update-alias`, `delete-alias` and `list-aliases`.
final class AliasCommands {
  private static final Option ALIAS_NAME =
      Option.required(
          "--alias-name", "ALIAS", "alias/ followed by letters, digits, '/', '_' or '-'.");
  private static final Option TARGET_KEY_ID =
      Option.required("--target-key-id", "KEY", "The key: key id or key ARN.");
  private static final Option OF_KEY_ID =
      Option.optional("--key-id", "KEY", "Only aliases of this key: key id or key ARN.");

  static final List<Command> ALL =
      List.of(
          new Command(
              "create-alias",
              "Creates an alias that points at a key.",
              List.of(ALIAS_NAME, TARGET_KEY_ID),
              Examples::none,
              AliasCommands::create),
          new Command(
              "update-alias",
              "Points an existing alias at another key.",
              List.of(ALIAS_NAME, TARGET_KEY_ID),
              Examples::none,
              AliasCommands::update),
          new Command(
              "delete-alias",
              "Deletes an alias. The key stays.",
              List.of(ALIAS_NAME),
              Examples::none,
              AliasCommands::delete),
          new Command(
              "list-aliases",
              "Lists aliases, ordered by name.",
              Paging.optionsAnd(OF_KEY_ID),
              Examples::aliases,
              AliasCommands::list));

  private AliasCommands() {}

  private static Optional<Value> create(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    hmacd.createAlias(arguments.get(ALIAS_NAME), arguments.get(TARGET_KEY_ID));
    return Optional.empty();
  }

  private static Optional<Value> update(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    hmacd.updateAlias(arguments.get(ALIAS_NAME), arguments.get(TARGET_KEY_ID));
    return Optional.empty();
  }

  private static Optional<Value> delete(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    hmacd.deleteAlias(arguments.get(ALIAS_NAME));
    return Optional.empty();
  }

  private static Optional<Value> list(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    String keyId = arguments.find(OF_KEY_ID).orElse("");
    return Optional.of(
        new Paging(arguments, 100)
            .list(
                "Aliases",
                (pageSize, pageToken) -> hmacd.listAliases(keyId, pageSize, pageToken),
                Answers::aliasListEntry));
  }
}
