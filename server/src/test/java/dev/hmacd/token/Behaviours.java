package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.testing.ContractToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Observed behaviours of the token under test, in the file of the system property
/// `hmacd.test.behaviours`. The main method prints a table of several such files.
final class Behaviours {
  private static final String NAME = "name";

  @GuardedBy("Behaviours.class")
  private static final Map<Behaviour, String> SEEN = new EnumMap<>(Behaviour.class);

  private Behaviours() {}

  /// Notes a behaviour. Fails if the token behaved differently before.
  static synchronized void note(Behaviour behaviour, String what) {
    String before = SEEN.putIfAbsent(behaviour, what);
    assertThat(what).as(behaviour.title()).isEqualTo(before == null ? what : before);
    String file = System.getProperty("hmacd.test.behaviours");
    if (file != null) {
      write(Path.of(file));
    }
  }

  @GuardedBy("Behaviours.class")
  private static void write(Path file) {
    // The file keeps the behaviours that other JVMs noted.
    Properties all = Files.exists(file) ? read(file.toString()) : new Properties();
    all.setProperty(NAME, ContractToken.ofThisJvm().name());
    SEEN.forEach((behaviour, what) -> all.setProperty(behaviour.name(), what));
    try (var out = Files.newBufferedWriter(file)) {
      all.store(out, null);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Prints the table, in Markdown.
  ///
  /// @param arguments the files, one for each token
  public static void main(String[] arguments) throws IOException {
    List<Properties> tokens = Arrays.stream(arguments).map(Behaviours::read).toList();
    System.out.println(row("", tokens, token -> token.getProperty(NAME)));
    System.out.println(row("---", tokens, _ -> "---"));
    for (Behaviour behaviour : Behaviour.values()) {
      System.out.println(
          row(
              behaviour.title(),
              tokens,
              token -> token.getProperty(behaviour.name(), "not tried")));
    }
  }

  private static Properties read(String file) {
    Properties properties = new Properties();
    try (var in = Files.newBufferedReader(Path.of(file))) {
      properties.load(in);
      return properties;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String row(
      String title, List<Properties> tokens, Function<Properties, String> cell) {
    return Stream.concat(Stream.of(title), tokens.stream().map(cell))
        .collect(Collectors.joining(" | ", "| ", " |"));
  }
}
