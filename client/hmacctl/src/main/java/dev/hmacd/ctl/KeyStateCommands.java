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
      Option.required("--description", "TEXT", "What the key is for. No secrets.");

  static final List<Command> ALL =
      List.of(
          new Command(
              "enable-key",
              "Lets a key be used again.",
              List.of(KEY_ID),
              (hmacd, arguments, terminal) ->
                  Optional.of(Answers.key(hmacd.enableKey(arguments.get(KEY_ID))))),
          new Command(
              "disable-key",
              "Keeps a key from being used.",
              List.of(KEY_ID),
              (hmacd, arguments, terminal) ->
                  Optional.of(Answers.key(hmacd.disableKey(arguments.get(KEY_ID))))),
          new Command(
              "schedule-key-deletion",
              "Takes a key out of service now, and destroys it in the HSM when the window is over.",
              List.of(KEY_ID, DAYS),
              (hmacd, arguments, terminal) ->
                  Optional.of(
                      Answers.key(
                          hmacd.scheduleKeyDeletion(
                              arguments.get(KEY_ID), arguments.number(DAYS, 0))))),
          new Command(
              "cancel-key-deletion",
              "Keeps a key that waits for its deletion; it is disabled then.",
              List.of(KEY_ID),
              (hmacd, arguments, terminal) ->
                  Optional.of(Answers.key(hmacd.cancelKeyDeletion(arguments.get(KEY_ID))))),
          new Command(
              "update-key-description",
              "Replaces a key's description.",
              List.of(KEY_ID, DESCRIPTION),
              (hmacd, arguments, terminal) ->
                  Optional.of(
                      Answers.key(
                          hmacd.updateKeyDescription(
                              arguments.get(KEY_ID), arguments.get(DESCRIPTION))))));

  private KeyStateCommands() {}
}
