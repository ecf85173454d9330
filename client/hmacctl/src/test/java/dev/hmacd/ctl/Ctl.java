package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.util.Map;

/// Runs hmacctl in this JVM.
final class Ctl {
  private Ctl() {}

  /// The outcome of a run.
  record Result(int exitCode, String out, String err) {}

  static Result run(Map<String, String> environment, String... args) {
    return run(environment, InputStream.nullInputStream(), args);
  }

  static Result run(Map<String, String> environment, InputStream in, String... args) {
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    int exitCode =
        Hmacctl.run(
            new Terminal(
                environment,
                in,
                new PrintStream(out, false, UTF_8),
                new PrintStream(err, false, UTF_8)),
            args);
    return new Result(exitCode, out.toString(UTF_8), err.toString(UTF_8));
  }
}
