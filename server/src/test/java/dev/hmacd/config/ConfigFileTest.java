package dev.hmacd.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.access.Action;
import dev.hmacd.access.PrincipalPattern;
import dev.hmacd.access.Rule;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.KeyId;
import dev.hmacd.token.KeyTypeSetting;
import dev.hmacd.token.TokenSelector;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ConfigFileTest {
  private static final String REST =
      """
      token: {module: m.so, label: t, pin_file: pin}
      registry: {path: r.db}
      arn: {region: eu-central-1, account: "123456789012"}
      """;

  private static final String SMALLEST = "grpc: {unix_socket: {path: s}}\n" + REST;

  @TempDir Path folder;

  private Config read(String yaml) throws IOException, ConfigException {
    return ConfigFile.read(Files.writeString(folder.resolve("hmacd.yaml"), yaml));
  }

  /// A configuration of an older version has no `max_message_bytes`, and stays valid.
  @ParameterizedTest
  @CsvSource({
    "131072, 65536",
    "81920, 65536",
    "81919, 65535",
    "20480, 4096",
    "16384, 4096",
    "16777216, 65536"
  })
  void longestMessageFitsInTheLongestRequestByDefault(int maxRequestBytes, int maxMessageBytes)
      throws Exception {
    Config config =
        read(
            "grpc: {unix_socket: {path: s}, limits: {max_request_bytes: %d, max_incomplete_bytes: %d}}\n"
                    .formatted(maxRequestBytes, 1 << 26)
                + REST);
    assertThat(config.grpc().limits().maxMessageBytes()).isEqualTo(maxMessageBytes);
  }

  @Test
  void everyValueIsReadAsWritten() throws Exception {
    Config config =
        read(
            """
            grpc:
              listen: 127.0.0.1:8443
              tls: {certificate: tls/server.pem, private_key: /keys/server.pem, client_ca: ../ca.pem}
              unix_socket: {path: hmacd.sock, mode: rwxrwxrwx}
              reflection: true
              limits:
                max_request_bytes: 32768
                max_message_bytes: 16384
                max_incomplete_bytes: 262144
                max_metadata_bytes: 1024
                max_streams_per_connection: 1
                max_connections: 2
                max_handshakes: 3
                handshake_timeout: 1s
                transfer_timeout: 4s
                max_call_time: 10ms
                connection_idle: 24h
                connection_age: 720h
                keep_alive: 5m
                keep_alive_timeout: 2s
                min_client_keep_alive: 3s
                drain: 100ms
            aws_kms:
              listen: 0.0.0.0:443
              tls: {certificate: aws.pem, private_key: /keys/aws.pem}
              limits:
                max_header_bytes: 2048
                max_body_bytes: 16384
                max_buffered_bytes: 1048576
                max_requests: 1
                max_requests_per_connection: 2
                max_connections: 3
                max_unauthenticated: 4
                handshake_timeout: 1s
                request_timeout: 2s
                max_call_time: 10ms
                connection_idle: 3s
            token:
              module: /m.so
              init_args: "a='b c' d="
              serial: "0123"
              pin_file: pin
              lanes: 1024
              queue: 1000000
              session_copies: false
              probe_interval: 50ms
              verify_macs: true
              key_type: hmac
              probe_timeout: 10ms
              lost_after: 1s
              exit_when_lost: true
              hang_timeout: 100ms
              max_replaced_lanes: 0
            registry: {path: registry.db, max_cache_bytes: 2000000}
            arn: {partition: aws-cn, region: cn-north-1, account: "123456789012"}
            metrics: {listen: "[::1]:0", unix_socket: {path: metrics.sock, mode: rw-------}}
            memory: {max_connection_percent: 80}
            logging: {format: json, level: debug}
            access:
              rules:
                - principals: [uid:0, "dns:*.example.org", "spiffe://td/*"]
                  actions: [GenerateMac, DescribeKey]
                  keys: [00000000-0000-0000-0000-000000000000, alias/a, "alias/*", "alias/b/*"]
                - {principals: [cn:root], actions: ["*"], keys: ["*"]}
            """);
    var limits =
        new Config.Limits(
            32768,
            16384,
            262144,
            1024,
            1,
            2,
            3,
            Duration.ofSeconds(1),
            Duration.ofSeconds(4),
            Duration.ofMillis(10),
            Duration.ofHours(24),
            Duration.ofDays(30),
            Duration.ofMinutes(5),
            Duration.ofSeconds(2),
            Duration.ofSeconds(3),
            Duration.ofMillis(100));
    var tls =
        new TlsConfig(
            folder.resolve("tls/server.pem"),
            Path.of("/keys/server.pem"),
            Optional.of(folder.resolveSibling("ca.pem")));
    var socket =
        new Config.UnixSocket(
            folder.resolve("hmacd.sock"), PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThat(config)
        .isEqualTo(
            new Config(
                new Config.Grpc(
                    Optional.of(
                        new Config.TcpListener(
                            new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 8443), tls)),
                    Optional.of(socket),
                    true,
                    limits),
                Optional.of(
                    new Config.AwsKms(
                        new InetSocketAddress(InetAddress.ofLiteral("0.0.0.0"), 443),
                        Optional.of(
                            new TlsConfig(
                                folder.resolve("aws.pem"),
                                Path.of("/keys/aws.pem"),
                                Optional.empty())),
                        new Config.AwsLimits(
                            2048,
                            16_384,
                            1 << 20,
                            1,
                            2,
                            3,
                            4,
                            Duration.ofSeconds(1),
                            Duration.ofSeconds(2),
                            Duration.ofMillis(10),
                            Duration.ofSeconds(3)))),
                List.of(
                    new Config.TokenSettings(
                        Path.of("/m.so"),
                        Optional.of("a='b c' d="),
                        new TokenSelector.BySerial("0123"),
                        folder.resolve("pin"),
                        1024,
                        1_000_000,
                        false,
                        true,
                        KeyTypeSetting.HMAC,
                        new Config.Probing(
                            Duration.ofMillis(50),
                            Duration.ofMillis(10),
                            Duration.ofSeconds(1),
                            true),
                        new Config.Hanging(Duration.ofMillis(100), 0))),
                new Config.RegistrySettings(folder.resolve("registry.db"), 2_000_000),
                new ArnScope("aws-cn", "cn-north-1", "123456789012"),
                Optional.of(
                    new Config.Metrics(
                        Optional.of(new InetSocketAddress(InetAddress.ofLiteral("::1"), 0)),
                        Optional.of(
                            new Config.UnixSocket(
                                folder.resolve("metrics.sock"),
                                PosixFilePermissions.fromString("rw-------"))))),
                new Config.Memory(80),
                new Config.Logging(true, Config.Level.DEBUG),
                List.of(
                    new Rule(
                        List.of(
                            new PrincipalPattern.Exact("uid:0"),
                            new PrincipalPattern.FirstLabel("dns:", ".example.org"),
                            new PrincipalPattern.Prefix("spiffe://td/")),
                        Set.of(Action.GENERATE_MAC, Action.DESCRIBE_KEY),
                        List.of(
                            new Rule.KeyPattern.Id(
                                new KeyId("00000000-0000-0000-0000-000000000000")),
                            new Rule.KeyPattern.Named("alias/a", false),
                            new Rule.KeyPattern.Named("alias/", true),
                            new Rule.KeyPattern.Named("alias/b/", true))),
                    new Rule(
                        List.of(new PrincipalPattern.Exact("cn:root")),
                        Set.of(Action.values()),
                        List.of(new Rule.KeyPattern.All())))));
  }

  @Test
  void smallestConfigurationAllowsNoAction() throws Exception {
    Config config = read(SMALLEST);
    assertThat(config.rules()).isEmpty();
    assertThat(config.grpc().tcp()).isEmpty();
    assertThat(config.grpc().reflection()).isFalse();
    assertThat(config.metrics()).isEmpty();
  }

  static Stream<Arguments> bad() {
    return Stream.of(
        argumentSet(
            "empty mapping: all required sections are missing",
            "{}",
            new String[] {
              "grpc: is missing", "token: is missing", "registry: is missing", "arn: is missing",
            }),
        argumentSet(
            "problems of all sections are reported together",
            """
            grpc: {listen: nowhere, tls: {certificate: 5}, limits: {drain: 20, max_streams_per_connection: 0}}
            aws_kms: {listen: "0.0.0.0:8080", limits: {max_body_bytes: 1, request_timeout: 0s}}
            token: {label: a, serial: b, lanes: many, session_copies: "no", key_type: aes}
            registry: {path: ""}
            arn: {partition: AWS, region: "", account: 123456789012}
            metrics: {listen: "0.0.0.0:9464"}
            logging: {format: xml, level: loud}
            access: {rules: [{principals: ["*"], actions: [Sign], keys: [none]}, 5]}
            acess: {}
            """,
            new String[] {
              "grpc.listen: must be HOST:PORT, with an IP address or a known host name",
              "grpc.tls.certificate: must be a non-empty string; quote it",
              "grpc.tls.private_key: is missing; configure the path of a file",
              "grpc.tls.client_ca: is missing; configure the path of a file",
              "grpc.limits.drain: must be a duration such as 500ms, 30s, 5m or 1h, from 100ms to"
                  + " 86400s",
              "grpc.limits.max_streams_per_connection: must be a whole number from 1 to 100000",
              "aws_kms.listen: must be a loopback address if tls is missing: messages and MACs"
                  + " would be readable",
              "aws_kms.limits.max_body_bytes: must be a whole number from 16384 to 16777216",
              "aws_kms.limits.request_timeout: must be a duration such as 500ms, 30s, 5m or 1h,"
                  + " from 1s to 86400s",
              "token.module: is missing; configure the path of a file",
              "token.label: configure either label or serial, not both",
              "token.pin_file: is missing; configure the path of a file",
              "token.lanes: must be a whole number from 1 to 1024",
              "token.session_copies: must be true or false",
              "token.key_type: must be auto, generic or hmac",
              "registry.path: must be a non-empty string; quote it",
              "arn.partition: a partition must have 1 to 32 lowercase letters or dashes, and start with a letter",
              "arn.region: must be a non-empty string; quote it",
              "arn.account: must be a non-empty string; quote it",
              "metrics.listen: must be a loopback address: metrics are not authenticated",
              "logging.format: must be text or json",
              "logging.level: must be error, warn, info or debug",
              "access.rules[0].principals[0]: \"*\" is not valid: a principal must start with one"
                  + " of [spiffe://, dns:, cn:, uid:, arn:]",
              "access.rules[0].actions[0]: must be \"*\" or one of " + List.of(Action.values()),
              "access.rules[0].keys[0]: a key must be \"*\", a key id, alias/NAME or alias/PREFIX*",
              "access.rules[1]: must be a mapping",
              "acess: unknown key (did you mean access?); known keys: [access, arn, aws_kms, grpc,"
                  + " logging, memory, metrics, registry, token, tokens]",
            }),
        argumentSet(
            "unknown keys of every section are errors",
            """
            grpc:
              listen: 127.0.0.1:0
              tls: {certificate: c, private_key: k, client_ca: a, x: 1}
              unix_socket: {path: s, x: 1}
              limits: {x: 1}
              x: 1
            aws_kms: {tls: {certificate: c, private_key: k, client_ca: a}, limits: {x: 1}, x: 1}
            token: {module: m.so, label: t, pin_file: pin, x: 1}
            registry: {path: r.db, x: 1}
            arn: {region: eu-central-1, account: "123456789012", x: 1}
            metrics: {x: 1}
            logging: {x: 1}
            access: {rules: [{principals: [uid:0], actions: ["*"], keys: ["*"], x: 1}], x: 1}
            """,
            new String[] {
              "grpc.tls.x: unknown key; known keys: [certificate, client_ca, private_key]",
              "grpc.unix_socket.x: unknown key; known keys: [mode, path]",
              "grpc.limits.x: unknown key; known keys: [connection_age, connection_idle, drain,"
                  + " handshake_timeout, keep_alive, keep_alive_timeout, max_call_time,"
                  + " max_connections, max_handshakes, max_incomplete_bytes, max_message_bytes,"
                  + " max_metadata_bytes, max_request_bytes, max_streams_per_connection,"
                  + " min_client_keep_alive, transfer_timeout]",
              "grpc.x: unknown key; known keys: [limits, listen, reflection, tls, unix_socket]",
              "aws_kms.tls.client_ca: unknown key; known keys: [certificate, private_key]",
              "aws_kms.limits.x: unknown key; known keys: [connection_idle, handshake_timeout,"
                  + " max_body_bytes, max_buffered_bytes, max_call_time, max_connections,"
                  + " max_header_bytes, max_requests, max_requests_per_connection,"
                  + " max_unauthenticated, request_timeout]",
              "aws_kms.x: unknown key; known keys: [limits, listen, tls]",
              "token.x: unknown key; known keys: [exit_when_lost, hang_timeout, init_args, key_type,"
                  + " label, lanes, lost_after, max_replaced_lanes, module, pin_file,"
                  + " probe_interval, probe_timeout, queue, serial, session_copies, verify_macs]",
              "registry.x: unknown key; known keys: [max_cache_bytes, path]",
              "arn.x: unknown key; known keys: [account, partition, region]",
              "metrics.x: unknown key; known keys: [listen, unix_socket]",
              "logging.x: unknown key; known keys: [format, level]",
              "access.rules[0].x: unknown key; known keys: [actions, keys, principals]",
              "access.x: unknown key; known keys: [rules]",
            }),
        argumentSet(
            "several tokens, one without a serial",
            """
            tokens:
              - {module: m.so, label: t, pin_file: pin}
              - {module: m.so, serial: "01", pin_file: pin}
            """
                + REST.replaceFirst("(?m)^token: .*\\n", ""),
            new String[] {
              "grpc: is missing",
              "tokens[0].serial: is required with several tokens; label is not allowed",
            }),
        argumentSet(
            "tokens of one module with different init_args",
            """
            tokens:
              - {module: m.so, init_args: "a", serial: "01", pin_file: pin}
              - {module: m.so, serial: "02", pin_file: pin}
            """
                + REST.replaceFirst("(?m)^token: .*\\n", ""),
            new String[] {
              "grpc: is missing",
              "tokens: tokens of one module must have the same init_args: the module is initialised once",
            }),
        argumentSet(
            "duplicate tokens, and both token and tokens",
            """
            tokens:
              - {module: m.so, serial: "01", pin_file: pin}
              - {module: n.so, serial: "01", pin_file: pin}
            """
                + REST,
            new String[] {
              "grpc: is missing",
              "token: configure either token or tokens, not both",
              "tokens: two entries select the same token; remove one of them",
            }),
        argumentSet(
            "sections that are not mappings",
            "{grpc: 1, token: [], registry: x, arn: true, metrics: 1, logging: 2, access: []}",
            new String[] {
              "grpc: must be a mapping",
              "token: must be a mapping",
              "registry: must be a mapping",
              "arn: must be a mapping",
              "metrics: must be a mapping",
              "logging: must be a mapping",
              "access: must be a mapping",
            }),
        argumentSet(
            "no listener",
            "grpc: {tls: {certificate: c, private_key: k, client_ca: a}}\n" + REST,
            new String[] {
              "grpc.tls: requires listen, the address of the TCP listener",
              "grpc.listen: is missing; configure listen or unix_socket",
            }),
        argumentSet(
            "TCP without certificates",
            "grpc: {listen: 127.0.0.1:0}\n" + REST,
            new String[] {"grpc.tls: is missing"}),
        argumentSet(
            "port out of range",
            "grpc: {listen: '127.0.0.1:65536', tls: {certificate: c, private_key: k, client_ca: a}}\n"
                + REST,
            new String[] {"grpc.listen: must be HOST:PORT, with a port from 0 to 65535"}),
        argumentSet(
            "too long socket path, and a mode in digits",
            "grpc: {unix_socket: {path: /" + "x".repeat(101) + ", mode: '0660'}}\n" + REST,
            new String[] {
              "grpc.unix_socket.path: must be at most 101 bytes long, for the kernel's limit: /"
                  + "x".repeat(101),
              "grpc.unix_socket.mode: must be permissions in the form rw-rw----",
            }),
        argumentSet(
            "path with a NUL",
            "grpc: {unix_socket: {path: \"a\\0b\"}}\n" + REST,
            new String[] {"grpc.unix_socket.path: Nul character not allowed: a\0b"}),
        argumentSet(
            "listeners on one address, and sockets at one path",
            """
            grpc:
              listen: 0.0.0.0:9464
              tls: {certificate: c, private_key: k, client_ca: a}
              unix_socket: {path: s}
            aws_kms: {listen: 127.0.0.1:9464}
            metrics: {listen: "127.0.0.1:9464", unix_socket: {path: ./s}}
            """
                + REST,
            new String[] {
              "aws_kms.listen: conflicts with grpc.listen (0.0.0.0:9464); choose another address",
              "metrics.listen: conflicts with grpc.listen (0.0.0.0:9464); choose another address",
              "metrics.unix_socket.path: conflicts with grpc.unix_socket.path (FOLDER/s); choose"
                  + " another path",
            }),
        argumentSet(
            "numbers and durations just outside their ranges",
            """
            grpc:
              unix_socket: {path: s}
              limits:
                max_request_bytes: 16383
                max_message_bytes: 4095
                max_incomplete_bytes: 262143
                max_metadata_bytes: 1048577
                max_connections: 1.0
                max_handshakes: 9223372036854775808
                handshake_timeout: 999ms
                max_call_time: 9ms
                connection_idle: 25h
                connection_age: 721h
                keep_alive: 60
                keep_alive_timeout: 20 s
                min_client_keep_alive: -10s
            """
                + REST,
            new String[] {
              "grpc.limits.max_request_bytes: must be a whole number from 16384 to 16777216",
              "grpc.limits.max_message_bytes: must be a whole number from 4096 to 1048576",
              "grpc.limits.max_incomplete_bytes: must be a whole number from 262144 to 1073741824",
              "grpc.limits.max_metadata_bytes: must be a whole number from 1024 to 1048576",
              "grpc.limits.max_connections: must be a whole number from 1 to 1000000",
              "grpc.limits.max_handshakes: must be a whole number from 1 to 100000",
              "grpc.limits.handshake_timeout: " + duration("1s", "86400s"),
              "grpc.limits.max_call_time: " + duration("10ms", "86400s"),
              "grpc.limits.connection_idle: " + duration("1s", "86400s"),
              "grpc.limits.connection_age: " + duration("1s", "2592000s"),
              "grpc.limits.keep_alive: " + duration("1s", "86400s"),
              "grpc.limits.keep_alive_timeout: " + duration("1s", "86400s"),
              "grpc.limits.min_client_keep_alive: " + duration("1s", "86400s"),
            }),
        argumentSet(
            "longest message above the longest request",
            """
            grpc:
              unix_socket: {path: s}
              limits: {max_request_bytes: 81919, max_message_bytes: 65536}
            """
                + REST,
            new String[] {
              "grpc.limits.max_message_bytes: must be at most 65535: max_request_bytes, less 16384"
                  + " bytes for the other fields of a request",
            }),
        argumentSet(
            "bound of all requests below the longest request",
            """
            grpc:
              unix_socket: {path: s}
              limits: {max_request_bytes: 16777216, max_incomplete_bytes: 18874367}
            aws_kms:
              limits: {max_body_bytes: 16777216, max_buffered_bytes: 16777215}
            """
                + REST,
            new String[] {
              "grpc.limits.max_incomplete_bytes: must be 18874368 or more: 9/8 of max_request_bytes",
              "aws_kms.limits.max_buffered_bytes: must be max_body_bytes (16777216) or more",
            }),
        argumentSet(
            "empty, ambiguous and invalid rules",
            SMALLEST
                + """
                access:
                  rules:
                    - {}
                    - {principals: [], actions: x, keys: [5]}
                    - {principals: ["spiffe://*"], actions: ["*"], keys: ["*"]}
                    - {principals: ["spiffe://td*"], actions: ["*"], keys: ["*"]}
                    - {principals: [billing], actions: ["*"], keys: ["*"]}
                    - {principals: ["uid:"], actions: ["*"], keys: ["*"]}
                    - {principals: [uid:0], actions: [generatemac], keys: ["*"]}
                    - {principals: [uid:0], actions: [GenerateMac], keys: ["alias/a*b"]}
                    - {principals: [uid:0], actions: [GenerateMac], keys: ["00000000*"]}
                    - {principals: [uid:0], actions: [ListKeys, GenerateMac, CreateKey], keys: [alias/a]}
                """,
            new String[] {
              "access.rules[0].principals: must be a list with at least one item",
              "access.rules[0].actions: must be a list with at least one item",
              "access.rules[0].keys: must be a list with at least one item",
              "access.rules[1].principals: must be a list with at least one item",
              "access.rules[1].actions: must be a list with at least one item",
              "access.rules[1].keys[0]: must be a string; quote it",
              "access.rules[2].principals[0]: " + refusal("spiffe://*"),
              "access.rules[3].principals[0]: " + refusal("spiffe://td*"),
              "access.rules[4].principals[0]: " + refusal("billing"),
              "access.rules[5].principals[0]: " + refusal("uid:"),
              "access.rules[6].actions[0]: must be \"*\" or one of " + List.of(Action.values()),
              "access.rules[7].keys[0]: an alias must match alias/[a-zA-Z0-9/_-]{1,250}",
              "access.rules[8].keys[0]: a key must be \"*\", a key id, alias/NAME or alias/PREFIX*",
              "access.rules[9].keys: [ListKeys, CreateKey] can only be allowed with keys: [\"*\"]",
            }));
  }

  /// The error text for a principal in a rule, which has the text and the grammar.
  private static String refusal(String principal) {
    try {
      throw new AssertionError(PrincipalPattern.parse(principal));
    } catch (IllegalArgumentException e) {
      return String.valueOf(e.getMessage());
    }
  }

  private static String duration(String min, String max) {
    return "must be a duration such as 500ms, 30s, 5m or 1h, from " + min + " to " + max;
  }

  /// Two links to one file are one module for the dynamic linker.
  @Test
  void linksToOneModuleMustHaveTheSameInitArgs() throws IOException {
    Path module = Files.createFile(folder.resolve("m.so"));
    Files.createLink(folder.resolve("hard.so"), module);
    Files.createSymbolicLink(folder.resolve("soft.so"), module);
    for (String link : List.of("hard.so", "soft.so")) {
      String yaml =
          """
          grpc: {unix_socket: {path: s}}
          tokens:
            - {module: m.so, init_args: "a", serial: "01", pin_file: pin}
            - {module: %s, init_args: "b", serial: "02", pin_file: pin}
          """
              .formatted(link);
      assertThatExceptionOfType(ConfigException.class)
          .isThrownBy(() -> read(yaml + REST.replaceFirst("(?m)^token: .*\n", "")))
          .satisfies(
              e ->
                  assertThat(e.problems())
                      .containsExactly(
                          "tokens: tokens of one module must have the same init_args: the"
                              + " module is initialised once"));
    }
  }

  @ParameterizedTest
  @MethodSource("bad")
  void everyProblemIsReportedWithItsPathAndValidValues(String yaml, String[] problems) {
    assertThatExceptionOfType(ConfigException.class)
        .isThrownBy(() -> read(yaml))
        .satisfies(
            e ->
                assertThat(e.problems())
                    .containsExactlyInAnyOrder(
                        Stream.of(problems)
                            .map(problem -> problem.replace("FOLDER", folder.toString()))
                            .toArray(String[]::new)));
  }

  @ParameterizedTest
  @CsvSource({"registri, registry", "metric, metrics", "acccess, access"})
  void unknownKeyNamesTheKeyThatItResembles(String key, String known) {
    assertUnknown(key, "unknown key (did you mean " + known + "?); known keys: [");
  }

  @ParameterizedTest
  @ValueSource(strings = {"x", "tls", "telemetry"})
  void unknownKeyThatResemblesNoKeyHasNoSuggestion(String key) {
    assertUnknown(key, "unknown key; known keys: [");
  }

  private void assertUnknown(String key, String text) {
    assertThatExceptionOfType(ConfigException.class)
        .isThrownBy(() -> read(SMALLEST + key + ": 1\n"))
        .satisfies(
            e -> assertThat(e.problems()).singleElement().asString().startsWith(key + ": " + text));
  }

  @Test
  void metricsOnAUnixSocketNeedNoPort() throws Exception {
    Config.Metrics metrics =
        read(SMALLEST + "metrics: {unix_socket: {path: m}}\n").metrics().orElseThrow();
    assertThat(metrics.tcp()).isEmpty();
    assertThat(metrics.unix())
        .contains(
            new Config.UnixSocket(
                folder.resolve("m"), PosixFilePermissions.fromString("rw-rw----")));
  }

  @Test
  void metricsAreOnADefaultPort() throws Exception {
    assertThat(read(SMALLEST + "metrics: {}\n").metrics())
        .contains(
            new Config.Metrics(
                Optional.of(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 9464)),
                Optional.empty()));
  }

  static Stream<Arguments> noConfiguration() {
    return Stream.of(
        argumentSet("empty file", "", "must be a mapping"),
        argumentSet("a list", "[]", "must be a mapping"),
        argumentSet("not YAML", "grpc: [", "is not YAML: "),
        argumentSet("duplicate key", "arn: 1\narn: 2", "is not YAML: "),
        argumentSet("two documents", SMALLEST + "---\n" + SMALLEST, "is not YAML: "),
        argumentSet("object of a Java class", "!!java.net.URL [\"file:/\"]", "is not YAML: "),
        argumentSet(
            "exponential aliases", "a: &a [x]\nb: " + "[*a, ".repeat(60) + "]".repeat(60), null),
        argumentSet("too long file", "#".repeat((1 << 20) + 1), "is longer than "));
  }

  @ParameterizedTest
  @MethodSource("noConfiguration")
  void invalidFileIsOneProblemWithItsName(String yaml, String problem) {
    assertThatExceptionOfType(ConfigException.class)
        .isThrownBy(() -> read(yaml))
        .satisfies(
            e ->
                assertThat(e.problems())
                    .singleElement()
                    .asString()
                    .startsWith(
                        folder.resolve("hmacd.yaml") + ": " + (problem == null ? "" : problem)));
  }

  @Test
  void missingOrNonUtf8FileCannotBeRead() throws IOException {
    Path missing = folder.resolve("none.yaml");
    assertThatExceptionOfType(ConfigException.class)
        .isThrownBy(() -> ConfigFile.read(missing))
        .satisfies(
            e ->
                assertThat(e.problems())
                    .containsExactly(
                        "--config: cannot read "
                            + missing
                            + ": no such file or folder; create the file, or correct the path"));
    Path latin1 = folder.resolve("latin1.yaml");
    Files.write(latin1, "# Schlüssel".getBytes(StandardCharsets.ISO_8859_1));
    assertThatExceptionOfType(ConfigException.class)
        .isThrownBy(() -> ConfigFile.read(latin1))
        .satisfies(
            e ->
                assertThat(e.problems())
                    .containsExactly(
                        "--config: cannot read "
                            + latin1
                            + ": not UTF-8; correct the file or the path"));
  }
}
