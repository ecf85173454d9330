package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.FileDescriptorDemand;
import dev.hmacd.HeapDemand;
import dev.hmacd.Shortage;
import dev.hmacd.StartCheck;
import dev.hmacd.StartCheck.Candidate;
import dev.hmacd.StartCheck.Opened;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.token.KeyTypeSetting;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.Pkcs11Token.MechanismInfo;
import dev.hmacd.token.TokenException;
import dev.hmacd.transport.FileDescriptors;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/// `hmacd check`: prints a table with a test result for each step from the configuration to a MAC.
/// Destroys the keys that it creates for its trials.
final class CheckCommand implements Command {
  private final Checklist list = new Checklist();

  @Override
  public String description() {
    return "Tests whether hmacd serve starts: the configuration, the limits of file descriptors and"
        + " heap, the TLS files, each token, the registry, and each address and socket path. Prints a table"
        + " of the results, and exits with the status of a failed start. If a start would"
        + " succeed, tests the tokens with trial keys, too. The daemon must not run.";
  }

  @Override
  public List<Option> options() {
    return List.of(CONFIG);
  }

  @Override
  public ExitCode run(Arguments arguments) throws StartException, InterruptedException {
    Path file = arguments.getPath(CONFIG);
    Config config = CommandSetup.config(file);
    list.passed("configuration", config.rules().size() + " rules");
    for (FileWarnings.FileWarning warning : FileWarnings.find(file, config)) {
      list.warned("permissions", warning.key() + ": " + warning.text());
    }
    RootWarning.find(config.registry().path())
        .ifPresent(text -> list.warned("permissions", "registry.path: " + text));
    if (config.rules().isEmpty()) {
      list.warned("access", "no rules: no caller has any permission; add rules to access");
    }
    fileDescriptors(config);
    heap(config);
    List<Candidate> found = new TokenSetup(config, list).find();
    found.forEach(this::token);
    List<Opened> opened = new StartCheck(config, found, list, Clock.systemUTC()).run();
    var probeKeys = new ProbeKeyCheck(list, config.grpc().limits().messageLengthTrial());
    for (Opened each : opened) {
      each.probeKey().ifPresent(probe -> probeKeys.run(each.candidate().token(), probe));
    }
    if (!list.preventsStart()) {
      for (Opened each : opened) {
        Candidate candidate = each.candidate();
        new TokenTrials(candidate.token(), candidate.settings(), list).run();
      }
    }
    System.out.print(list.table());
    return list.exitCode();
  }

  private void fileDescriptors(Config config) {
    OptionalLong limit = FileDescriptors.max();
    var demand = FileDescriptorDemand.of(config);
    compare(
        "file descriptors",
        demand.shortage(limit),
        limit.isPresent() ? Long.toString(limit.getAsLong()) : "unknown",
        Long.toString(demand.needed()));
  }

  private void heap(Config config) {
    var demand = HeapDemand.of(config);
    long limit = HeapDemand.maxMib();
    compare("heap", demand.shortage(limit), limit + " MiB", demand.neededMib() + " MiB");
  }

  private void compare(String name, Optional<Shortage> shortage, String limit, String needed) {
    shortage.ifPresentOrElse(
        found -> list.warned(name, found.text()),
        () -> list.passed(name, "limit " + limit + ", the configured bounds need " + needed));
  }

  /// Compares the properties of a token with the configuration.
  private void token(Candidate candidate) {
    Pkcs11Token token = candidate.token();
    sessions(token.info().maxSessions(), candidate.settings().lanes());
    mechanisms(token, candidate.settings().keyType());
  }

  private void sessions(OptionalLong max, int lanes) {
    if (max.isEmpty()) {
      list.passed("sessions", lanes + " lanes; the token reports no limit of sessions");
    } else if (max.getAsLong() < lanes + 1) {
      list.tolerated(
          "sessions",
          lanes
              + " lanes need "
              + (lanes + 1)
              + " sessions, but the token allows "
              + max.getAsLong()
              + " sessions; "
              + (max.getAsLong() > 1
                  ? "set lanes to at most " + (max.getAsLong() - 1)
                  : "raise the limit of the token"));
    } else {
      list.passed("sessions", lanes + " lanes; the token allows " + max.getAsLong() + " sessions");
    }
  }

  private void mechanisms(Pkcs11Token token, KeyTypeSetting keyType) {
    List<MechanismInfo> all;
    try {
      all = token.mechanisms();
    } catch (TokenException e) {
      list.tolerated("mechanisms", String.valueOf(e.getMessage()));
      return;
    }
    for (var needed : Pkcs11Token.neededMechanisms(keyType).entrySet()) {
      Optional<MechanismInfo> found =
          all.stream().filter(m -> m.type() == needed.getKey() && m.usable()).findFirst();
      if (found.isPresent()) {
        MechanismInfo m = found.get();
        list.passed(needed.getValue(), "key sizes " + m.minKey() + " to " + m.maxKey());
      } else {
        list.warned(
            needed.getValue(),
            "not supported by the token: keys that need it cannot be created or used");
      }
    }
  }
}
