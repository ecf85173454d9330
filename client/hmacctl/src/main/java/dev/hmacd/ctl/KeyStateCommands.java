package dev.hmacd.ctl;

import java.util.List;
import java.util.Optional;

/// The commands that change a key's state or description.
final class KeyStateCommands {
  private static final Option KEY_ID =
      Option.required("--key-id", "KEY", "The key: key id or key ARN.");
  private static final Option DAYS =
      Option.optional(
          "--pending-window-in-days",
          "N",
          "Days until the key is destroyed, 7 to 30. Default: 30.");
  private static final Option DESCRIPTION =
      Option.required("--description", "TEXT", "The purpose of the key. No secrets.");

  static final List<Command> ALL =
      List.of(
          new Command(
              "enable-key",
              "Enables a key.",
              List.of(KEY_ID),
              Examples::key,
              (hmacd, arguments, terminal) ->
                  Optional.of(Answers.key(hmacd.enableKey(arguments.get(KEY_ID))))),
          new Command(
              "disable-key",
              "Disables a key.",
              List.of(KEY_ID),
              Examples::key,
              (hmacd, arguments, terminal) ->
                  Optional.of(Answers.key(hmacd.disableKey(arguments.get(KEY_ID))))),
          new Command(
              "schedule-key-deletion",
              "Takes a key out of service now; destroys it in the HSM at the end of the window.",
              List.of(KEY_ID, DAYS),
              Examples::key,
              (hmacd, arguments, terminal) ->
                  Optional.of(
                      Answers.key(
                          hmacd.scheduleKeyDeletion(
                              arguments.get(KEY_ID), arguments.number(DAYS, 0))))),
          new Command(
              "cancel-key-deletion",
              "Cancels the deletion of a key. The key is then disabled.",
              List.of(KEY_ID),
              Examples::key,
              (hmacd, arguments, terminal) ->
                  Optional.of(Answers.key(hmacd.cancelKeyDeletion(arguments.get(KEY_ID))))),
          new Command(
              "update-key-description",
              "Replaces a key's description.",
              List.of(KEY_ID, DESCRIPTION),
              Examples::key,
              (hmacd, arguments, terminal) ->
                  Optional.of(
                      Answers.key(
                          hmacd.updateKeyDescription(
                              arguments.get(KEY_ID), arguments.get(DESCRIPTION))))));

  private KeyStateCommands() {}
}
