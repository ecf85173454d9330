package dev.hmacd.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// `hmacd` in child processes that a test can kill, with its own token and registry. One process at
/// a time serves this user on a Unix socket.
public final class ChildDaemon implements AutoCloseable {
  private static final long LIMIT_SECONDS = Eventually.LIMIT.toSeconds();
  private static final Pattern KEY_LABEL = Pattern.compile("label: +(hmacd/key/\\S+)");

  private final Path folder;
  private final SoftHsm hsm;
  private final Map<String, String> environment = new HashMap<>();
  private List<String> jvm = StartCache.without();
  private int started;
  private @Nullable Process process;
  private final List<Caller> callers = new ArrayList<>();
  private @Nullable Caller caller;

  private ChildDaemon(Path folder) {
    this.folder = folder;
    this.hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    environment.putAll(hsm.environment());
    configure("");
  }

  /// A configuration and a token without own keys. No process is started.
  public static ChildDaemon blank() {
    try {
      // The path of a socket has at most 101 bytes: the build folder can be too long.
      return new ChildDaemon(Files.createTempDirectory("hmacd"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The state after `hmacd init`. No process is started.
  public static ChildDaemon initialised() {
    ChildDaemon daemon = blank();
    Result init = daemon.run("init");
    if (init.exitCode() != 0) {
      daemon.close();
      throw new AssertionError(init);
    }
    return daemon;
  }

  /// Uses an AOT cache for further starts, for tests with many starts.
  public ChildDaemon withStartCache() {
    jvm(StartCache.with());
    return this;
  }

  /// Sets the class path and other arguments of further JVMs.
  public void jvm(List<String> arguments) {
    jvm = arguments;
  }

  /// Writes the configuration, with additional lines in its section `token`.
  public void configure(String tokenLines) {
    configure(hsm.module(), tokenLines);
  }

  /// As [#configure(String)], with another module, for example a fault module.
  public void configure(Path module, String tokenLines) {
    write(
        "hmacd.yaml",
        """
        grpc: {unix_socket: {path: hmacd.sock}}
        token:
          module: %s
          label: %s
          pin_file: %s
          %s
        registry: {path: registry.db}
        arn: {region: eu-central-1, account: "123456789012"}
        access:
          rules: [{principals: ["uid:%s"], actions: ["*"], keys: ["*"]}]
        """
            .formatted(module, SoftHsm.LABEL, hsm.pinFile(), tokenLines, uid()));
  }

  private Object uid() {
    try {
      return Files.getAttribute(folder, "unix:uid");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Writes a file in the daemon's folder.
  public void write(String name, String text) {
    try {
      Files.writeString(folder.resolve(name), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Adds a variable to the environment of further processes.
  public void environment(String name, String value) {
    environment.put(name, value);
  }

  public Path folder() {
    return folder;
  }

  public Path config() {
    return folder.resolve("hmacd.yaml");
  }

  public SoftHsm hsm() {
    return hsm;
  }

  /// The exit code and the output of a process.
  public record Result(int exitCode, String output) {}

  /// Runs a command of `hmacd` with this configuration, and waits for its exit.
  ///
  /// @param options additional options
  public Result run(String command, String... options) {
    List<String> all = new ArrayList<>(List.of(command, "--config", config().toString()));
    all.addAll(List.of(options));
    return hmacd(all.toArray(String[]::new));
  }

  /// Runs `hmacd` with these arguments only, and waits for its exit.
  public Result hmacd(String... arguments) {
    Path log = nextLog();
    Process run = launch(log, "dev.hmacd.Hmacd", arguments);
    try {
      if (!run.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("hmacd " + List.of(arguments) + " does not exit: " + text(log));
      }
      return new Result(run.exitValue(), text(log));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    } finally {
      run.destroyForcibly();
    }
  }

  /// Starts `hmacd serve`, and waits for the first successful health check.
  public ChildDaemon serve() {
    return start("SERVING", "dev.hmacd.Hmacd", "serve", "--config", config().toString());
  }

  /// Starts any program with this configuration, and waits for a word in its output.
  public ChildDaemon start(String word, String mainClass, String... arguments) {
    Path log = nextLog();
    Process fresh = launch(log, mainClass, arguments);
    process = fresh;
    Eventually.holds(
        mainClass + " prints " + word,
        () -> {
          if (!fresh.isAlive()) {
            throw new AssertionError(mainClass + " ended: " + text(log));
          }
          return text(log).contains(word);
        });
    return this;
  }

  /// The output of the last started process.
  public String output() {
    return text(folder.resolve("log-" + started));
  }

  private Path nextLog() {
    started++;
    return folder.resolve("log-" + started);
  }

  private Process launch(Path log, String mainClass, String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-Xmx384m",
                // A killed process does not delete its temporary files.
                "-Djava.io.tmpdir=" + folder,
                "--add-exports=jdk.crypto.cryptoki/sun.security.pkcs11.wrapper=ALL-UNNAMED",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow"));
    command.addAll(jvm);
    command.add(mainClass);
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.redirectOutput(log.toFile()).redirectInput(new File("/dev/null"));
    builder.environment().putAll(environment);
    try {
      return builder.start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String text(Path log) {
    try {
      return Files.readString(log, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The last started process.
  public Process process() {
    if (process == null) {
      throw new IllegalStateException("not started");
    }
    return process;
  }

  /// Sends SIGKILL, and waits for the end of the process.
  public void kill() {
    Process running = process();
    running.destroyForcibly();
    await(running);
    closeCallers();
  }

  /// Sends SIGTERM, and returns the exit code.
  public int stop() {
    Process running = process();
    running.destroy();
    return await(running);
  }

  private int await(Process running) {
    try {
      if (!running.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("the process does not exit: " + output());
      }
      return running.exitValue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  /// A caller with all permissions, on one connection until the process is killed.
  public Caller caller() {
    if (caller == null) {
      caller = newCaller();
    }
    return caller;
  }

  /// As [#caller()], on a new connection.
  public Caller newCaller() {
    Caller fresh = Caller.unix(folder.resolve("hmacd.sock"));
    callers.add(fresh);
    return fresh;
  }

  /// Closes all callers. An open channel that becomes garbage logs an error, during any later test.
  private void closeCallers() {
    callers.forEach(Caller::close);
    callers.clear();
    caller = null;
  }

  /// The registry, opened from this process, also while a daemon runs.
  public Connection database() {
    try {
      return DriverManager.getConnection("jdbc:sqlite:" + folder.resolve("registry.db"));
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  /// The state of the key for each object in the registry, by label.
  public Map<String, String> registeredObjects() {
    try (Connection database = database();
        Statement statement = database.createStatement();
        ResultSet rows =
            statement.executeQuery(
                "SELECT object_label, state FROM keys LEFT JOIN key_versions USING (key_id,"
                    + " version)")) {
      Map<String, String> states = new HashMap<>();
      while (rows.next()) {
        states.put(rows.getString(1), rows.getString(2));
      }
      return states;
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  /// The labels of callers' keys on the token, one for each object.
  public List<String> tokenObjects() {
    return KEY_LABEL
        .matcher(hsm.list())
        .results()
        .map(found -> found.group(1))
        .collect(Collectors.toList());
  }

  /// Waits until no key is in state `CREATING`. Then fails unless token and registry are
  /// consistent: one object for each row and one row for each object.
  ///
  /// @return the labels of the objects
  public Set<String> awaitConsistentObjects() {
    try {
      Eventually.holds(
          "no key is in state CREATING", () -> !registeredObjects().containsValue("CREATING"));
    } catch (AssertionError e) {
      throw new AssertionError(output(), e); // The output has the reason.
    }
    Set<String> registered = registeredObjects().keySet();
    List<String> onToken = tokenObjects();
    assertThat(onToken)
        .as(() -> "objects on the token; output of the daemon: " + output())
        .containsExactlyInAnyOrderElementsOf(registered);
    return registered;
  }

  @Override
  public void close() {
    if (process != null) {
      kill();
    }
    closeCallers();
    try (var files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
