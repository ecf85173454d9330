package dev.hmacd.config;

import dev.hmacd.file.FileException;
import dev.hmacd.file.FilePermissions;
import dev.hmacd.key.ArnScope;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/// Reads the configuration file (YAML 1.2). Relative paths in the file are relative to the folder
/// of the file.
public final class ConfigFile {
  private static final int MAX_BYTES = 1 << 20;

  /// Default memory of the registry's entries: about 10,000 keys.
  private static final int CACHE_BYTES = 16 << 20;

  private static final int MIN_CACHE_BYTES = 1 << 20;
  private static final int MAX_CACHE_BYTES = 1 << 30;

  private ConfigFile() {}

  /// Reads a file. Refuses a file that others can write.
  ///
  /// @throws ConfigException with all problems of the file
  public static Config read(Path file) throws ConfigException {
    Object root;
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new ConfigException(List.of(file + ": is longer than " + MAX_BYTES + " bytes"));
      }
      Optional<String> refusal =
          FilePermissions.refusal(file, FilePermissions.Content.CONFIGURATION);
      if (refusal.isPresent()) {
        throw new ConfigException(List.of("--config: " + refusal.get()));
      }
      String text = Files.readString(file, StandardCharsets.UTF_8);
      root = new Load(LoadSettings.builder().build()).loadFromString(text);
    } catch (IOException e) {
      FileException failure = FileException.unreadable("--config", file, e);
      throw new ConfigException(List.of(String.valueOf(failure.getMessage())));
    } catch (YamlEngineException e) {
      throw new ConfigException(List.of(file + ": is not YAML: " + e.getMessage()));
    }
    if (!(root instanceof Map<?, ?> map)) {
      throw new ConfigException(List.of(file + ": must be a mapping"));
    }
    List<String> problems = new ArrayList<>();
    Path parent = file.toAbsolutePath().getParent();
    var section = new Section("", map, problems, parent == null ? Path.of("/") : parent);
    Config config = read(section);
    if (!problems.isEmpty()) {
      throw new ConfigException(problems);
    }
    return config;
  }

  private static Config read(Section root) {
    Config config =
        new Config(
            EdgeSections.grpc(root.section("grpc")),
            root.optionalSection("aws_kms").map(EdgeSections::awsKms),
            TokenSections.tokens(root),
            registry(root.section("registry")),
            arn(root.section("arn")),
            root.optionalSection("metrics").map(ConfigFile::metrics),
            memory(root.defaulted("memory")),
            logging(root.defaulted("logging")),
            AccessSections.rules(root.defaulted("access")));
    root.done();
    ListenerConflicts.report(root, config);
    return config;
  }

  private static Config.RegistrySettings registry(Section section) {
    var settings =
        new Config.RegistrySettings(
            section.requiredPath("path"),
            section.number("max_cache_bytes", CACHE_BYTES, MIN_CACHE_BYTES, MAX_CACHE_BYTES));
    section.done();
    return settings;
  }

  private static ArnScope arn(Section section) {
    // Each part is validated with valid values for the other parts, so that each invalid part is
    // reported.
    var none = new ArnScope("aws", "none", "000000000000");
    var partition =
        section.parsed(
            "partition",
            section.string("partition", none.partition()),
            given -> new ArnScope(given, none.region(), none.account()));
    var region =
        section.parsed(
            "region",
            section.string("region", ""),
            given -> new ArnScope(none.partition(), given, none.account()));
    var account =
        section.parsed(
            "account",
            section.string("account", ""),
            given -> new ArnScope(none.partition(), none.region(), given));
    section.done();
    return new ArnScope(
        partition.orElse(none).partition(),
        region.orElse(none).region(),
        account.orElse(none).account());
  }

  private static Config.Metrics metrics(Section section) {
    Optional<Config.UnixSocket> unix =
        section.optionalSection("unix_socket").map(EdgeSections::unix);
    String listen = section.string("listen", unix.isPresent() ? "" : "127.0.0.1:9464");
    Optional<InetSocketAddress> tcp = Optional.empty();
    if (!listen.isEmpty()) {
      InetSocketAddress address = section.address("listen", listen);
      if (!address.getAddress().isLoopbackAddress()) {
        section.problem("listen", "must be a loopback address: metrics are not authenticated");
      }
      tcp = Optional.of(address);
    }
    section.done();
    return new Config.Metrics(tcp, unix);
  }

  private static Config.Memory memory(Section section) {
    var memory = new Config.Memory(section.number("max_connection_percent", 60, 10, 80));
    section.done();
    return memory;
  }

  private static Config.Logging logging(Section section) {
    String format = section.string("format", "text");
    if (!format.equals("text") && !format.equals("json")) {
      section.problem("format", "must be text or json");
    }
    Config.Level level =
        section
            .parsed("level", section.string("level", "info"), ConfigFile::level)
            .orElse(Config.Level.INFO);
    section.done();
    return new Config.Logging(format.equals("json"), level);
  }

  private static Config.Level level(String text) {
    for (Config.Level level : Config.Level.values()) {
      if (level.name().equalsIgnoreCase(text)) {
        return level;
      }
    }
    throw new IllegalArgumentException("must be error, warn, info or debug");
  }
}
