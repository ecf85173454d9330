package dev.hmacd.command;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.Token;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// `hmacd check` and `hmacd serve` try the longest message with the token, and say the same about a
/// token that does not take it.
@Tag("slow")
final class LongestMessageTest {
  private static final String LOGGED = "WARN Token does not take the longest message";

  private final SoftHsm hsm = SoftHsm.shared();
  private final FaultModule module = FaultModule.inFrontOf(hsm);

  /// Loads the module, so that it reads commands.
  private final Token token = hsm.token(module.file(), false);

  private LoopbackDaemon daemon() {
    return LoopbackDaemon.on(hsm)
        .module(module.file())
        .wrapping(_ -> token)
        .token("probe_timeout: 5m") // The limit of the trial, also on a busy machine.
        .allowingSocket();
  }

  private static String check(Path config) throws Exception {
    PrintStream before = System.out;
    var out = new ByteArrayOutputStream();
    System.setOut(new PrintStream(out, true, UTF_8));
    try {
      var _ = CommandLine.run(new String[] {"check", "--config", config.toString()});
    } finally {
      System.setOut(before);
    }
    return out.toString(UTF_8);
  }

  /// @param limitation empty if the token takes the message
  private static void assertReported(LoopbackDaemon daemon, String limitation) throws Exception {
    try (LogWatch log = LogWatch.start();
        daemon) {
      daemon.start();
      daemon.daemon().close();
      String table = check(daemon.config());
      List<String> lines = log.lines(LOGGED);
      if (limitation.isEmpty()) {
        assertThat(lines).isEmpty();
        assertThat(table).containsPattern("(?m)^OK    longest message +65536 bytes$");
      } else {
        assertThat(lines).singleElement().satisfies(line -> assertThat(line).contains(limitation));
        assertThat(table.lines())
            .anyMatch(
                line -> line.startsWith("WARN  longest message ") && line.endsWith(limitation));
      }
    }
  }

  @Test
  void tokenThatTakesTheLongestMessageIsNotReported() throws Exception {
    assertReported(daemon(), "");
  }

  @Test
  void limitOfTheTokenIsTheRemedy() throws Exception {
    module.send("longest 16000");
    assertReported(
        daemon(),
        "grpc.limits.max_message_bytes: the token takes messages of at most 16000 bytes, but callers"
            + " may send 65536 (C_Sign returned CKR_DATA_LEN_RANGE); set the value 16000");
  }

  @Test
  void configuredLimitOfTheTokenIsNotReported() {
    module.send("longest 16000");
    try (LogWatch log = LogWatch.start();
        var daemon = daemon().limit("max_message_bytes: 16000")) {
      daemon.start();
      assertThat(log.lines(LOGGED)).isEmpty();
    }
  }

  @Test
  void limitBelowTheLeastValueHasItsConsequence() throws Exception {
    module.send("longest 2000");
    assertReported(
        daemon(),
        "grpc.limits.max_message_bytes: the token takes messages of at most 2000 bytes, but callers"
            + " may send 65536 (C_Sign returned CKR_DATA_LEN_RANGE); callers get MESSAGE_TOO_LONG for"
            + " longer messages");
  }
}
