package dev.hmacd;

import dev.hmacd.awskms.AwsKmsServer;
import dev.hmacd.config.Config;
import dev.hmacd.config.HostPort;
import dev.hmacd.config.TlsConfig;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.metrics.MetricsServer;
import dev.hmacd.registry.Registry;
import dev.hmacd.rpc.GrpcServer;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.SessionTrial;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.transport.ListenTrial;
import dev.hmacd.transport.TlsContext;
import dev.hmacd.transport.UnixSocketFile;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.time.Clock;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Tests the steps of a start. A failure does not prevent the test of an independent step. Listens
/// on no address and creates no registry.
///
/// `hmacd check` runs this check, and `hmacd serve` after a failed start: so both report the same
/// failures, with the same texts and exit codes. A PIN that the start has tried is not tried again,
/// because the check uses the same [Token] objects.
public final class StartCheck {
  private static final String LOGIN = "login";
  private static final String REGISTRY = "registry";

  private final Config config;
  private final List<Candidate> tokens;
  private final StartReport report;
  private final Clock clock;

  /// A token whose module was loaded.
  public record Candidate(Config.TokenSettings settings, Pkcs11Token token) {}

  /// A token that opened a session.
  ///
  /// @param probeKey the registry's record of the token's probe key; empty if there is none
  public record Opened(Candidate candidate, Optional<DaemonKey> probeKey) {}

  /// @param tokens in the order of the configuration; without tokens whose module was not loaded
  public StartCheck(Config config, List<Candidate> tokens, StartReport report, Clock clock) {
    this.config = config;
    this.tokens = List.copyOf(tokens);
    this.report = report;
    this.clock = clock;
  }

  /// Runs the check, and reports the result of each step.
  ///
  /// @return the tokens that opened a session
  public List<Opened> run() {
    List<Opened> opened;
    try (var registry = new Registry(config.registry().path(), config.arn(), clock)) {
      List<Token> all = tokens.stream().<Token>map(Candidate::token).toList();
      opened =
          checkTokens(
              isOpened(registry)
                  ? new DaemonKeySetup(config.registry().path(), registry.ownKeys(), all)
                  : null);
    }
    grpc();
    config.awsKms().ifPresent(this::awsKms);
    config.metrics().ifPresent(this::metrics);
    return opened;
  }

  private boolean isPassed(String step, StartException.Step body) {
    try {
      StartException.convert(body);
      return true;
    } catch (StartException e) {
      report.failed(step, e);
      return false;
    }
  }

  private boolean isOpened(Registry registry) {
    return isPassed(
        REGISTRY,
        () -> {
          boolean isMissing = Files.notExists(config.registry().path());
          registry.openExisting();
          if (isMissing) {
            report.warned(
                REGISTRY,
                "registry.path: " + config.registry().path() + " does not exist; run hmacd init");
          } else {
            report.passed(
                REGISTRY, registry.lists().creating().join().size() + " keys in state CREATING");
          }
        });
  }

  /// @param ownKeys null if the registry is not open
  private List<Opened> checkTokens(@Nullable DaemonKeySetup ownKeys) {
    Map<Candidate, TokenException> failures = new LinkedHashMap<>();
    for (Candidate each : tokens) {
      try {
        login(each);
        report.passed(LOGIN, "with the PIN of " + each.settings().pinFile());
      } catch (TokenException e) {
        failures.put(each, e);
      }
    }
    reportFailedLogins(List.copyOf(failures.values()));
    boolean isLoginReported = failures.size() == tokens.size();
    List<Opened> opened = new ArrayList<>();
    int recorded = 0;
    for (Candidate each : tokens) {
      Optional<DaemonKey> probeKey =
          ownKeys == null ? Optional.empty() : probeKey(ownKeys, each.token(), isLoginReported);
      recorded += probeKey.isPresent() ? 1 : 0;
      if (!failures.containsKey(each)) {
        opened.add(new Opened(each, probeKey));
      }
    }
    if (ownKeys != null && recorded == config.tokens().size()) {
      boolean _ = isPassed("access keys", ownKeys::accessKeyMaster);
    }
    return opened;
  }

