package dev.hmacd.command;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.KeyVersion;
import dev.hmacd.key.Placement;
import dev.hmacd.registry.Registry;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.testing.TestCa;
import io.netty.pkitesting.X509Bundle;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// `hmacd check` and `hmacd serve` report the same failures, with the same exit code, for each
/// mistake of an operator. Both run in this JVM. The start of the daemon fails in each row.
@Tag("slow")
final class CheckEqualsServeTest {
  private static final ExitCode CONFIG = ExitCode.CONFIG;
  private static final ExitCode TEMPORARY = ExitCode.TEMPORARY;
  private static final ArnScope SCOPE = new ArnScope("aws", "eu-central-1", "123456789012");
  private static final Pattern SLOT = Pattern.compile("(?m)^Slot ");

  /// A line FAIL of the table of `check`: the step, and the text.
  private static final Pattern FAIL = Pattern.compile("FAIL {2}\\S+(?: \\S+)* {2,}(\\S.*)");

  /// The folder of a row, in expected texts.
  private static final String FOLDER = "FOLDER";

  // All tokens must exist before the module is loaded for the first time.
  private static final SoftHsm HSM = SoftHsm.shared().another();

  /// A token without keys.
  private static final SoftHsm BLANK = SoftHsm.shared().another();

  private static final String WITHOUT_PIN = tokenWithoutPin();

  /// A copy of the module, so that no session of another test is logged in.
  private static final Path MODULE = FaultModule.inFrontOf(HSM).file();

  private static final TestCa CA = new TestCa("callers");
  private static final X509Bundle SERVER = CA.server();
  private static final X509Bundle OTHER = CA.server();

  /// The registry after `hmacd init`.
  private static final byte[] REGISTRY = initialised();

  private static String tokenWithoutPin() {
    String label = SoftHsm.freshLabel("without-pin");
    // The last slot is empty.
    long slots = SLOT.matcher(HSM.tool("--list-slots")).results().count();
    String free = Long.toString(slots - 1);
    String _ =
        HSM.tool("--init-token", "--slot-index", free, "--label", label, "--so-pin", "13572468");
    return label;
  }

