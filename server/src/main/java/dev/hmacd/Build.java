package dev.hmacd;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/// The build of this program.
///
/// @param version version of the Maven project
/// @param commit abbreviated git commit, with `-dirty` if files had uncommitted changes; `unknown`
///   if the build was not made by the scripts in a git checkout
public record Build(String version, String commit) {
  private static final String FILE = "build.properties";

  /// Reads the properties that Maven has written at the build.
  public static Build read() {
    var properties = new Properties();
    try (InputStream in = Build.class.getResourceAsStream(FILE)) {
      if (in == null) {
        throw new IllegalStateException("resource missing from the program's jar: " + FILE);
      }
      properties.load(in);
    } catch (IOException e) {
      throw new IllegalStateException("resource of the program's jar not readable: " + FILE, e);
    }
    return new Build(
        properties.getProperty("version", "unknown"), properties.getProperty("commit", "unknown"));
  }

  /// The line of `hmacd --version`.
  @Override
  public String toString() {
    return "hmacd " + version + " (commit " + commit + ")";
  }
}