  private void login(Candidate candidate) throws TokenException {
    if (config.tokens().size() > 1) {
      SessionTrial.run(candidate.token(), candidate.settings().probing().timeout());
      return;
    }
    candidate.token().open().close();
  }

  /// Reports the tokens that opened no session. The daemon starts if any token opens a session.
  private void reportFailedLogins(List<TokenException> failures) {
    for (TokenException each : failures) {
      if (each.isPinFileFault()) {
        report.warned(LOGIN, "not checked: the PIN file is not usable");
      }
    }
    List<String> texts = failures.stream().map(each -> String.valueOf(each.getMessage())).toList();
    if (failures.size() < tokens.size()) {
      texts.forEach(text -> report.tolerated(LOGIN, text));
      return;
    }
    failures.stream()
        .reduce(TokenException::decisive)
        .map(each -> new StartException(texts, StartException.of(each).exitCode(), each))
        .ifPresent(failure -> report.failed(LOGIN, failure));
  }

  /// The registry's record of a token's probe key; empty if there is none.
  private Optional<DaemonKey> probeKey(
      DaemonKeySetup ownKeys, Token token, boolean isLoginReported) {
    List<DaemonKey> found = new ArrayList<>();
    boolean _ =
        isPassed(
            "probe key",
            () -> {
              try {
                found.add(ownKeys.probeKey(token));
              } catch (TokenException e) {
                if (!isLoginReported) {
                  throw e;
                }
              }
            });
    return found.stream().findFirst();
  }

  private void grpc() {
    config
        .grpc()
        .unix()
        .ifPresent(unix -> socket("grpc.unix_socket", GrpcServer.UNIX_SOCKET_KEY, unix));
    config
        .grpc()
        .tcp()
        .ifPresent(
            tcp -> {
              tls("grpc.tls", tcp.tls());
              address(GrpcServer.LISTEN_KEY, tcp.listen());
            });
  }

  private void awsKms(Config.AwsKms edge) {
    edge.tls().ifPresent(files -> tls("aws_kms.tls", files));
    address(AwsKmsServer.LISTEN_KEY, edge.listen());
  }

  private void metrics(Config.Metrics settings) {
    settings.tcp().ifPresent(listen -> address(MetricsServer.LISTEN_KEY, listen));
    settings
        .unix()
        .ifPresent(unix -> socket("metrics.unix_socket", MetricsServer.UNIX_SOCKET_KEY, unix));
  }

  private void address(String key, InetSocketAddress address) {
    boolean _ =
        isPassed(
            key,
            () -> {
              ListenTrial.run(key, address);
              report.passed(key, "the daemon can listen on " + HostPort.text(address));
            });
  }

  private void socket(String section, String key, Config.UnixSocket socket) {
    boolean _ =
        isPassed(
            section,
            () -> {
              new UnixSocketFile(key, socket.path()).test();
              report.passed(section, "the daemon can listen on " + socket.path());
            });
  }

  private void tls(String section, TlsConfig files) {
    TlsContext tls = new TlsContext(section, files, clock, "h2");
    boolean _ =
        isPassed(
            section,
            () -> {
              tls.reload();
              report.passed(section, "the daemon's certificate expires at " + tls.notAfter());
              if (files.clientCa().isPresent()) {
                authorities(section + ".client_ca", tls);
              }
            });
  }

  private void authorities(String key, TlsContext tls) {
    int leftOut = tls.authoritiesLeftOut();
    if (leftOut > 0) {
      report.warned(
          key,
          leftOut
              + " certificate authorities have expired or are not valid yet; renew or remove those"
              + " that the log names");
    } else {
      report.passed(
          key, "earliest expiry of a certificate authority: " + tls.earliestAuthorityExpiry());
    }
  }
}
