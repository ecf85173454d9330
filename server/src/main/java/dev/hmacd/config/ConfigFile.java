package dev.hmacd.config;

import dev.hmacd.access.Action;
import dev.hmacd.access.Rule;
import dev.hmacd.key.ArnScope;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.TokenSelector;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/// Reads the one configuration file (YAML 1.2). Relative paths in it are relative to its folder.
public final class ConfigFile {
  private static final int MAX_BYTES = 1 << 20;
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Duration DAY = Duration.ofHours(24);

  private ConfigFile() {}

  /// Reads a file.
  ///
  /// @throws ConfigException with all problems of the file
  public static Config read(Path file) throws ConfigException {
    Object root;
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new ConfigException(List.of(file + ": is longer than " + MAX_BYTES + " bytes"));
      }
      String text = Files.readString(file, StandardCharsets.UTF_8);
      root = new Load(LoadSettings.builder().build()).loadFromString(text);
    } catch (IOException e) {
      throw new ConfigException(List.of(file + ": cannot be read"));
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
            grpc(root.section("grpc")),
            root.optionalSection("aws_kms").map(ConfigFile::awsKms),
            tokens(root),
            registry(root.section("registry")),
            arn(root.section("arn")),
            metrics(root),
            memory(root.defaulted("memory")),
            logging(root.defaulted("logging")),
            rules(root.defaulted("access")));
    root.done();
    return config;
  }

  private static Config.Grpc grpc(Section section) {
    String listen = section.string("listen", "");
    Optional<Config.Tcp> tcp =
        section.has("listen") ? Optional.of(tcp(section, listen)) : Optional.empty();
    if (tcp.isEmpty() && section.optionalSection("tls").isPresent()) {
      section.problem("tls", "is of no use without listen");
    }
    Optional<Config.UnixSocket> unix = section.optionalSection("unix_socket").map(ConfigFile::unix);
    if (tcp.isEmpty() && unix.isEmpty()) {
      section.problem("listen", "is missing, and so is unix_socket; one of them is needed");
    }
    Config.Grpc grpc =
        new Config.Grpc(
            tcp, unix, section.bool("reflection", false), limits(section.defaulted("limits")));
    section.done();
    return grpc;
  }

  private static Config.Tcp tcp(Section section, String listen) {
    Section tls = section.section("tls");
    TlsConfig files =
        new TlsConfig(
            tls.requiredPath("certificate"),
            tls.requiredPath("private_key"),
            Optional.of(tls.requiredPath("client_ca")));
    tls.done();
    return new Config.Tcp(section.address("listen", listen), files);
  }

  private static Config.UnixSocket unix(Section section) {
    Path path = section.requiredPath("path");
    // Linux: sun_path has 108 bytes, including the terminating 0.
    if (path.toString().getBytes(StandardCharsets.UTF_8).length > 107) {
      section.problem("path", "must be at most 107 bytes long, the kernel's limit: " + path);
    }
    Set<PosixFilePermission> mode =
        section
            .parsed("mode", section.string("mode", "rw-rw----"), ConfigFile::mode)
            .orElse(Set.of());
    section.done();
    return new Config.UnixSocket(path, mode);
  }

  private static Set<PosixFilePermission> mode(String text) {
    try {
      return PosixFilePermissions.fromString(text);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("must be written like rw-rw----", e);
    }
  }

  private static Config.Limits limits(Section section) {
    Config.Limits limits =
        new Config.Limits(
            section.number("max_request_bytes", 131_072, 16_384, 1 << 24),
            section.number("max_incomplete_bytes", 1 << 24, 262_144, 1 << 30),
            section.number("max_metadata_bytes", 8192, 1024, 1 << 20),
            section.number("max_streams_per_connection", 256, 1, 100_000),
            section.number("max_connections", 16_384, 1, 1_000_000),
            section.number("max_handshakes", 512, 1, 100_000),
            section.duration("handshake_timeout", Duration.ofSeconds(10), SECOND, DAY),
            section.duration("transfer_timeout", Duration.ofSeconds(10), SECOND, DAY),
            section.duration("max_call_time", Duration.ofSeconds(10), Duration.ofMillis(10), DAY),
            section.duration("connection_idle", Duration.ofMinutes(30), SECOND, DAY),
            section.duration("connection_age", Duration.ofHours(6), SECOND, Duration.ofDays(30)),
            section.duration("keep_alive", Duration.ofSeconds(60), SECOND, DAY),
            section.duration("keep_alive_timeout", Duration.ofSeconds(20), SECOND, DAY),
            section.duration("min_client_keep_alive", Duration.ofSeconds(10), SECOND, DAY),
            section.duration("drain", Duration.ofSeconds(20), Duration.ofMillis(100), DAY));
    // The overhead of the pieces of a request is an eighth of its size.
    int longest = limits.maxRequestBytes() + limits.maxRequestBytes() / 8;
    if (limits.maxIncompleteBytes() < longest) {
      section.problem(
          "max_incomplete_bytes", "must be " + longest + " or more: 9/8 of max_request_bytes");
    }
    section.done();
    return limits;
  }

  private static Config.AwsKms awsKms(Section section) {
    InetSocketAddress listen =
        section.address("listen", section.string("listen", "127.0.0.1:8553"));
    Optional<TlsConfig> tls =
        section
            .optionalSection("tls")
            .map(
                files -> {
                  var config =
                      new TlsConfig(
                          files.requiredPath("certificate"),
                          files.requiredPath("private_key"),
                          Optional.empty());
                  files.done();
                  return config;
                });
    if (tls.isEmpty() && !listen.getAddress().isLoopbackAddress()) {
      section.problem(
          "listen", "must be a loopback address without tls: messages and MACs would be readable");
    }
    Config.AwsKms awsKms = new Config.AwsKms(listen, tls, awsLimits(section.defaulted("limits")));
    section.done();
    return awsKms;
  }

  private static Config.AwsLimits awsLimits(Section section) {
    Config.AwsLimits limits =
        new Config.AwsLimits(
            section.number("max_header_bytes", 16_384, 2048, 1 << 20),
            section.number("max_body_bytes", 262_144, 16_384, 1 << 24),
            section.number("max_buffered_bytes", 1 << 25, 1 << 20, 1 << 30),
            section.number("max_requests", 4096, 1, 1_000_000),
            section.number("max_requests_per_connection", 128, 1, 100_000),
            section.number("max_connections", 4096, 1, 1_000_000),
            section.number("max_unauthenticated", 512, 1, 100_000),
            section.duration("handshake_timeout", Duration.ofSeconds(10), SECOND, DAY),
            section.duration("request_timeout", Duration.ofSeconds(10), SECOND, DAY),
            section.duration("max_call_time", Duration.ofSeconds(10), Duration.ofMillis(10), DAY),
            section.duration("connection_idle", Duration.ofMinutes(5), SECOND, DAY));
    if (limits.maxBufferedBytes() < limits.maxBodyBytes()) {
      section.problem(
          "max_buffered_bytes", "must be max_body_bytes (" + limits.maxBodyBytes() + ") or more");
    }
    section.done();
    return limits;
  }

  private static List<Config.TokenSettings> tokens(Section root) {
    List<Section> several = root.sections("tokens");
    if (several.isEmpty()) {
      return List.of(token(root.section("token"), false));
    }
    if (root.optionalSection("token").isPresent()) {
      root.problem("token", "and tokens cannot both be given");
    }
    List<Config.TokenSettings> tokens =
        several.stream().map(section -> token(section, several.size() > 1)).toList();
    long different = tokens.stream().map(Config.TokenSettings::selector).distinct().count();
    if (different < tokens.size()) {
      root.problem("tokens", "must be different tokens");
    }
    Map<Object, Optional<String>> initArgs = new HashMap<>();
    for (Config.TokenSettings token : tokens) {
      Optional<String> known =
          initArgs.putIfAbsent(Pkcs11Modules.identity(token.module()), token.initArgs());
      if (known != null && !known.equals(token.initArgs())) {
        root.problem(
            "tokens", "of one module must have the same init_args: it is initialised once");
      }
    }
    return tokens;
  }

  /// @param bySerial whether the token must be selected by serial number: nothing else identifies
  ///   an absent token
  private static Config.TokenSettings token(Section section, boolean bySerial) {
    Path module = section.requiredPath("module");
    Optional<String> label = section.optionalString("label");
    Optional<String> serial = section.optionalString("serial");
    if (bySerial && (label.isPresent() || serial.isEmpty())) {
      section.problem("serial", "must be given, and no label, where there is more than one token");
    } else if (label.isPresent() == serial.isPresent()) {
      section.problem("label", "or serial must be given, and not both");
    }
    TokenSelector selector =
        serial
            .<TokenSelector>map(TokenSelector.BySerial::new)
            .orElseGet(() -> new TokenSelector.ByLabel(label.orElse("")));
    Config.TokenSettings token =
        new Config.TokenSettings(
            module,
            section.optionalString("init_args"),
            selector,
            section.requiredPath("pin_file"),
            section.number("lanes", 2, 1, 1024),
            section.number("queue", 4096, 1, 1_000_000),
            section.bool("session_copies", true),
            section.bool("verify_macs", false),
            new Config.Probing(
                section.duration("probe_interval", SECOND, Duration.ofMillis(50), DAY),
                section.duration(
                    "probe_timeout", Duration.ofSeconds(5), Duration.ofMillis(10), DAY),
                section.duration("lost_after", Duration.ofMinutes(1), SECOND, DAY),
                section.bool("exit_when_lost", false)),
            new Config.Hanging(
                section.duration(
                    "hang_timeout", Duration.ofSeconds(10), Duration.ofMillis(100), DAY),
                section.number("max_replaced_lanes", 16, 0, 1024)));
    section.done();
    return token;
  }

  private static Path registry(Section section) {
    Path path = section.requiredPath("path");
    section.done();
    return path;
  }

  private static ArnScope arn(Section section) {
    // Each part is validated with valid values of the others, so that each has its own problem.
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

  private static Optional<InetSocketAddress> metrics(Section root) {
    Optional<Section> section = root.optionalSection("metrics");
    if (section.isEmpty()) {
      return Optional.empty();
    }
    Section metrics = section.get();
    InetSocketAddress address =
        metrics.address("listen", metrics.string("listen", "127.0.0.1:9464"));
    if (!address.getAddress().isLoopbackAddress()) {
      metrics.problem("listen", "must be a loopback address: metrics are not authenticated");
    }
    metrics.done();
    return Optional.of(address);
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

  private static List<Rule> rules(Section section) {
    List<Rule> rules = new ArrayList<>();
    for (Section rule : section.sections("rules")) {
      var principals = rule.list("principals", Rule.PrincipalPattern::parse);
      var actions = actions(rule);
      var keys = rule.list("keys", Rule.KeyPattern::parse);
      rule.done();
      if (!principals.isEmpty() && !actions.isEmpty() && !keys.isEmpty()) {
        try {
          rules.add(new Rule(principals, actions, keys));
        } catch (IllegalArgumentException e) {
          rule.problem("keys", String.valueOf(e.getMessage()));
        }
      }
    }
    section.done();
    return rules;
  }

  private static Set<Action> actions(Section rule) {
    Set<Action> actions = EnumSet.noneOf(Action.class);
    rule.list("actions", ConfigFile::actions).forEach(actions::addAll);
    return actions;
  }

  private static Set<Action> actions(String text) {
    if (text.equals("*")) {
      return EnumSet.allOf(Action.class);
    }
    for (Action action : Action.values()) {
      if (action.toString().equals(text)) {
        return EnumSet.of(action);
      }
    }
    throw new IllegalArgumentException("must be \"*\" or one of " + List.of(Action.values()));
  }
}
