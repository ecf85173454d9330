package dev.hmacd.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.Hmacd;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A daemon in a separate JVM, started with `hmacd init` and `hmacd serve`.
///
/// For tests that need their own token, environment or heap.
public final class DaemonProcess implements AutoCloseable {
  private static final long LIMIT_SECONDS = Eventually.LIMIT.toSeconds();
  private static final Pattern ADDRESS =
      Pattern.compile("Serving gRPC with mutual TLS .*127\\.0\\.0\\.1:(\\d+)");
  private static final Pattern AWS_ADDRESS =
      Pattern.compile("Serving AWS KMS .*127\\.0\\.0\\.1:(\\d+)");
  private static final String SERVING = "health status: SERVING";

  private final LoopbackDaemon files;
  private final Process process;
  private final CompletableFuture<Integer> port = new CompletableFuture<>();
  private final CompletableFuture<Integer> awsPort = new CompletableFuture<>();
  private final List<String> output = new CopyOnWriteArrayList<>();
  private final CompletableFuture<Boolean> serving = new CompletableFuture<>();
  private final List<Caller> callers = new ArrayList<>();

  private DaemonProcess(LoopbackDaemon files, Process process) {
    this.files = files;
    this.process = process;
  }

  /// Starts a daemon, and waits for the first successful health check.
  ///
  /// @param files a daemon that is configured and not started; closed with this one
  /// @param hsm a token that is unknown to the module in this process
  /// @param environment additional variables, beside [SoftHsm#environment]
  public static DaemonProcess start(
      LoopbackDaemon files, SoftHsm hsm, Map<String, String> environment) {
    return start(files, hsm, environment, List.of());
  }

  /// As [#start(LoopbackDaemon, SoftHsm, Map)], with additional options of the JVM.
  public static DaemonProcess start(
      LoopbackDaemon files, SoftHsm hsm, Map<String, String> environment, List<String> jvmOptions) {
    Map<String, String> all = new HashMap<>(environment);
    all.putAll(hsm.environment());
    files.writeFiles();
    DaemonProcess init = new DaemonProcess(files, launch("init", files.config(), all, jvmOptions));
    init.follow();
    if (init.exitCode() != 0) {
      throw new IllegalStateException("hmacd init failed");
    }
    return serve(files, all, jvmOptions);
  }

  /// Starts a daemon again, with the files of an earlier one.
  public static DaemonProcess again(LoopbackDaemon files, SoftHsm hsm) {
    return serve(files, hsm.environment(), List.of());
  }

  private static DaemonProcess serve(
      LoopbackDaemon files, Map<String, String> all, List<String> jvmOptions) {
    DaemonProcess daemon =
        new DaemonProcess(files, launch("serve", files.config(), all, jvmOptions));
    Thread.ofPlatform().daemon().name("hmacd-output").start(daemon::follow);
    try {
      var _ = daemon.serving.get(LIMIT_SECONDS, TimeUnit.SECONDS);
      return daemon;
    } catch (InterruptedException | ExecutionException | TimeoutException e) {
      var failure = new IllegalStateException("the daemon does not serve", e);
      try {
        daemon.close();
      } catch (IllegalStateException exit) {
        failure.addSuppressed(exit);
      }
      throw failure;
    }
  }

  private static Process launch(
      String command, Path config, Map<String, String> environment, List<String> jvmOptions) {
    List<String> line = java(jvmOptions, Hmacd.class);
    line.addAll(List.of(command, "--config", config.toString()));
    ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
    builder.environment().putAll(environment);
    try {
      return builder.start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The command line of a small JVM with the class path of this one.
  static List<String> java(List<String> jvmOptions, Class<?> main) {
    List<String> line = new ArrayList<>();
    line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // The child needs the options of this JVM, such as --add-exports.
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.startsWith("--"))
        .forEach(line::add);
    line.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx384m"));
    line.addAll(jvmOptions);
    line.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    return line;
  }

  /// Reads the output until its end: prints warnings and errors, and finds the ports.
  private void follow() {
    try (var lines = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        output.add(line);
        Matcher address = ADDRESS.matcher(line);
        Matcher awsAddress = AWS_ADDRESS.matcher(line);
        if (address.find()) {
          port.complete(Integer.valueOf(address.group(1)));
        } else if (awsAddress.find()) {
          awsPort.complete(Integer.valueOf(awsAddress.group(1)));
        } else if (line.contains(SERVING)) {
          serving.complete(true);
        } else if (!line.contains(" INFO ") && !line.contains(" DEBUG ")) {
          System.out.println("hmacd[" + process.pid() + "] " + line);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      serving.completeExceptionally(new IllegalStateException("the daemon ended"));
      port.completeExceptionally(new IllegalStateException("the daemon ended"));
      awsPort.completeExceptionally(new IllegalStateException("the daemon ended"));
    }
  }

  public long pid() {
    return process.pid();
  }

  /// The port of gRPC on loopback.
  public int port() {
    return port.join();
  }

  /// The port of the AWS KMS edge.
  public int awsPort() {
    return awsPort.join();
  }

  /// Whether a line of the output contains this text.
  public boolean logs(String text) {
    return output.stream().anyMatch(line -> line.contains(text));
  }

  /// All lines of the output.
  public List<String> output() {
    return output;
  }

  /// Sends a signal to the daemon by its name, e.g. `HUP`.
  public void signal(String name) {
    try {
      var kill = new ProcessBuilder("kill", "-" + name, Long.toString(pid())).start();
      if (kill.waitFor() != 0) {
        throw new IllegalStateException("kill -" + name + " failed");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /// Sends SIGTERM, while callers continue, and returns the exit code.
  public int stop() {
    // Process.destroy would close the output during a read.
    process.toHandle().destroy();
    return exitCode();
  }

  /// Stops the daemon and ends its callers, but keeps its files for [#again]. An open channel that
  /// becomes garbage logs an error, during any later test.
  public int stopForRestart() {
    int code = stop();
    callers.forEach(Caller::close);
    return code;
  }

  /// A caller with a certificate for `spiffe://test/NAME`, over mutual TLS.
  public Caller as(String name) {
    Caller caller = Caller.tls(port.join(), files.ca().pem(), files.ca().client(name));
    callers.add(caller);
    return caller;
  }

  /// Waits for the exit, and returns the exit code.
  public int exitCode() {
    try {
      if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IllegalStateException("the daemon does not exit");
      }
      return process.exitValue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /// Stops the daemon with SIGTERM.
  @Override
  public void close() {
    callers.forEach(Caller::close);
    int code = stop();
    files.close();
    if (code != 0) {
      throw new IllegalStateException("the daemon exited with status " + code);
    }
  }
}
