package dev.hmacd.command;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.ExitCode;
import dev.hmacd.command.Arguments.UsageException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The help names the options of the commands, and no others.
final class HelpTest {
  private static final Pattern OPTION = Pattern.compile("(?<![\\w-])--[a-z][a-z-]*");
  private static final Path ROOT = Path.of("..");

  private static Set<String> options(String text) {
    return OPTION.matcher(text).results().map(MatchResult::group).collect(Collectors.toSet());
  }

  private static Set<String> declared(CommandName name) {
    return name.create().options().stream().map(Option::name).collect(Collectors.toSet());
  }

  private static String output(ExitCode exitCode, String... arguments) throws Exception {
    PrintStream out = System.out;
    var printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, UTF_8));
    try {
      assertThat(CommandLine.run(arguments)).isEqualTo(exitCode);
    } finally {
      System.setOut(out);
    }
    return printed.toString(UTF_8);
  }

  @ParameterizedTest
  @EnumSource
  void helpOfACommandHasItsOptionsAndNoOthers(CommandName name) {
    Set<String> expected = new TreeSet<>(declared(name));
    expected.add("--help");
    assertThat(options(Help.of(name))).containsExactlyInAnyOrderElementsOf(expected);
  }

  @ParameterizedTest
  @EnumSource
  void helpHasPlaceholderDefaultAndDescriptionOfEachOption(CommandName name) {
    String help = oneLine(Help.of(name));
    for (Option option : name.create().options()) {
      assertThat(help).contains(option.synopsis() + " " + option.description());
      assertThat(option.description()).endsWith(".");
      if (!option.defaultValue().isEmpty()) {
        assertThat(help).contains("Default: " + option.defaultValue() + ".");
      }
      assertThat(option.placeholder().isEmpty()).isEqualTo(option.kind() == Option.Kind.FLAG);
    }
    assertThat(help).contains(name.create().description());
  }

  @Test
  void helpOfAllHasAllCommandsOptionsAndExitCodes() {
    String help = Help.all();
    Set<String> expected = new TreeSet<>(Set.of("--help", "--version"));
    for (CommandName name : CommandName.values()) {
      expected.addAll(declared(name));
      assertThat(help).contains("\nhmacd " + name);
    }
    assertThat(options(help)).containsExactlyInAnyOrderElementsOf(expected);
    for (ExitCode exit : ExitCode.values()) {
      assertThat(oneLine(help)).contains(" " + exit.code() + " " + exit.meaning());
    }
    assertThat(help.lines()).allMatch(line -> line.length() <= 80);
  }

  private static String oneLine(String text) {
    return text.replaceAll("\\s+", " ");
  }

  @ParameterizedTest
  @EnumSource
  void eachDeclaredOptionIsAccepted(CommandName name) throws UsageException {
    List<Option> options = name.create().options();
    List<String> line = new ArrayList<>(List.of(name.toString()));
    for (Option option : options) {
      line.add(option.kind() == Option.Kind.FLAG ? option.name() : option.name() + "=value");
    }
    Arguments arguments = Arguments.parse(line.toArray(String[]::new), 1, options);
    assertThat(options)
        .allMatch(
            option ->
                arguments.get(option).equals(option.kind() == Option.Kind.FLAG ? "" : "value"));
  }

  @ParameterizedTest
  @EnumSource
  void helpOfACommandIsPrintedAlsoAfterOtherArguments(CommandName name) throws Exception {
    String help = Help.of(name);
    assertThat(output(ExitCode.OK, name.toString(), "--help")).isEqualTo(help);
    assertThat(output(ExitCode.OK, name.toString(), "--nonsense", "-h")).isEqualTo(help);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--help", "-h", "help"})
  void helpOfAllIsPrinted(String argument) throws Exception {
    assertThat(output(ExitCode.OK, argument)).isEqualTo(Help.all());
  }

  /// A build by the scripts in a git checkout knows its commit.
  @ParameterizedTest
  @ValueSource(strings = {"--version", "-V"})
  void versionAndCommitArePrinted(String argument) throws Exception {
    assertThat(output(ExitCode.OK, argument))
        .matches("hmacd \\d+\\.\\d+\\.\\d+\\S* \\(commit (unknown|[0-9a-f]{12,}(-dirty)?)\\)\n");
  }

  @Test
  void emptyCommandLineIsAnErrorWithTheHelp() throws Exception {
    assertThat(output(ExitCode.USAGE)).isEqualTo(Help.all());
  }

  @Test
  void valueOfAnOptionIsItsDefaultIfTheOptionIsNotGiven() throws UsageException {
    Option withDefault = Option.withDefault("--a", "A", "the default", "An option.");
    Option without = Option.optional("--b", "B", "Another option.");
    var arguments = Arguments.parse(new String[0], 0, List.of(withDefault, without));
    assertThat(arguments.find(withDefault)).contains("the default");
    assertThat(arguments.find(without)).isEmpty();
  }

  @Test
  void undeclaredOptionCannotBeRead() throws UsageException {
    var arguments = Arguments.parse(new String[0], 0, List.of());
    Option undeclared = Option.flag("--a", "An option.");
    assertThatThrownBy(() -> arguments.has(undeclared))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the command does not declare --a");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--config: --config needs a value",
        "--config a --config b: --config is given twice",
        "--new-registry --config=a --new-registry=b: --new-registry takes no value",
        "--nonsense=b: unknown argument --nonsense=b",
        "--new-registry: --config is missing"
      })
  void faultsOfACommandLine(String row) {
    int colon = row.indexOf(": ");
    String[] arguments = row.substring(0, colon).split(" ", -1);
    assertThatThrownBy(() -> Arguments.parse(arguments, 0, CommandName.INIT.create().options()))
        .isInstanceOf(UsageException.class)
        .hasMessage(row.substring(colon + 2));
  }

  /// The documents and scripts name no option that a command does not have.
  @Test
  void documentsNameDeclaredOptionsOnly() throws IOException {
    Pattern use = Pattern.compile("\\bhmacd (serve|init|check|dev)\\b([^`\\n|;&]*)");
    List<Path> files;
    try (Stream<Path> walked = Files.walk(ROOT.resolve("docs"))) {
      files = new ArrayList<>(walked.filter(file -> file.toString().endsWith(".md")).toList());
    }
    for (String name :
        List.of("README.md", "SECURITY.md", "CHANGELOG.md", "hsm-config/README.md")) {
      files.add(ROOT.resolve(name));
    }
    int found = 0;
    for (Path file : files) {
      for (MatchResult match : use.matcher(Files.readString(file)).results().toList()) {
        Set<String> declared = declared(CommandName.of(match.group(1)).orElseThrow());
        assertThat(declared).as("%s: %s", file, match.group()).containsAll(options(match.group(2)));
        found += options(match.group(2)).size();
      }
    }
    assertThat(found).isPositive();
  }
}
