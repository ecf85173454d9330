package dev.hmacd.testing;

import dev.hmacd.v1.KeySpec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.spi.ToolProvider;

/// An AOT cache (JEP 514) from a training run, which halves the time of a daemon's start and first
/// calls. Each test JVM creates it once, for tests with a hundred starts.
final class StartCache {
  private static final Path FOLDER =
      Path.of("target", "start-cache", System.getProperty("hmacd.test.fork", "1")).toAbsolutePath();

  private StartCache() {}

  private static final class Made {
    static final List<String> ARGUMENTS = make();
  }

  /// The arguments of a JVM without a cache.
  static List<String> without() {
    return List.of("-cp", System.getProperty("java.class.path"));
  }

  /// The arguments of a JVM with the cache.
  static List<String> with() {
    return Made.ARGUMENTS;
  }

  private static List<String> make() {
    try {
      Files.createDirectories(FOLDER);
      Path cache = FOLDER.resolve("hmacd.aot");
      Files.deleteIfExists(cache);
      String classPath = jars();
      try (ChildDaemon daemon = ChildDaemon.initialised()) {
        daemon.jvm(List.of("-XX:AOTCacheOutput=" + cache, "-Dhmacd.halt=false", "-cp", classPath));
        daemon.serve();
        Caller caller = daemon.caller();
        String key = caller.createKey(KeySpec.KEY_SPEC_HMAC_256);
        caller.createAlias("alias/training", key);
        caller.generateMac("alias/training", "training");
        daemon.stop();
        if (!Files.exists(cache)) {
          throw new IllegalStateException("no cache was written: " + daemon.output());
        }
      }
      return List.of("-XX:AOTCache=" + cache, "-cp", classPath);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The class path with a jar for each folder: the JVM does not cache classes of folders.
  private static String jars() {
    List<String> entries = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(":", -1)) {
      if (Files.isDirectory(Path.of(entry))) {
        Path jar = FOLDER.resolve(entries.size() + ".jar");
        int failed =
            ToolProvider.findFirst("jar")
                .orElseThrow()
                .run(System.out, System.err, "-cf", jar.toString(), "-C", entry, ".");
        if (failed != 0) {
          throw new IllegalStateException("no jar of " + entry);
        }
        entries.add(jar.toString());
      } else {
        entries.add(entry);
      }
    }
    return String.join(":", entries);
  }
}
