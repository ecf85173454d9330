package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// A small application that uses the packaged client, compiled and run in processes of the JDK.
///
/// @param folder has the sources and classes
record Application(Path folder) {
  /// The jar that `mvn package` makes.
  static final Path CLIENT_JAR = Path.of(System.getProperty("hmacd.client.jar"));

  /// Makes a MAC, whose first attempt fails with an error of the daemon, and verifies a wrong one.
  /// Prints the MAC and the reason.
  private static final String MAIN =
      """
      package app;

      import dev.hmacd.client.*;
      import java.nio.file.Path;
      import java.time.Duration;
      import java.util.HexFormat;

      public final class Main {
        public static void main(String[] args) {
          byte[] message = "what do ya want for nothing?".getBytes();
          try (var hmacd =
              HmacdClient.builder()
                  .target(args[0])
                  .tls(Path.of(args[1]), Path.of(args[2]), Path.of(args[3]))
                  .deadlineAfter(Duration.ofSeconds(120))
                  .build()) {
            HmacdKey key = hmacd.key("alias/orders", MacAlgorithm.HMAC_SHA_256);
            System.out.println(HexFormat.of().formatHex(key.generate(message).toByteArray()));
            try {
              key.verify(message, new byte[32]);
            } catch (InvalidMacException e) {
              System.out.println(e.reason());
            }
          }
        }
      }
      """;

  /// Test case 2 of RFC 4231, and the reason of a wrong MAC.
  private static final String OUTPUT =
      """
      5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843
      KMS_INVALID_MAC
      """;

  /// Compiles the application.
  ///
  /// @param options of javac, with the path of the client
  /// @param moduleInfo the module descriptor; empty for none
  static Application compile(Path folder, List<String> options, String moduleInfo)
      throws IOException, InterruptedException {
    Path source = Files.createDirectories(folder.resolve("app")).resolve("Main.java");
    var arguments =
        new ArrayList<>(List.of("-Xlint:all", "-Werror", "--release", "17", "-d", "" + folder));
    arguments.addAll(options);
    arguments.add(Files.writeString(source, MAIN).toString());
    if (!moduleInfo.isEmpty()) {
      Path descriptor = folder.resolve("module-info.java");
      arguments.add(Files.writeString(descriptor, moduleInfo).toString());
    }
    assertThat(run("javac", arguments)).isEmpty();
    return new Application(folder);
  }

  /// Runs the application with a fake daemon, and checks its output, which has no warning.
  ///
  /// @param options of java, with the class path and the main class
  void makesAMac(List<String> options) throws IOException, InterruptedException {
    TestPki client = TestPki.client();
    try (FakeDaemon daemon = FakeDaemon.overTls(TestPki.daemon("localhost"))) {
      daemon.failing(1, io.grpc.Status.Code.RESOURCE_EXHAUSTED, "TOKEN_BUSY");
      var arguments = new ArrayList<>(options);
      Collections.addAll(
          arguments,
          daemon.target(),
          client.ca().toString(),
          client.cert().toString(),
          client.key().toString());
      assertThat(run("java", arguments)).isEqualTo(OUTPUT);
      assertThat(daemon.calls()).containsExactly("GenerateMac", "GenerateMac", "VerifyMac");
    }
  }

  static String path(Path... entries) {
    return String.join(File.pathSeparator, Stream.of(entries).map(Path::toString).toList());
  }

  /// Runs a program of the JDK.
  ///
  /// @return its output and error output
  private static String run(String program, List<String> arguments)
      throws IOException, InterruptedException {
    var command =
        new ArrayList<>(
            List.of(Path.of(System.getProperty("java.home"), "bin", program).toString()));
    command.addAll(arguments);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try {
      process.getOutputStream().close();
      String output = new String(process.getInputStream().readAllBytes(), UTF_8);
      assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
      return output;
    } finally {
      process.destroyForcibly();
    }
  }
}
