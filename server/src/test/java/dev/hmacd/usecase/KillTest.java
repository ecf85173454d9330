package dev.hmacd.usecase;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.ChildDaemon;
import dev.hmacd.testing.Eventually;
import dev.hmacd.usecase.HeldCreation.Seam;
import dev.hmacd.v1.DescribeKeyRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.KeyState;
import dev.hmacd.v1.MacAlgorithm;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `kill -9` during the creation of keys: answered keys exist afterwards, and token and registry
/// are consistent.
final class KillTest {
  private static final int TRACKS = 2;
  private static final int KILLS_OF_A_TOKEN = 10;

  @Tag("slow")
  @ParameterizedTest(name = "{0} leaves {1} keys")
  @CsvSource({"BEFORE_INSERT, 0", "BEFORE_GENERATE, 0", "AFTER_GENERATE, 1", "BEFORE_ANSWER, 1"})
  void keyIsConsistentAfterAKillAtASeam(Seam seam, int keys) {
    try (ChildDaemon daemon = ChildDaemon.initialised()) {
      daemon.start(
          "AT THE SEAM", HeldCreation.class.getName(), daemon.config().toString(), seam.name());
      daemon.kill();
      boolean made = seam == Seam.AFTER_GENERATE || seam == Seam.BEFORE_ANSWER;
      assertThat(daemon.tokenObjects()).hasSize(made ? 1 : 0);
      assertThat(daemon.registeredObjects().values())
          .containsExactlyElementsOf(
              switch (seam) {
                case BEFORE_INSERT -> List.of();
                case BEFORE_GENERATE, AFTER_GENERATE -> List.of("CREATING");
                case BEFORE_ANSWER -> List.of("ENABLED");
              });
      daemon.serve();
      Set<String> settled = daemon.awaitConsistentObjects();
      assertThat(settled).hasSize(keys);
      for (String label : settled) {
        assertWorks(daemon.caller(), label.split("/", -1)[2]);
      }
    }
  }

  @Test
  void fiveKillsAtRandomTimesLoseNothing() throws Exception {
    var tally = new Tally();
    track(ChildDaemon.initialised(), 5, tally);
    tally.check(5);
  }

  /// Kills daemons of several tokens, two at a time; `scripts/soak` runs a hundred.
  @Test
  @Tag("slow")
  void manyKillsAtRandomTimesLoseNothing() throws Exception {
    int rounds = Integer.getInteger("hmacd.test.kills", 40) / (TRACKS * KILLS_OF_A_TOKEN);
    var tally = new Tally();
    Callable<Boolean> track =
        () -> {
          for (int i = 0; i < rounds; i++) {
            track(ChildDaemon.initialised().withStartCache(), KILLS_OF_A_TOKEN, tally);
          }
          return true;
        };
    try (ExecutorService two = Executors.newFixedThreadPool(TRACKS)) {
      for (Future<Boolean> each : two.invokeAll(List.of(track, track))) {
        assertThat(each.get()).isTrue();
      }
    }
    tally.check(TRACKS * rounds * KILLS_OF_A_TOKEN);
  }

  /// Counts over all kills.
  private static final class Tally {
    final AtomicInteger kills = new AtomicInteger();
    final AtomicInteger interrupting = new AtomicInteger();
    final AtomicInteger answered = new AtomicInteger();
    final AtomicInteger started = new AtomicInteger();
    final AtomicInteger settled = new AtomicInteger();

    /// Checks that enough kills interrupted a creation.
    void check(int wanted) {
      System.out.printf(
          "kill -9: %d kills, %d of them interrupted CreateKey calls; %d calls started, %d answered;"
              + " %d keys on the tokens afterwards%n",
          kills.get(), interrupting.get(), started.get(), answered.get(), settled.get());
      assertThat(kills).hasValue(wanted);
      assertThat(interrupting.get()).isGreaterThan(wanted / 2);
      assertThat(answered.get()).isGreaterThan(wanted);
      assertThat(settled.get()).isBetween(answered.get(), started.get());
    }
  }

