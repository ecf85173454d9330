package dev.hmacd.ctl;

import dev.hmacd.client.HmacdClient;
import java.util.List;
import java.util.Optional;

/// The commands `create-access-key`, `list-access-keys`, `disable-access-key` and
/// `delete-access-key`.
final class AccessKeyCommands {
  private static final Option PRINCIPAL =
      Option.required(
          "--principal",
          "ARN",
          "The principal, as in access rules: arn:aws:iam::ACCOUNT:user/NAME.");
  private static final Option ACCESS_KEY_ID =
      Option.required("--access-key-id", "ID", "The id of the access key.");

  static final List<Command> ALL =
      List.of(
          new Command(
              "create-access-key",
              "Creates an access key for AWS clients. Its secret is shown only once.",
              List.of(PRINCIPAL),
              Examples::createdAccessKey,
              (hmacd, arguments, terminal) ->
                  Optional.of(Answers.created(hmacd.createAccessKey(arguments.get(PRINCIPAL))))),
          new Command(
              "list-access-keys",
              "Lists all access keys, ordered by id.",
              Paging.OPTIONS,
              Examples::accessKeys,
              (hmacd, arguments, terminal) ->
                  Optional.of(
                      new Paging(arguments, 1000)
                          .list("AccessKeys", hmacd::listAccessKeys, Answers::accessKey))),
          new Command(
              "disable-access-key",
              "Disables an access key permanently.",
              List.of(ACCESS_KEY_ID),
              Examples::none,
              AccessKeyCommands::disable),
          new Command(
              "delete-access-key",
              "Deletes an access key.",
              List.of(ACCESS_KEY_ID),
              Examples::none,
              AccessKeyCommands::delete));

  private AccessKeyCommands() {}

  private static Optional<Value> disable(
      HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    hmacd.disableAccessKey(arguments.get(ACCESS_KEY_ID));
    return Optional.empty();
  }

  private static Optional<Value> delete(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    hmacd.deleteAccessKey(arguments.get(ACCESS_KEY_ID));
    return Optional.empty();
  }
}
