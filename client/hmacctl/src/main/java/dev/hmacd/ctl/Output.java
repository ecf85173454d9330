package dev.hmacd.ctl;

import java.util.List;
import java.util.Optional;

/// The output format, and the query that selects a part of the answer.
final class Output {
  private static final Option FORMAT =
      Option.optional(
              "--output",
              "FORMAT",
              "Default: json. The format text has tabs, as in the AWS CLI. One of:")
          .of(List.of("json", "text", "table"));
  private static final Option QUERY =
      Option.optional(
          "--query",
          "NAMES",
          "Only this part of the answer, such as Mac, KeyMetadata.KeyId or Keys[].KeyId.");

  static final List<Option> OPTIONS = List.of(FORMAT, QUERY);

  private final String format;
  private final Optional<Query> query;

  /// @throws UsageException if the answers of the command cannot have the part of the query
  Output(Arguments arguments, Command command) {
    this.format = arguments.find(FORMAT).orElse("json");
    this.query = arguments.find(QUERY).map(Query::parse);
    query.ifPresent(part -> part.check(command.example().get(), command.name()));
  }

  /// The answer as text, in which every line ends with a line feed.
  ///
  /// @throws CommandException if the answer does not have the part of the query
  String render(Value answer) {
    Value part = query.isEmpty() ? answer : selected(query.get(), answer);
    return switch (format) {
      case "text" -> Text.render(part);
      case "table" -> Table.render(part);
      default -> Json.render(part);
    };
  }

  private static Value selected(Query query, Value answer) {
    return query
        .of(answer)
        .orElseThrow(
            () ->
                new CommandException(
                    ExitCode.NOTHING_SELECTED,
                    "--query: this answer has no field " + query.text(),
                    "The request succeeded. Omit --query for the whole answer."));
  }
}