  /// Kills daemons of one token, one after the other.
  private static void track(ChildDaemon daemon, int kills, Tally tally)
      throws InterruptedException {
    try (daemon) {
      Set<String> before = Set.of();
      Load load = new Load(tally);
      for (int i = 0; i <= kills; i++) {
        daemon.serve();
        Set<String> now = daemon.awaitConsistentObjects();
        assertThat(now).containsAll(before);
        load.assertAnsweredKeysExist(daemon.caller());
        before = now;
        if (i < kills) {
          load = new Load(tally);
          load.runUntilKilled(daemon);
        }
      }
      tally.settled.addAndGet(before.size());
    }
  }

  /// Callers that create keys and aliases until the daemon is killed.
  private static final class Load {
    private static final int CALLERS = 4;

    private final Tally tally;
    private final AtomicInteger open = new AtomicInteger();
    private final AtomicInteger cut = new AtomicInteger();
    private final AtomicInteger answers = new AtomicInteger();

    /// The MACs under answered keys, by key id.
    private final Map<String, ByteString> macs = new ConcurrentHashMap<>();

    /// The keys of answered aliases, by name.
    private final Map<String, String> aliases = new ConcurrentHashMap<>();

    Load(Tally tally) {
      this.tally = tally;
    }

    void runUntilKilled(ChildDaemon daemon) throws InterruptedException {
      Caller caller = daemon.caller();
      // A random time: after some answers, plus a random delay.
      int enough = ThreadLocalRandom.current().nextInt(1, 25);
      long more = ThreadLocalRandom.current().nextLong(3_000_000);
      List<Thread> callers = new ArrayList<>();
      for (int i = 0; i < CALLERS; i++) {
        callers.add(Thread.ofPlatform().name("caller-" + i).start(() -> makeKeys(caller)));
      }
      Eventually.holds("some calls are answered", () -> answers.get() >= enough);
      for (long end = System.nanoTime() + more; System.nanoTime() < end; ) {
        Thread.onSpinWait();
      }
      Eventually.holds("a call is in flight", () -> open.get() > 0);
      daemon.kill();
      for (Thread each : callers) {
        each.join();
      }
      tally.kills.incrementAndGet();
      tally.interrupting.addAndGet(cut.get() > 0 ? 1 : 0);
      tally.answered.addAndGet(macs.size());
    }

    private void makeKeys(Caller caller) {
      try {
        while (true) {
          tally.started.incrementAndGet();
          open.incrementAndGet();
          String key;
          try {
            key = caller.createKey(KeySpec.KEY_SPEC_HMAC_256);
          } catch (StatusRuntimeException e) {
            cut.incrementAndGet();
            throw e;
          } finally {
            open.decrementAndGet();
          }
          macs.put(key, ByteString.EMPTY);
          answers.incrementAndGet();
          macs.put(key, ByteString.copyFrom(caller.generateMac(key, "before the kill")));
          String alias = "alias/" + key;
          caller.createAlias(alias, key);
          aliases.put(alias, key);
        }
      } catch (StatusRuntimeException e) {
        // The kill ends the call with one of these codes. A refusal has another code.
        assertThat(e.getStatus().getCode()).isIn(Code.UNAVAILABLE, Code.CANCELLED, Code.UNKNOWN);
      }
    }

    void assertAnsweredKeysExist(Caller caller) {
      macs.forEach(
          (key, mac) -> {
            assertWorks(caller, key);
            if (!mac.isEmpty()) {
              assertThat(caller.generateMac(key, "before the kill")).isEqualTo(mac.toByteArray());
            }
          });
      aliases.forEach(
          (alias, key) -> assertThat(describe(caller, alias).getKeyId()).isEqualTo(key));
    }
  }

  private static dev.hmacd.v1.KeyMetadata describe(Caller caller, String key) {
    return caller
        .keys()
        .describeKey(DescribeKeyRequest.newBuilder().setKeyId(key).build())
        .getKeyMetadata();
  }

  private static void assertWorks(Caller caller, String key) {
    assertThat(describe(caller, key).getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
    byte[] mac = caller.generateMac(key, "after the kill");
    caller.verifyMac(
        key,
        "after the kill".getBytes(StandardCharsets.UTF_8),
        mac,
        MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256);
  }
}
