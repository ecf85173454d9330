package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.ChildDaemon;
import dev.hmacd.testing.ChildDaemon.Result;
import dev.hmacd.testing.TestCa;
import io.netty.pkitesting.X509Bundle;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Exit codes of failed starts: 75 for a temporary failure, 78 if an operator has to act, 70 for an
/// unexpected error. [CheckEqualsServeTest] has more mistakes, without processes.
@Tag("slow")
final class StartFailureTest {
  private static final int SOFTWARE = 70;
  private static final int TEMPORARY = 75;
  private static final int CONFIG = 78;

  private final ChildDaemon daemon = ChildDaemon.initialised();
  private final ServerSocket taken = listening();

  private static ServerSocket listening() {
    try {
      return new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @BeforeEach
  void writeCertificate() throws Exception {
    var ca = new TestCa("callers");
    X509Bundle server = ca.issue(certificate -> certificate.subject("CN=server"));
    daemon.write("ca.pem", ca.pem());
    daemon.write("server.pem", server.getCertificatePathPEM());
    daemon.write("key.pem", server.getPrivateKeyPEM());
    Files.setPosixFilePermissions(
        daemon.folder().resolve("key.pem"), PosixFilePermissions.fromString("rw-------"));
  }

  @AfterEach
  void close() throws IOException {
    taken.close();
    daemon.close();
  }

  private void replace(String line, String fresh) throws IOException {
    String config = Files.readString(daemon.config());
    assertThat(config).contains(line);
    daemon.write("hmacd.yaml", config.replace(line, fresh));
  }

  /// TCP listeners of `serve`: the configuration key, and the lines that configure it.
  enum Listener {
    GRPC("grpc.listen") {
      @Override
      void configure(StartFailureTest test, String address) throws IOException {
        test.replace(
            "grpc: {",
            "grpc: {listen: '"
                + address
                + "', tls: {certificate: server.pem, private_key: key.pem, client_ca: ca.pem}, ");
      }
    },
    AWS_KMS("aws_kms.listen") {
      @Override
      void configure(StartFailureTest test, String address) throws IOException {
        test.replace("registry:", "aws_kms: {listen: '" + address + "'}\nregistry:");
      }
    },
    METRICS("metrics.listen") {
      @Override
      void configure(StartFailureTest test, String address) throws IOException {
        test.replace("registry:", "metrics: {listen: '" + address + "'}\nregistry:");
      }
    };

    private final String key;

    Listener(String key) {
      this.key = key;
    }

    abstract void configure(StartFailureTest test, String address) throws IOException;
  }

  private void assertFails(Result result, int exitCode, String... texts) {
    assertThat(result.exitCode()).as(result.output()).isEqualTo(exitCode);
    assertThat(result.output()).contains(texts).doesNotContain("\tat ");
  }

  @ParameterizedTest
  @EnumSource
  void portInUseIsTemporary(Listener listener) throws IOException {
    String address = "127.0.0.1:" + taken.getLocalPort();
    listener.configure(this, address);
    assertFails(daemon.run("serve"), TEMPORARY, address, listener.key, "already in use");
    assertThat(daemon.folder().resolve("hmacd.sock")).doesNotExist();
    taken.close();
    daemon.serve();
  }

  /// 192.0.2.1 is an address of a documentation network (RFC 5737). Metrics are on loopback
  /// addresses only.
  @ParameterizedTest
  @EnumSource(names = "METRICS", mode = EnumSource.Mode.EXCLUDE)
  void addressOfAMissingInterfaceIsTemporary(Listener listener) throws IOException {
    if (listener == Listener.AWS_KMS) {
      replace(
          "registry:",
          "aws_kms: {listen: '192.0.2.1:0', tls: {certificate: server.pem, private_key: key.pem}}\n"
              + "registry:");
    } else {
      listener.configure(this, "192.0.2.1:0");
    }
    assertFails(daemon.run("serve"), TEMPORARY, "192.0.2.1", listener.key, "assign requested");
  }

  /// Files at the path of the Unix socket that the daemon must keep.
  enum Obstacle {
    FILE("a regular file") {
      @Override
      void put(Path path) throws IOException {
        Files.writeString(path, "precious");
      }
    },
    FOLDER("a folder") {
      @Override
      void put(Path path) throws IOException {
        Files.createDirectory(path);
      }
    },
    LINK("a symbolic link") {
      @Override
      void put(Path path) throws IOException {
        Files.writeString(path.resolveSibling("precious"), "precious");
        Files.createSymbolicLink(path, path.resolveSibling("precious"));
      }
    },
    DANGLING_LINK("a symbolic link") {
      @Override
      void put(Path path) throws IOException {
        Files.createSymbolicLink(path, path.resolveSibling("nowhere"));
      }
    },
    FIFO("a FIFO") {
      @Override
      void put(Path path) throws IOException {
        makeFifo(path);
      }
    };

    private final String name;

    Obstacle(String name) {
      this.name = name;
    }

    abstract void put(Path path) throws IOException;
  }

  private static void makeFifo(Path path) throws IOException {
    try {
      assertThat(new ProcessBuilder("mkfifo", path.toString()).inheritIO().start().waitFor())
          .isZero();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  private static String identity(Path path) throws IOException {
    return Files.readAttributes(path, "unix:ino,mode,ctime,size", LinkOption.NOFOLLOW_LINKS)
        .toString();
  }

  @ParameterizedTest
  @EnumSource
  void otherFileAtThePathOfTheSocketIsKept(Obstacle obstacle) throws IOException {
    Path path = daemon.folder().resolve("hmacd.sock");
    obstacle.put(path);
    String before = identity(path);
    assertFails(
        daemon.run("serve"), CONFIG, path.toString(), "grpc.unix_socket.path", obstacle.name);
    assertThat(identity(path)).isEqualTo(before);
    Files.delete(path);
    daemon.serve();
  }

  /// The daemon binds the socket in this folder. An empty folder is that of a daemon that crashed.
  @ParameterizedTest
  @EnumSource(names = "FOLDER", mode = EnumSource.Mode.EXCLUDE)
  void otherFileAtThePathOfTheTemporaryFolderIsKept(Obstacle obstacle) throws IOException {
    Path path = daemon.folder().resolve("hmacd.sock.new");
    obstacle.put(path);
    String before = identity(path);
    assertFails(
        daemon.run("serve"), CONFIG, path.toString(), "grpc.unix_socket.path", obstacle.name);
    assertThat(identity(path)).isEqualTo(before);
    Files.delete(path);
    daemon.serve();
  }

  @Test
  void folderWithOtherFilesAtThePathOfTheTemporaryFolderIsKept() throws IOException {
    Path path = Files.createDirectory(daemon.folder().resolve("hmacd.sock.new"));
    Path precious = Files.writeString(path.resolve("precious"), "precious");
    assertFails(daemon.run("serve"), CONFIG, path.toString(), "not empty", "grpc.unix_socket.path");
    assertThat(precious).hasContent("precious");
  }

  @Test
  void temporaryFolderOfACrashedDaemonIsRemovedAndTheSocketHasItsMode() throws IOException {
    Path path = Files.createDirectory(daemon.folder().resolve("hmacd.sock.new"));
    try (var crashed = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      crashed.bind(UnixDomainSocketAddress.of(path.resolve("s")));
    }
    daemon.serve();
    assertThat(path).doesNotExist();
    assertThat(Files.getPosixFilePermissions(daemon.folder().resolve("hmacd.sock")))
        .isEqualTo(PosixFilePermissions.fromString("rw-rw----"));
  }

  @Test
  void socketOfAnotherProcessIsKept() throws IOException {
    Path path = daemon.folder().resolve("hmacd.sock");
    try (var other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      other.bind(UnixDomainSocketAddress.of(path));
      String before = identity(path);
      assertFails(
          daemon.run("serve"), TEMPORARY, path.toString(), "grpc.unix_socket.path", "listens on");
      assertThat(identity(path)).isEqualTo(before);
    }
    // No process listens on the socket after this line.
    assertThat(path).exists();
    daemon.serve();
  }

  @Test
  void expiredAuthorityNeedsAnOperator() throws IOException {
    Listener.GRPC.configure(this, "127.0.0.1:0");
    Instant now = Instant.now();
    var expired =
        new TestCa("expired", now.minus(Duration.ofDays(2)), now.minus(Duration.ofDays(1)));
    daemon.write("ca.pem", expired.pem());
    String[] texts = {"grpc.tls.client_ca", "CN=expired", "no certificate authority"};
    assertFails(daemon.run("serve"), CONFIG, texts);
    assertFails(daemon.run("check"), CONFIG, texts);

    daemon.write("ca.pem", expired.pem() + new TestCa("valid").pem());
    Result check = daemon.run("check");
    assertThat(check.output())
        .containsPattern("WARN +grpc.tls.client_ca +1 certificate authorities");
    daemon.serve();
    assertThat(daemon.output()).contains("Certificate authority left out", "CN=expired");
  }

  @Test
  void missingFolderOfTheSocketNeedsAnOperator() throws IOException {
    replace("path: hmacd.sock", "path: missing/hmacd.sock");
    assertFails(
        daemon.run("serve"),
        CONFIG,
        "cannot listen on " + daemon.folder().resolve("missing/hmacd.sock"),
        "no such file or folder; create the folder " + daemon.folder().resolve("missing"),
        "grpc.unix_socket.path");
  }

  @Test
  void replacedSocketIsKeptAtAStop() throws IOException {
    daemon.serve();
    Path path = daemon.folder().resolve("hmacd.sock");
    Files.delete(path);
    Files.writeString(path, "precious");
    assertThat(daemon.stop()).isZero();
    assertThat(path).hasContent("precious");
  }

  @Test
  void otherSocketAtThePathIsKeptAtAStop() throws IOException {
    daemon.serve();
    Path path = daemon.folder().resolve("hmacd.sock");
    Files.delete(path);
    try (var other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      other.bind(UnixDomainSocketAddress.of(path));
      assertThat(daemon.stop()).isZero();
      assertThat(path).exists();
    }
  }

  @Test
  void socketWhoseModeWasChangedIsRemovedAtAStop() throws IOException {
    daemon.serve();
    Path path = daemon.folder().resolve("hmacd.sock");
    setMode(path, "rw-rw-rw-");
    assertThat(daemon.stop()).isZero();
    assertThat(path).doesNotExist();
  }

  /// Unusable registries, by the configured path.
  enum BadRegistry {
    MISSING_FOLDER("missing/registry.db") {
      @Override
      void put(Path path) {}
    },
    FILE_FOR_A_FOLDER("hmacd.yaml/registry.db") {
      @Override
      void put(Path path) {}
    },
    FOLDER("folder.db") {
      @Override
      void put(Path path) throws IOException {
        Files.createDirectory(path);
      }
    },
    FIFO("fifo.db") {
      @Override
      void put(Path path) throws IOException {
        makeFifo(path);
      }
    },
    LOCK_IS_A_FIFO("locked.db") {
      @Override
      void put(Path path) throws IOException {
        makeFifo(path.resolveSibling("locked.db.lock"));
      }
    },
    NO_DATABASE("text.db") {
      @Override
      void put(Path path) throws IOException {
        Files.writeString(path, "x".repeat(8192));
      }
    };

    private final String path;

    BadRegistry(String path) {
      this.path = path;
    }

    abstract void put(Path path) throws IOException;
  }

  @ParameterizedTest
  @EnumSource
  void unusableRegistryNeedsAnOperator(BadRegistry registry) throws IOException {
    replace("path: registry.db", "path: " + registry.path);
    registry.put(daemon.folder().resolve(registry.path));
    for (String command : new String[] {"serve", "init"}) {
      assertFails(daemon.run(command), CONFIG, daemon.folder().toString(), "registry.path");
    }
  }

  /// The folder is correct, so the error names the backup and not the folder.
  @Test
  void damagedRegistryNeedsARestore() throws IOException {
    Path registry = daemon.folder().resolve("registry.db");
    byte[] content = Files.readAllBytes(registry);
    // The first page has the schema, and stays valid. A page of SQLite has 4096 bytes.
    Arrays.fill(content, 4096, content.length, (byte) 0xff);
    Files.write(registry, content);
    Result result = daemon.run("serve");
    assertFails(result, CONFIG, registry.toString(), "restore the backup of the registry");
    assertThat(result.output()).doesNotContain("create the folder");
  }

  @ParameterizedTest
  @CsvSource({
    "GRPC, server.pem, grpc.tls.certificate",
    "GRPC, key.pem, grpc.tls.private_key",
    "GRPC, ca.pem, grpc.tls.client_ca",
    "AWS_KMS, server.pem, aws_kms.tls.certificate",
    "AWS_KMS, key.pem, aws_kms.tls.private_key"
  })
  void missingTlsFileNeedsAnOperator(Listener listener, String file, String key)
      throws IOException {
    if (listener == Listener.AWS_KMS) {
      replace(
          "registry:",
          "aws_kms: {listen: '127.0.0.1:0', tls: {certificate: server.pem, private_key: key.pem}}\n"
              + "registry:");
    } else {
      listener.configure(this, "127.0.0.1:0");
    }
    Files.delete(daemon.folder().resolve(file));
    String fault = key + ": cannot read " + daemon.folder().resolve(file) + ": no such file";
    assertFails(daemon.run("serve"), CONFIG, fault);
    assertFails(daemon.run("check"), CONFIG, fault);
  }

  /// Values of the section `token` that cannot be used: the old line, the new line, and the error
  /// text, which has the configuration key, the value, the reason and the remedy.
  enum BadToken {
    MISSING_MODULE("module: ", "missing.so", TEMPORARY) {
      @Override
      List<String> texts(Path value) {
        return List.of("token.module: ", value + ": ", "No such file", "install the module");
      }
    },
    TEXT_AS_MODULE("module: ", "hmacd.yaml", TEMPORARY) {
      @Override
      List<String> texts(Path value) {
        return List.of("token.module: ", value + ": ", "no ELF header", "correct token.module");
      }
    },
    MISSING_PIN_FILE("pin_file: ", "missing/pin", CONFIG) {
      @Override
      List<String> texts(Path value) {
        return List.of(
            "token.pin_file: cannot read " + value + ": no such file", "create the file");
      }
    },
    FOLDER_AS_PIN_FILE("pin_file: ", ".", CONFIG) {
      @Override
      List<String> texts(Path value) {
        return List.of("token.pin_file: " + value + " is a folder", "configure the path");
      }
    },
    UNKNOWN_LABEL("label: ", "nonsense", TEMPORARY) {
      @Override
      List<String> texts(Path value) {
        return List.of(
            "token.label: no token of ",
            "matches label \"nonsense\"",
            "configure one of the module's tokens");
      }
    };

    private final String key;
    private final String value;
    private final int exitCode;

    BadToken(String key, String value, int exitCode) {
      this.key = key;
      this.value = value;
      this.exitCode = exitCode;
    }

    /// @param value the value as an absolute path
    abstract List<String> texts(Path value);
  }

  @ParameterizedTest
  @EnumSource
  void unusableTokenIsNamedWithItsConfigurationKey(BadToken token) throws IOException {
    String config = Files.readString(daemon.config());
    daemon.write(
        "hmacd.yaml", config.replaceFirst("\\b" + token.key + ".*", token.key + token.value));
    Path value = daemon.folder().resolve(token.value).normalize();
    for (String command : List.of("serve", "init")) {
      assertFails(daemon.run(command), token.exitCode, token.texts(value).toArray(String[]::new));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"serve", "init", "check"})
  void missingConfigurationIsNamed(String command) {
    Path missing = daemon.folder().resolve("missing.yaml");
    assertFails(
        daemon.hmacd(command, "--config", missing.toString()),
        CONFIG,
        "--config: cannot read " + missing + ": no such file",
        "create the file");
  }

  private void setMode(Path file, String mode) throws IOException {
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
  }

  @ParameterizedTest
  @ValueSource(strings = {"rw-r--r--", "rw-----w-"})
  void privateKeyThatOthersCanReadOrWriteNeedsAnOperator(String mode) throws IOException {
    Listener.GRPC.configure(this, "127.0.0.1:0");
    Path key = daemon.folder().resolve("key.pem");
    setMode(key, mode);
    String[] texts = {"grpc.tls.private_key", key.toString(), mode, "chmod o-"};
    assertFails(daemon.run("serve"), CONFIG, texts);
    assertFails(daemon.run("check"), CONFIG, texts);
    setMode(key, "rw-------");
    daemon.serve();
  }

  @ParameterizedTest
  @ValueSource(strings = {"rw-r--r--", "rw-----w-"})
  void pinFileThatOthersCanReadOrWriteNeedsAnOperator(String mode) throws IOException {
    Path pin = daemon.hsm().pinFile();
    setMode(pin, mode);
    String[] texts = {"pin_file", pin.toString(), mode, "chmod o-"};
    assertFails(daemon.run("serve"), CONFIG, texts);
    assertFails(daemon.run("init"), CONFIG, texts);
    assertFails(daemon.run("check"), CONFIG, texts);
    setMode(pin, "rw-------");
    daemon.serve();
  }

  @Test
  void configurationThatOthersCanWriteNeedsAnOperator() throws IOException {
    setMode(daemon.config(), "rw-r--rw-");
    for (String command : List.of("serve", "init", "check")) {
      assertFails(daemon.run(command), CONFIG, daemon.config().toString(), "chmod o-w");
    }
    setMode(daemon.config(), "rw-r--r--");
    daemon.serve();
  }

  @Test
  void moduleThatOthersCanWriteNeedsAnOperator() throws IOException {
    Path module = Files.copy(daemon.hsm().module(), daemon.folder().resolve("module.so"));
    String config = Files.readString(daemon.config());
    daemon.write("hmacd.yaml", config.replaceFirst("\\bmodule: .*", "module: module.so"));
    setMode(module, "rwxr-xrwx");
    String[] texts = {"token.module", module.toString(), "rwxr-xrwx", "chmod o-w"};
    assertFails(daemon.run("serve"), CONFIG, texts);
    assertFails(daemon.run("init"), CONFIG, texts);
    assertFails(daemon.run("check"), CONFIG, texts);
    setMode(module, "rwxr-xr-x");
    daemon.serve();
  }

  @Test
  void registryThatOthersCanWriteGivesAWarning() throws IOException {
    Path registry = daemon.folder().resolve("registry.db");
    setMode(registry, "rw-----w-");
    assertThat(daemon.run("check").output())
        .containsPattern("WARN +permissions +registry.path: .*" + registry);
    daemon.serve();
    assertThat(daemon.output()).contains("File permissions too wide", registry.toString());
  }

  @Test
  void folderOfASocketThatOthersCanWriteGivesAWarning() throws IOException {
    Path sockets = Files.createDirectory(daemon.folder().resolve("sockets"));
    setMode(sockets, "rwxr-xr-x");
    replace("registry:", "metrics: {unix_socket: {path: sockets/metrics.sock}}\nregistry:");
    replace("{path: hmacd.sock}", "{path: sockets/hmacd.sock}");
    assertThat(daemon.run("check").output()).doesNotContain("permissions");
    setMode(sockets, "rwxrwxrwx");
    assertThat(daemon.run("check").output())
        .containsPattern("WARN +permissions +grpc.unix_socket.path: .*" + sockets)
        .containsPattern("WARN +permissions +metrics.unix_socket.path: .*" + sockets);
    replace("{path: sockets/hmacd.sock}", "{path: hmacd.sock}");
    daemon.serve();
    assertThat(daemon.output())
        .contains("File permissions too wide", "metrics.unix_socket.path", sockets.toString());
  }

  /// A writer of the file can impersonate any caller.
  @Test
  void authoritiesThatAGroupCanWriteGiveAWarning() throws IOException {
    Listener.GRPC.configure(this, "127.0.0.1:0");
    Path authorities = daemon.folder().resolve("ca.pem");
    if (Files.getAttribute(authorities, "unix:gid").equals(0)) {
      Files.setAttribute(authorities, "unix:gid", 1); // The group root is trusted.
    }
    setMode(authorities, "rw-r--r--");
    assertThat(daemon.run("check").output()).doesNotContain("permissions");
    setMode(authorities, "rw-rw-r--");
    assertThat(daemon.run("check").output())
        .containsPattern("WARN +permissions +grpc.tls.client_ca: .*" + authorities);
    daemon.serve();
    assertThat(daemon.output()).contains("File permissions too wide", "grpc.tls.client_ca");
  }

  @Test
  void privateFilesGiveNoWarning() throws IOException {
    setMode(daemon.config(), "rw-r--r--"); // For any umask.
    assertThat(daemon.run("check").output()).doesNotContain("permissions");
    daemon.serve();
    assertThat(daemon.output()).doesNotContain("File permissions too wide");
  }

  /// For example, an installation without a library.
  @Test
  void unexpectedErrorShowsItsStackTrace() {
    String libraries =
        Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator, -1))
            .filter(path -> !path.contains("sqlite-jdbc"))
            .collect(Collectors.joining(File.pathSeparator));
    daemon.jvm(List.of("-cp", libraries));
    for (String command : List.of("serve", "init", "check")) {
      Result result = daemon.run(command);
      assertThat(result.exitCode()).as(result.output()).isEqualTo(SOFTWARE);
      assertThat(result.output())
          .contains("unexpected error", "NoClassDefFoundError", "\tat dev.hmacd.");
    }
    assertThat(daemon.folder().resolve("hmacd.sock")).doesNotExist();
  }

  /// Another program may use the same name, such as `env` of a Python project.
  @ParameterizedTest
  @ValueSource(strings = {"env", "hmacd.yaml"})
  void fileOfAnotherProgramIsKeptByDev(String name) throws IOException {
    Path dir =
        Files.createDirectory(
            daemon.folder().resolve("dev"),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Path file = dir.resolve(name);
    Files.writeString(file, "precious");
    assertFails(daemon.hmacd("dev", "--dir", dir.toString()), CONFIG, file.toString(), "--dir");
    assertThat(file).hasContent("precious");
    Files.delete(file);
    Files.createDirectory(file);
    assertFails(daemon.hmacd("dev", "--dir", dir.toString()), CONFIG, file.toString(), "--dir");
    assertThat(file).isEmptyDirectory();
  }

  @Test
  void fileAtThePathOfTheFolderOfDevIsKept() throws IOException {
    Path path = daemon.folder().resolve("dev");
    Files.writeString(path, "precious");
    assertFails(daemon.hmacd("dev", "--dir", path.toString()), CONFIG, path.toString(), "--dir");
    assertThat(path).hasContent("precious");
  }
}
