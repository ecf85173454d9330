package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import com.google.common.util.concurrent.MoreExecutors;
import com.google.protobuf.Int32Value;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.UnknownHostException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Checks the way to each target, step by step, over a new connection: files, name, connection,
/// TLS, health status. It makes no MAC.
final class Doctor {
  private final Connections connections;
  private final Duration timeout;

  /// @param timeout limit of each step
  Doctor(Connections connections, Duration timeout) {
    this.connections = connections;
    this.timeout = timeout;
  }

  /// One line for each target: `ok: <target>, <facts>` or `failed: <target>, <check>: <text>`.
  List<String> lines() {
    var lines = new ArrayList<String>();
    for (int target = 0; target < connections.size(); target++) {
      String name = connections.name(target);
      try {
        lines.add("ok: " + name + ", " + facts(target));
      } catch (FailedCheckException e) {
        lines.add("failed: " + name + ", " + e.getMessage());
      }
    }
    return lines;
  }

  private String facts(int index) throws FailedCheckException {
    var facts = new ArrayList<String>();
    Target target = connections.target(index);
    if (target instanceof Target.HostPort hostPort) {
      facts.add(checkFiles());
      List<InetSocketAddress> addresses = lookUp(hostPort);
      connect(addresses);
      facts.add(addresses.size() + " addresses");
    } else if (target instanceof Target.UnixSocket socket) {
      connect(socket);
    }
    facts.add(0, health(index, target instanceof Target.HostPort));
    return String.join(", ", facts);
  }

  private String checkFiles() throws FailedCheckException {
    TlsFiles tls = connections.tls();
    if (tls == null) {
      throw new IllegalStateException("a host:port target without TLS");
    }
    String problem = tls.check(timeout);
    if (!problem.isEmpty()) {
      throw new FailedCheckException("files", problem);
    }
    if (tls.hasExpired()) {
      throw new FailedCheckException("certificate expired", "at " + tls.certificateEnd());
    }
    return "certificate ends " + tls.certificateEnd();
  }

  private static List<InetSocketAddress> lookUp(Target.HostPort target)
      throws FailedCheckException {
    try {
      return target.addresses();
    } catch (UnknownHostException e) {
      throw new FailedCheckException("name not found", target.name().getHost());
    }
  }

  /// Connects to one of the addresses.
  private void connect(List<InetSocketAddress> addresses) throws FailedCheckException {
    String text = "no address";
    for (InetSocketAddress address : addresses) {
      try (var socket = new Socket()) {
        socket.connect(address, (int) Math.min(timeout.toMillis(), Integer.MAX_VALUE));
        return;
      } catch (IOException e) {
        text = address.getAddress().getHostAddress() + ": " + e.getMessage();
      }
    }
    throw new FailedCheckException("connection refused", text);
  }

  private static void connect(Target.UnixSocket target) throws FailedCheckException {
    try (SocketChannel socket = SocketChannel.open(target.address())) {
      if (!socket.isConnected()) {
        throw new FailedCheckException("connection refused", "not connected");
      }
    } catch (IOException e) {
      throw new FailedCheckException("connection refused", String.valueOf(e.getMessage()));
    }
  }

  /// Asks for the health status of the daemon.
  private String health(int target, boolean overTls) throws FailedCheckException {
    ManagedChannel channel = connections.open(target);
    try {
      var outcome = new HealthOutcome();
      CallOptions options =
          CallOptions.DEFAULT
              .withDeadlineAfter(timeout.toNanos(), NANOSECONDS)
              .withExecutor(MoreExecutors.directExecutor());
      new Attempt<>(channel, HealthService.CHECK, options)
          .start(HealthService.request(""), outcome);
      FailedAttempt end = outcome.end.join(); // Ends at the deadline.
      if (end != null) {
        throw new FailedCheckException(check(end, overTls), end.failure().text());
      }
      if (outcome.status != HealthStatus.SERVING) {
        throw new FailedCheckException("health status", outcome.status.name());
      }
      return outcome.status.name();
    } finally {
      channel.shutdownNow();
    }
  }

  private static String check(FailedAttempt end, boolean overTls) {
    TlsFault fault = end.failure().tlsFault();
    if (fault != null) {
      return switch (fault) {
        case DAEMON_NOT_TRUSTED, DAEMON_CERTIFICATE_NOT_VALID -> "daemon not trusted";
        case DAEMON_NAME_MISMATCH -> "daemon's name";
        case CLIENT_CERTIFICATE_REFUSED -> "client certificate refused";
        case NO_TLS -> "no answer to TLS";
      };
    }
    if (end.failure().reason() == ErrorReason.UNAUTHENTICATED) {
      return "client certificate refused";
    }
    return overTls && !end.sent() ? "no answer to TLS" : "health status";
  }

  private static final class HealthOutcome implements Attempt.Outcome<Int32Value> {
    /// Null after an answer.
    private final CompletableFuture<@Nullable FailedAttempt> end = new CompletableFuture<>();

    private volatile HealthStatus status = HealthStatus.UNKNOWN;

    @Override
    public void answered(Int32Value answer, String requestId) {
      status = HealthService.status(answer);
      end.complete(null);
    }

    @Override
    public void failed(FailedAttempt failed) {
      end.complete(failed);
    }
  }

  /// The first check of a target that failed.
  private static final class FailedCheckException extends Exception {
    private static final long serialVersionUID = 1;

    FailedCheckException(String check, String text) {
      super(check + ": " + text);
    }
  }
}
