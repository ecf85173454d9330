package dev.hmacd.ctl;

import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.Tag;
import java.util.List;
import java.util.Optional;

/// The commands `tag-resource`, `untag-resource` and `list-resource-tags`.
final class TagCommands {
  static final Option TAGS =
      Option.list("--tags", "TAG...", "Tags, each as TagKey=KEY,TagValue=VALUE. No secrets.");

  private static final Option KEY_ID =
      Option.required("--key-id", "KEY", "The key: key id or key ARN.");
  private static final Option TAG_KEYS =
      Option.list("--tag-keys", "KEY...", "The tag keys of the tags to remove.");

  private static final String KEY = "TagKey=";
  private static final String VALUE = ",TagValue=";

  static final List<Command> ALL =
      List.of(
          new Command(
              "tag-resource",
              "Adds tags to a key. A tag replaces an existing tag with the same tag key.",
              List.of(KEY_ID, TAGS),
              Examples::none,
              TagCommands::tag),
          new Command(
              "untag-resource",
              "Removes tags from a key.",
              List.of(KEY_ID, TAG_KEYS),
              Examples::none,
              TagCommands::untag),
          new Command(
              "list-resource-tags",
              "Lists a key's tags, in the order of their first addition.",
              Paging.optionsAnd(KEY_ID),
              Examples::tags,
              TagCommands::list));

  private TagCommands() {}

  private static Optional<Value> tag(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    requireSome(arguments, TAGS);
    hmacd.tagResource(arguments.get(KEY_ID), tags(arguments));
    return Optional.empty();
  }

  private static Optional<Value> untag(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    requireSome(arguments, TAG_KEYS);
    hmacd.untagResource(arguments.get(KEY_ID), arguments.all(TAG_KEYS));
    return Optional.empty();
  }

  private static Optional<Value> list(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    return Optional.of(
        new Paging(arguments, 50)
            .list(
                "Tags",
                (pageSize, pageToken) ->
                    hmacd.listResourceTags(arguments.get(KEY_ID), pageSize, pageToken),
                Answers::tag));
  }

  private static void requireSome(Arguments arguments, Option option) {
    if (!arguments.has(option)) {
      throw new UsageException("missing option: " + option.name());
    }
  }

  /// Parses tags in the shorthand syntax of the AWS CLI.
  static List<Tag> tags(Arguments arguments) {
    return arguments.all(TAGS).stream().map(TagCommands::parse).toList();
  }

  private static Tag parse(String text) {
    int value = text.indexOf(VALUE);
    if (!text.startsWith(KEY) || value < 0) {
      throw new UsageException("--tags must be TagKey=KEY,TagValue=VALUE: " + text);
    }
    return new Tag(text.substring(KEY.length(), value), text.substring(value + VALUE.length()));
  }
}