  private static byte[] initialised() {
    try (var setup = new Setup()) {
      assertThat(CommandLine.run(setup.command("init"))).isEqualTo(ExitCode.OK);
      return Files.readAllBytes(setup.path("registry.db"));
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  /// A folder with the files of a daemon that would start.
  static final class Setup implements AutoCloseable {
    private final Path folder = Files.createTempDirectory("hmacd");
    private final List<Closeable> held = new ArrayList<>();

    /// Writes all files but the registry.
    Setup() throws IOException {
      TestCa.write(SERVER, path("server.pem"), path("key.pem"));
      TestCa.write(SERVER, path("aws.pem"), path("aws-key.pem"));
      write("ca.pem", CA.pem());
      write("pin", HSM.pin() + "\n");
      mode("pin", "rw-------");
      write(
          "hmacd.yaml",
          """
          grpc:
            listen: 127.0.0.1:0 # gRPC
            tls: {certificate: server.pem, private_key: key.pem, client_ca: ca.pem}
            unix_socket: {path: hmacd.sock}
            limits: {max_connections: 4096}
          aws_kms:
            listen: 127.0.0.1:0 # AWS
            tls: {certificate: aws.pem, private_key: aws-key.pem}
          token:
            module: %s
            label: %s
            pin_file: pin
          registry: {path: registry.db}
          arn: {region: eu-central-1, account: "123456789012"}
          metrics:
            listen: 127.0.0.1:0 # metrics
            unix_socket: {path: metrics.sock}
          logging: {format: text, level: info}
          access:
            rules:
              - {principals: ["uid:0"], actions: ["*"], keys: ["*"]}
          """
              .formatted(MODULE, HSM.label()));
      for (String name : List.of("server.pem", "aws.pem", "ca.pem", "hmacd.yaml")) {
        mode(name, "rw-r--r--"); // Whatever the umask is.
      }
    }

    /// The files after `hmacd init`.
    static Setup initialised() throws IOException {
      var setup = new Setup();
      Files.write(setup.path("registry.db"), REGISTRY);
      setup.mode("registry.db", "rw-------");
      return setup;
    }

    Path path(String name) {
      return folder.resolve(name);
    }

    String[] command(String name) {
      return new String[] {name, "--config", path("hmacd.yaml").toString()};
    }

    void write(String name, String text) throws IOException {
      Files.writeString(path(name), text);
    }

    void delete(String name) throws IOException {
      Files.delete(path(name));
    }

    void mode(String name, String mode) throws IOException {
      Files.setPosixFilePermissions(path(name), PosixFilePermissions.fromString(mode));
    }

    /// Replaces a text of the configuration.
    void replace(String old, String fresh) throws IOException {
      String config = Files.readString(path("hmacd.yaml"));
      assertThat(config).contains(old);
      write("hmacd.yaml", config.replace(old, fresh));
    }

    void useLabel(String label) throws IOException {
      replace("label: " + HSM.label(), "label: " + label);
    }

    void useModule(String module) throws IOException {
      replace("module: " + MODULE, "module: " + module);
    }

    /// Keeps an object open until the end of the row.
    void hold(Closeable each) {
      held.add(each);
    }

    /// The address of a process that listens on loopback.
    String taken() throws IOException {
      var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
      hold(socket);
      return "127.0.0.1:" + socket.getLocalPort();
    }

    @Override
    public void close() throws IOException {
      for (Closeable each : held) {
        each.close();
      }
      try (var files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  /// Makes the mistake of a row.
  interface Mistake {
    void make(Setup setup) throws Exception;
  }

  /// @param texts the configuration key, the reason and the remedy
  private static Arguments row(String name, ExitCode exitCode, Mistake mistake, String... texts) {
    return argumentSet(name, exitCode, mistake, texts);
  }

  static Stream<Arguments> values() {
    return Stream.of(
        row(
            "missing configuration",
            CONFIG,
            s -> s.delete("hmacd.yaml"),
            "--config: cannot read FOLDER/hmacd.yaml",
            "no such file",
            "create the file"),
        row(
            "configuration that others can write",
            CONFIG,
            s -> s.mode("hmacd.yaml", "rw-r--rw-"),
            "--config: others have permission w",
            "rw-r--rw-",
            "chmod o-w"),
        row(
            "configuration that is not UTF-8",
            CONFIG,
            s -> Files.write(s.path("hmacd.yaml"), new byte[] {'#', (byte) 0xfc}),
            "--config: cannot read",
            "not UTF-8",
            "correct the file"),
        row(
            "not YAML",
            CONFIG,
            s -> s.write("hmacd.yaml", "grpc: ["),
            "FOLDER/hmacd.yaml: is not YAML: "),
        row(
            "duplicate key",
            CONFIG,
            s -> s.replace("registry:", "arn: {}\nregistry:"),
            "is not YAML",
            "duplicate key arn"),
        row(
            "unknown key",
            CONFIG,
            s -> s.replace("pin_file: pin", "pin_file: pin\n  lane: 2"),
            "token.lane: unknown key",
            "did you mean lanes?",
            "known keys: ["),
        row(
            "missing section",
            CONFIG,
            s -> s.replace("registry: {path: registry.db}\n", ""),
            "registry: is missing"),
        row(
            "missing key",
            CONFIG,
            s -> s.replace("private_key: key.pem, ", ""),
            "grpc.tls.private_key: is missing; configure the path of a file"),
        row(
            "text for a number",
            CONFIG,
            s -> s.replace("pin_file: pin", "pin_file: pin\n  lanes: many"),
            "token.lanes: must be a whole number from 1 to 1024"),
        row(
            "text for a mapping",
            CONFIG,
            s -> s.replace("logging: {format: text, level: info}", "logging: text"),
            "logging: must be a mapping"),
        row(
            "number out of its range",
            CONFIG,
            s -> s.replace("max_connections: 4096", "max_connections: 0"),
            "grpc.limits.max_connections: must be a whole number from 1 to 1000000"),
        row(
            "size out of its range",
            CONFIG,
            s -> s.replace("max_connections: 4096", "max_request_bytes: 1"),
            "grpc.limits.max_request_bytes: must be a whole number from 16384 to 16777216"),
        row(
            "duration without a unit",
            CONFIG,
            s -> s.replace("max_connections: 4096", "drain: 20"),
            "grpc.limits.drain: must be a duration such as 500ms",
            "from 100ms to 86400s"),
        row(
            "duration out of its range",
            CONFIG,
            s -> s.replace("pin_file: pin", "pin_file: pin\n  lost_after: 25h"),
            "token.lost_after: must be a duration",
            "from 1s to 86400s"),
        row(
            "label and serial",
            CONFIG,
            s -> s.replace("pin_file: pin", "pin_file: pin\n  serial: \"01\""),
            "token.label: configure either label or serial, not both"),
        row(
            "two listeners on one address",
            CONFIG,
            s -> {
              String address = s.taken();
              s.replace("127.0.0.1:0 # gRPC", "0.0.0.0" + address.substring(9));
              s.replace("127.0.0.1:0 # AWS", address);
            },
            "aws_kms.listen: conflicts with grpc.listen (0.0.0.0:",
            "choose another address"),
        row(
            "two sockets at one path",
            CONFIG,
            s -> s.replace("path: metrics.sock", "path: hmacd.sock"),
            "metrics.unix_socket.path: conflicts with grpc.unix_socket.path (FOLDER/hmacd.sock)",
            "choose another path"),
        row(
            "socket path too long",
            CONFIG,
            s -> s.replace("path: hmacd.sock", "path: " + "x".repeat(101)),
            "grpc.unix_socket.path: must be at most 101 bytes long"),
        row(
            "AWS edge without TLS beyond loopback",
            CONFIG,
            s -> {
              s.replace("127.0.0.1:0 # AWS", "0.0.0.0:0");
              s.replace("  tls: {certificate: aws.pem, private_key: aws-key.pem}\n", "");
            },
            "aws_kms.listen: must be a loopback address if tls is missing"),
        row(
            "metrics beyond loopback",
            CONFIG,
            s -> s.replace("127.0.0.1:0 # metrics", "0.0.0.0:0"),
            "metrics.listen: must be a loopback address",
            "not authenticated"),
        row(
            "no port",
            CONFIG,
            s -> s.replace("127.0.0.1:0 # gRPC", "127.0.0.1"),
            "grpc.listen: must be HOST:PORT"),
        row(
            "region",
            CONFIG,
            s -> s.replace("region: eu-central-1", "region: Frankfurt"),
            "arn.region: a region must have 1 to 64 lowercase letters, digits or dashes, and start with a letter"),
        row(
            "account",
            CONFIG,
            s -> s.replace("account: \"123456789012\"", "account: \"1234\""),
            "arn.account: an account must have 12 digits"),
        row(
            "log format",
            CONFIG,
            s -> s.replace("format: text", "format: xml"),
            "logging.format: must be text or json"),
        row(
            "log level",
            CONFIG,
            s -> s.replace("level: info", "level: loud"),
            "logging.level: must be error, warn, info or debug"),
        row(
            "principal of a rule",
            CONFIG,
            s -> s.replace("uid:0", "billing"),
            "access.rules[0].principals[0]: \"billing\" is not valid",
            "a principal must start with one of"),
        row(
            "wildcard of a principal",
            CONFIG,
            s -> s.replace("uid:0", "dns:billing*"),
            "access.rules[0].principals[0]: \"dns:billing*\" is not valid"),
        row(
            "action of a rule",
            CONFIG,
            s -> s.replace("actions: [\"*\"]", "actions: [Sign]"),
            "access.rules[0].actions[0]: must be \"*\" or one of [GenerateMac"),
        row(
            "pattern of a key",
            CONFIG,
            s -> s.replace("keys: [\"*\"]", "keys: [\"orders\"]"),
            "access.rules[0].keys[0]: a key must be \"*\", a key id, alias/NAME or alias/PREFIX*"),
        row(
            "several values together",
            CONFIG,
            s -> {
              s.replace("level: info", "level: loud");
              s.replace("region: eu-central-1", "region: Frankfurt");
              s.replace("max_connections: 4096", "max_connections: 0, x: 1");
            },
            "logging.level: ",
            "arn.region: ",
            "grpc.limits.max_connections: ",
            "grpc.limits.x: unknown key"));
  }

  static Stream<Arguments> tlsFiles() {
    return Stream.of(
        row(
            "missing certificate",
            CONFIG,
            s -> s.delete("server.pem"),
            "grpc.tls.certificate: cannot read FOLDER/server.pem",
            "no such file",
            "create the file, or correct the path"),
        row(
            "folder as certificate",
            CONFIG,
            s -> s.replace("certificate: server.pem", "certificate: ."),
            "grpc.tls.certificate: cannot read FOLDER",
            "correct the file or the path"),
        row(
            "text as certificate",
            CONFIG,
            s -> s.write("server.pem", "this is no certificate"),
            "grpc.tls.certificate: FOLDER/server.pem has no certificate (BEGIN CERTIFICATE)",
            "add the certificate"),
        row(
            "damaged certificate",
            CONFIG,
            s ->
                s.write(
                    "server.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
            "grpc.tls.certificate: FOLDER/server.pem is not a valid PEM file",
            "install a valid file"),
        row(
            "expired certificate",
            CONFIG,
            s ->
                TestCa.write(
                    CA.issue(
                        builder ->
                            builder
                                .subject("CN=server")
                                .notBefore(Instant.now().minus(Duration.ofDays(2)))
                                .notAfter(Instant.now().minus(Duration.ofDays(1)))),
                    s.path("server.pem"),
                    s.path("key.pem")),
            "grpc.tls.certificate: FOLDER/server.pem is expired",
            "install a valid certificate"),
        row(
            "certificate and private key exchanged",
            CONFIG,
            s ->
                s.replace(
                    "certificate: server.pem, private_key: key.pem",
                    "certificate: key.pem, private_key: server.pem"),
            "grpc.tls.certificate: FOLDER/key.pem has a private key and no certificate",
            "configure the file of the certificate here",
            "grpc.tls.private_key: others have permission r on FOLDER/server.pem"),
        row(
            "certificate as private key",
            CONFIG,
            s -> s.write("key.pem", SERVER.getCertificatePEM()),
            "grpc.tls.private_key: FOLDER/key.pem has a certificate and no PKCS #8 key",
            "configure the file of the private key here"),
        row(
            "missing private key",
            CONFIG,
            s -> s.delete("key.pem"),
            "grpc.tls.private_key: cannot read FOLDER/key.pem",
            "no such file",
            "create the file"),
        row(
            "private key that others can read",
            CONFIG,
            s -> s.mode("key.pem", "rw-r--r--"),
            "grpc.tls.private_key: others have permission r on FOLDER/key.pem",
            "rw-r--r--",
            "chmod o-r"),
        row(
            "private key of another certificate",
            CONFIG,
            s -> s.write("key.pem", OTHER.getPrivateKeyPEM()),
            "grpc.tls.private_key: FOLDER/key.pem is not the private key of the certificate",
            "configure the key of this certificate"),
        row(
            "private key in SEC1",
            CONFIG,
            s ->
                s.write(
                    "key.pem",
                    "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n"),
            "grpc.tls.private_key: FOLDER/key.pem has no PKCS #8 key (BEGIN PRIVATE KEY)",
            "openssl pkcs8 -topk8 -nocrypt"),
        row(
            "encrypted private key",
            CONFIG,
            s ->
                s.write(
                    "key.pem",
                    """
                    -----BEGIN ENCRYPTED PRIVATE KEY-----
                    MIIB
                    -----END ENCRYPTED PRIVATE KEY-----
                    """),
            "grpc.tls.private_key: FOLDER/key.pem has an encrypted key",
            "openssl pkey -in FILE -out NEW"),
        row(
            "missing authorities",
            CONFIG,
            s -> s.delete("ca.pem"),
            "grpc.tls.client_ca: cannot read FOLDER/ca.pem",
            "no such file",
            "create the file"),
        row(
            "empty file of authorities",
            CONFIG,
            s -> s.write("ca.pem", ""),
            "grpc.tls.client_ca: FOLDER/ca.pem has no certificate",
            "add the certificate"),
        row(
            "authorities that others can write",
            CONFIG,
            s -> s.mode("ca.pem", "rw-r--rw-"),
            "grpc.tls.client_ca: others have permission w on FOLDER/ca.pem",
            "chmod o-w"),
        row(
            "expired authority",
            CONFIG,
            s -> {
              Instant now = Instant.now();
              var expired =
                  new TestCa("expired", now.minus(Duration.ofDays(2)), now.minusSeconds(86_400));
              s.write("ca.pem", expired.pem());
            },
            "grpc.tls.client_ca: FOLDER/ca.pem has no certificate authority that is valid now",
            "add a valid one",
            "CN=expired"),
        row(
            "missing certificate of the AWS edge",
            CONFIG,
            s -> s.delete("aws.pem"),
            "aws_kms.tls.certificate: cannot read FOLDER/aws.pem",
            "create the file"),
        row(
            "private key of the AWS edge that others can write",
            CONFIG,
            s -> s.mode("aws-key.pem", "rw-----w-"),
            "aws_kms.tls.private_key: others have permission w on FOLDER/aws-key.pem",
            "chmod o-w"),
        row(
            "all TLS files missing",
            CONFIG,
            s -> {
              for (String name :
                  List.of("server.pem", "key.pem", "ca.pem", "aws.pem", "aws-key.pem")) {
                s.delete(name);
              }
            },
            "grpc.tls.certificate: cannot read",
            "grpc.tls.private_key: cannot read",
            "grpc.tls.client_ca: cannot read",
            "aws_kms.tls.certificate: cannot read",
            "aws_kms.tls.private_key: cannot read"));
  }

  static Stream<Arguments> tokens() {
    return Stream.of(
        row(
            "missing PIN file",
            CONFIG,
            s -> s.delete("pin"),
            "token.pin_file: cannot read FOLDER/pin",
            "no such file",
            "create the file"),
        row(
            "folder as PIN file",
            CONFIG,
            s -> s.replace("pin_file: pin", "pin_file: ."),
            "token.pin_file: FOLDER is a folder",
            "configure the path of a file"),
        row(
            "empty PIN file",
            CONFIG,
            s -> s.write("pin", "\n"),
            "token.pin_file: FOLDER/pin is empty",
            "write the PIN into it"),
        row(
            "PIN file that is not UTF-8",
            CONFIG,
            s -> Files.write(s.path("pin"), new byte[] {'1', (byte) 0xff, '\n'}),
            "token.pin_file: FOLDER/pin is not UTF-8",
            "write the PIN in UTF-8"),
        row(
            "PIN file that others can read",
            CONFIG,
            s -> s.mode("pin", "rw-r--r--"),
            "token.pin_file: others have permission r on FOLDER/pin",
            "chmod o-r"),
        row(
            "wrong PIN",
            CONFIG,
            s -> s.write("pin", "000000\n"),
            "token.pin_file: the token \"" + HSM.label() + "\"",
            "refused the PIN of FOLDER/pin: C_Login returned CKR_PIN_INCORRECT",
            "correct the PIN in the file"),
        row(
            "wrong PINs of several tokens",
            CONFIG,
            s -> {
              s.write("pin", "000000\n");
              s.replace(
                  "token:\n  module: %s\n  label: %s\n  pin_file: pin\n"
                      .formatted(MODULE, HSM.label()),
                  "tokens:\n" + entry(HSM) + entry(BLANK));
            },
            "token.pin_file: the token \"" + HSM.label() + "\"",
            "token.pin_file: the token \"" + BLANK.label() + "\"",
            "has no record of the key hmacd/own/probe on token "),
        row(
            "token without a user PIN",
            TEMPORARY,
            s -> {
              s.useLabel(WITHOUT_PIN);
              s.delete("registry.db");
            },
            "token.pin_file: the token \"" + WITHOUT_PIN + "\"",
            "has no user PIN (C_Login returned CKR_USER_PIN_NOT_INITIALIZED)",
            "set the PIN of FOLDER/pin, for example with pkcs11-tool --init-pin"),
        row(
            "missing module",
            TEMPORARY,
            s -> s.useModule("missing.so"),
            "token.module: cannot load the PKCS#11 module FOLDER/missing.so",
            "there is no such file",
            "install the module, or correct token.module"),
        row(
            "text as module",
            TEMPORARY,
            s -> s.useModule("hmacd.yaml"),
            "token.module: cannot load the PKCS#11 module FOLDER/hmacd.yaml",
            "no ELF header",
            "correct token.module"),
        row(
            "library without PKCS#11",
            TEMPORARY,
            s ->
                s.useModule(
                    Path.of(System.getProperty("java.home"), "lib", "libjava.so").toString()),
            "token.module: cannot load the PKCS#11 module",
            "libjava.so",
            "correct token.module"),
        row(
            "unknown label",
            TEMPORARY,
            s -> s.useLabel("nonsense"),
            "token.label: no token of " + MODULE + " matches label \"nonsense\"",
            "configure one of the module's tokens: "),
        row(
            "token before hmacd init",
            CONFIG,
            s -> {
              s.useLabel(BLANK.label());
              s.delete("registry.db");
            },
            "registry.path: the registry FOLDER/registry.db has no record of the key"
                + " hmacd/own/probe on token ",
            "run hmacd init"),
        row(
            "token that is not in the registry",
            CONFIG,
            s -> s.useLabel(BLANK.label()),
            "registry.path: the registry FOLDER/registry.db has no record of the key",
            "lists this key on token ",
            "configure that token"));
  }

  /// A token of the list `tokens`, with a long time limit for a busy machine.
  private static String entry(SoftHsm token) {
    return "  - {module: %s, serial: \"%s\", pin_file: pin, probe_timeout: 5m}\n"
        .formatted(MODULE, token.serial());
  }

  static Stream<Arguments> registries() {
    return Stream.of(
        row(
            "lost registry",
            CONFIG,
            s -> s.delete("registry.db"),
            "registry.path: the registry FOLDER/registry.db is new, but token ",
            "holds 2 keys of hmacd",
            "restore the backup of the registry",
            "hmacd init --new-registry"),
        row(
            "missing folder of the registry",
            CONFIG,
            s -> s.replace("path: registry.db", "path: missing/registry.db"),
            "registry.path: cannot open the registry FOLDER/missing/registry.db",
            "no such file or folder",
            "create the folder of registry.path"),
        row(
            "file for the folder of the registry",
            CONFIG,
            s -> s.replace("path: registry.db", "path: pin/registry.db"),
            "registry.path: cannot open the registry FOLDER/pin/registry.db",
            "create the folder of registry.path"),
        row(
            "folder of the registry in which nobody can write",
            CONFIG,
            s -> s.replace("path: registry.db", "path: /sys/registry.db"),
            "registry.path: cannot open the registry /sys/registry.db",
            "give the daemon's user write permission to the folder"),
        row(
            "folder as registry",
            CONFIG,
            s -> s.replace("path: registry.db", "path: ."),
            "registry.path: FOLDER is not a regular file",
            "change registry.path"),
        row(
            "registry of another daemon",
            TEMPORARY,
            s -> {
              var other = new Registry(s.path("registry.db"), SCOPE, Clock.systemUTC());
              s.hold(other::close);
              other.open();
            },
            "registry.path: another daemon uses the registry FOLDER/registry.db",
            "stop it, or change registry.path"),
        row(
            "registry of a newer hmacd",
            CONFIG,
            s -> {
              try (Connection database =
                      DriverManager.getConnection("jdbc:sqlite:" + s.path("registry.db"));
                  Statement statement = database.createStatement()) {
                var _ = statement.execute("PRAGMA user_version=99");
              }
            },
            "registry.path: the registry FOLDER/registry.db was written by a newer hmacd",
            "install the newer hmacd"),
        row(
            "text as registry",
            CONFIG,
            s -> s.write("registry.db", "x".repeat(8192)),
            "registry.path: the registry FOLDER/registry.db is not a SQLite database",
            "change registry.path"),
        row(
            "registry of another region",
            CONFIG,
            s -> {
              addKey(s.path("registry.db"));
              s.replace("region: eu-central-1", "region: us-east-1");
            },
            "registry.path: the keys of the registry FOLDER/registry.db have ARNs that start with"
                + " arn:aws:kms:eu-central-1:123456789012:",
            "correct the section arn"));
  }

  private static void addKey(Path file) {
    var attributes = new KeyAttributes(true, false, true, false, false, false, 32);
    try (var registry = new Registry(file, SCOPE, Clock.systemUTC())) {
      registry.open();
      var _ =
          registry
              .writer()
              .insert(
                  new Key(
                          KeyId.random(),
                          KeySpec.HMAC_256,
                          KeyState.CREATING,
                          KeyOrigin.ADOPTED,
                          Instant.EPOCH,
                          "",
                          null,
                          new KeyVersion(
                              1,
                              new Placement(new KeyObject("orders", "01"), List.of(HSM.serial())),
                              null,
                              null),
                          Set.of())
                      .enabled(attributes, null),
                  List.of())
              .join();
    }
  }

  static Stream<Arguments> listeners() {
    return Stream.of(
        row(
            "missing folder of the socket",
            CONFIG,
            s -> s.replace("path: hmacd.sock", "path: missing/hmacd.sock"),
            "cannot listen on FOLDER/missing/hmacd.sock (grpc.unix_socket.path)",
            "no such file or folder",
            "create the folder FOLDER/missing"),
        row(
            "regular file at the socket",
            CONFIG,
            s -> s.write("hmacd.sock", "precious"),
            "cannot listen on FOLDER/hmacd.sock (grpc.unix_socket.path)",
            "the path exists and is a regular file",
            "remove the file, or configure another path"),
        row(
            "regular file at the temporary folder of the socket",
            CONFIG,
            s -> s.write("hmacd.sock.new", "precious"),
            "cannot listen on FOLDER/hmacd.sock.new (grpc.unix_socket.path)",
            "the path exists and is a regular file",
            "remove the file, or configure another path"),
        row(
            "socket of another process",
            TEMPORARY,
            s -> s.hold(listeningOn(s.path("hmacd.sock"))),
            "another process listens on FOLDER/hmacd.sock",
            "end that process, or change grpc.unix_socket.path"),
        row(
            "regular file at the socket of the metrics",
            CONFIG,
            s -> s.write("metrics.sock", "precious"),
            "cannot listen on FOLDER/metrics.sock (metrics.unix_socket.path)",
            "the path exists and is a regular file",
            "remove the file, or configure another path"),
        row(
            "port of gRPC in use",
            TEMPORARY,
            s -> s.replace("127.0.0.1:0 # gRPC", s.taken()),
            "cannot listen on 127.0.0.1:",
            "Address already in use",
            "end the process that listens there, or change grpc.listen"),
        row(
            "port of the AWS edge in use",
            TEMPORARY,
            s -> s.replace("127.0.0.1:0 # AWS", s.taken()),
            "cannot listen on 127.0.0.1:",
            "Address already in use",
            "end the process that listens there, or change aws_kms.listen"),
        row(
            "port of the metrics in use",
            TEMPORARY,
            s -> s.replace("127.0.0.1:0 # metrics", s.taken()),
            "cannot listen on 127.0.0.1:",
            "Address already in use",
            "end the process that listens there, or change metrics.listen"),
        row(
            "address of a missing interface", // Of a documentation network (RFC 5737).
            TEMPORARY,
            s -> s.replace("127.0.0.1:0 # gRPC", "192.0.2.1:0"),
            "cannot listen on 192.0.2.1:0",
            "Cannot assign requested address",
            "add the address to a network interface, or change grpc.listen"));
  }

  private static ServerSocketChannel listeningOn(Path path) throws IOException {
    return ServerSocketChannel.open(StandardProtocolFamily.UNIX)
        .bind(UnixDomainSocketAddress.of(path));
  }

  static Stream<Arguments> independentMistakes() {
    return Stream.of(
        row(
            "without a token",
            CONFIG,
            s -> {
              s.useModule("missing.so");
              s.write("pin", "\n");
              s.replace("path: registry.db", "path: missing/registry.db");
              s.write("hmacd.sock", "precious");
              s.delete("server.pem");
              s.mode("key.pem", "rw-r--r--");
              s.write("ca.pem", "");
              s.replace("127.0.0.1:0 # AWS", s.taken());
              s.delete("aws.pem");
              s.replace("127.0.0.1:0 # metrics", s.taken());
              s.write("metrics.sock", "precious");
            },
            "token.pin_file: FOLDER/pin is empty",
            "token.module: cannot load",
            "registry.path: cannot open",
            "(grpc.unix_socket.path): the path exists and is a regular file",
            "grpc.tls.certificate: cannot read",
            "grpc.tls.private_key: others have permission",
            "grpc.tls.client_ca: FOLDER/ca.pem has no certificate",
            "aws_kms.tls.certificate: cannot read",
            "change aws_kms.listen",
            "change metrics.listen",
            "(metrics.unix_socket.path): the path exists and is a regular file"),
        row(
            "with a token that refuses the PIN",
            CONFIG,
            s -> {
              s.write("pin", "000000\n");
              s.replace("127.0.0.1:0 # gRPC", s.taken());
              s.delete("aws-key.pem");
            },
            "refused the PIN of FOLDER/pin",
            "change grpc.listen",
            "aws_kms.tls.private_key: cannot read"),
        row(
            "with a token that is not in the registry",
            CONFIG,
            s -> {
              s.useLabel(BLANK.label());
              s.hold(listeningOn(s.path("metrics.sock")));
            },
            "has no record of the key hmacd/own/probe",
            "another process listens on FOLDER/metrics.sock"),
        row(
            "all of them temporary",
            TEMPORARY,
            s -> {
              s.hold(listeningOn(s.path("hmacd.sock")));
              s.replace("127.0.0.1:0 # AWS", s.taken());
              s.replace("127.0.0.1:0 # metrics", s.taken());
            },
            "another process listens on FOLDER/hmacd.sock",
            "change aws_kms.listen",
            "change metrics.listen"));
  }

  /// The exit code of a command, and the failures that it reports, in their order.
  private record Outcome(ExitCode exitCode, List<String> problems) {}

  /// A failed start reports its failures after `hmacd: ` ([dev.hmacd.Hmacd]).
  private static Outcome serve(Setup setup) throws Exception {
    var start =
        new FutureTask<>(
            () -> {
              try {
                throw new AssertionError(CommandLine.run(setup.command("serve")));
              } catch (StartException e) {
                return new Outcome(e.exitCode(), e.problems());
              }
            });
    Thread.ofPlatform().daemon().start(start);
    return start.get(2, TimeUnit.MINUTES); // A daemon that starts does not end.
  }

  private static Outcome check(Setup setup) throws Exception {
    PrintStream out = System.out;
    var printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, UTF_8));
    try {
      ExitCode exitCode = CommandLine.run(setup.command("check"));
      return new Outcome(exitCode, failures(printed.toString(UTF_8)));
    } catch (StartException e) {
      return new Outcome(e.exitCode(), e.problems());
    } finally {
      System.setOut(out);
    }
  }

  private static List<String> failures(String table) {
    return table
        .lines()
        .map(FAIL::matcher)
        .filter(Matcher::matches)
        .map(line -> line.group(1))
        .toList();
  }

  @ParameterizedTest
  @MethodSource({"values", "tlsFiles", "tokens", "registries", "listeners", "independentMistakes"})
  void checkAndServeReportTheSame(ExitCode exitCode, Mistake mistake, String[] texts)
      throws Exception {
    try (var setup = Setup.initialised()) {
      mistake.make(setup);
      List<String> before = files(setup);
      Outcome check = check(setup);
      assertThat(check.exitCode()).as(check.problems().toString()).isEqualTo(exitCode);
      for (String text : texts) {
        assertThat(String.join("\n", check.problems()))
            .contains(text.replace(FOLDER, setup.folder.toString()));
      }
      assertThat(serve(setup)).isEqualTo(check);
      assertThat(files(setup)).isEqualTo(before);
    }
  }

  /// The names of all files, without the files that SQLite and the lock add to an open registry.
  private static List<String> files(Setup setup) throws IOException {
    try (var files = Files.list(setup.folder)) {
      return files
          .map(file -> String.valueOf(file.getFileName()))
          .filter(name -> !name.startsWith("registry.db-") && !name.equals("registry.db.lock"))
          .sorted()
          .toList();
    }
  }

  /// Each row fails because of its mistake.
  @Test
  void withoutAMistakeCheckPasses() throws Exception {
    try (var setup = Setup.initialised()) {
      assertThat(check(setup)).isEqualTo(new Outcome(ExitCode.OK, List.of()));
    }
  }
}
