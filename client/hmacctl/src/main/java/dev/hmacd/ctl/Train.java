package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.logging.LogManager;
import java.util.stream.Stream;

/// The training run for the AOT cache (`lib/train`). Runs the most frequent commands of `hmacctl`
/// in one process. The process ends normally, because the JVM writes the cache only at a normal
/// end.
final class Train {
  private Train() {}

  /// Runs the training.
  ///
  /// @param args the name of a key of spec HMAC_256
  public static void main(String[] args) {
    if (args.length != 1) {
      System.err.println("usage: train KEY");
      System.exit(ExitCode.USAGE.code);
    }
    LogManager.getLogManager().reset();
    train(args[0]);
  }

  private static void train(String key) {
    String[] message = {"--key-id", key, "--message", "hello", "--mac-algorithm", "HMAC_SHA_256"};
    String mac = run(ExitCode.OK, "generate-mac", message, "--query", "Mac", "--output", "text");
    run(ExitCode.OK, "generate-mac", message);
    run(ExitCode.OK, "verify-mac", message, "--mac", mac.strip());
    // A MAC of another length would not be sent to the daemon.
    run(ExitCode.MAC_DOES_NOT_MATCH, "verify-mac", message, "--mac", "A".repeat(43) + "=");
    run(ExitCode.OK, "describe-key", new String[] {"--key-id", key});
  }

  /// Runs a command. Ends the training if the exit code is not the expected one.
  private static String run(ExitCode expected, String command, String[] options, String... more) {
    var out = new ByteArrayOutputStream();
    var terminal =
        new Terminal(
            System.getenv(),
            InputStream.nullInputStream(),
            new PrintStream(out, false, UTF_8),
            expected == ExitCode.OK
                ? System.err
                : new PrintStream(new ByteArrayOutputStream(), false, UTF_8));
    String[] args =
        Stream.of(new String[] {command}, options, more)
            .flatMap(Arrays::stream)
            .toArray(String[]::new);
    int exitCode = Hmacctl.run(terminal, args);
    if (exitCode != expected.code) {
      System.exit(exitCode == 0 ? ExitCode.INTERNAL.code : exitCode);
    }
    return out.toString(UTF_8);
  }
}
