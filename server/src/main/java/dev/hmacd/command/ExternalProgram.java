package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.file.FileException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// An external program that `hmacd dev` runs, such as openssl. The file `NAME.log` in the folder of
/// `hmacd dev` has the standard error of the program's last run.
final class ExternalProgram {
  private static final int LIMIT_SECONDS = 30;

  private final DevFolder folder;
  private final String name;
  private final String debianPackage;

  /// @param name name of the program, which is found with `PATH`
  ExternalProgram(DevFolder folder, String name, String debianPackage) {
    this.folder = folder;
    this.name = name;
    this.debianPackage = debianPackage;
  }

  /// Runs the program, and returns its standard output.
  ///
  /// @param environment additional variables, for secrets that must not be in the arguments
  String run(Map<String, String> environment, String input, List<String> arguments)
      throws StartException, IOException, InterruptedException {
    Path log = folder.file(name + ".log");
    ProcessBuilder builder = new ProcessBuilder(name).redirectError(log.toFile());
    builder.command().addAll(arguments);
    builder.environment().putAll(environment);
    Process process;
    try {
      process = builder.start();
    } catch (IOException e) {
      throw new StartException(
          "cannot run "
              + name
              + ": "
              + FileException.reason(e)
              + "; install it (Debian: apt-get install "
              + debianPackage
              + ")",
          ExitCode.CONFIG,
          e);
    }
    // Input and output fit into the pipes (64 KiB each), so no process waits for the other.
    try (var in = process.getOutputStream()) {
      in.write(input.getBytes(StandardCharsets.UTF_8));
    }
    boolean ended = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
    if (!ended) {
      process.destroyForcibly();
    }
    if (!ended || process.exitValue() != 0) {
      throw new StartException(
          name + " " + arguments.getFirst() + " failed; see " + log, ExitCode.TEMPORARY);
    }
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }
}
