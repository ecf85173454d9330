package dev.hmacd.usecase;

import dev.hmacd.access.Access;
import dev.hmacd.access.Action;
import dev.hmacd.access.Principal;
import dev.hmacd.access.PrincipalPattern;
import dev.hmacd.access.Rule;
import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeySpec;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.FaultyToken.Gate;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.TestLanes;
import dev.hmacd.token.TokenRouter;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.time.Clock;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;

/// A program that creates a key, and stops between two steps on the token and the registry. It
/// prints a line there, and a test kills it.
final class HeldCreation {
  /// The points at which a creation can be interrupted.
  enum Seam {
    /// The insert waits for a lock of the registry.
    BEFORE_INSERT,
    /// The registry has the key, the token has not generated it.
    BEFORE_GENERATE,
    /// The token has generated the key, the registry has not enabled it.
    AFTER_GENERATE,
    /// The registry has enabled the key, the caller has no answer.
    BEFORE_ANSWER
  }

  private HeldCreation() {}

  public static void main(String[] arguments) throws Exception {
    Config config = ConfigFile.read(Path.of(arguments[0]));
    Seam seam = Seam.valueOf(arguments[1]);
    Config.TokenSettings settings = config.tokens().getFirst();
    FaultyToken token =
        new FaultyToken(
            Pkcs11Token.find(
                settings.module(),
                settings.selector(),
                new PinFile(settings.pinFile()),
                new Pkcs11Token.Use(true, false)));
    Registry registry = new Registry(config.registry().path(), config.arn(), Clock.systemUTC());
    registry.open();
    TokenRouter tokens =
        new TokenRouter(TestLanes.startedPool(token, 2, 10, Duration.ofSeconds(1)));
    KeyService keys =
        new KeyService(
            registry,
            new KeyAuthorizer(registry.keys(), access()),
            new KeyCreation(registry, tokens, new KeyRecovery(registry, tokens)),
            tokens,
            new UnavailableKeys(),
            Clock.systemUTC());
    var call =
        dev.hmacd.usecase.Call.ofDaemon(
            Principal.commonName("test"), System.nanoTime() + Duration.ofMinutes(1).toNanos());
    switch (seam) {
      case BEFORE_INSERT -> {
        try (var other = DriverManager.getConnection("jdbc:sqlite:" + config.registry().path());
            var statement = other.createStatement()) {
          statement.execute("BEGIN IMMEDIATE");
          keys.createKey(
              call, KeySpec.HMAC_256, "held", List.of(), Optional.empty(), new Unanswered());
          hold();
        }
      }
      case BEFORE_GENERATE -> holdAt(token.blocking(Call.GENERATE), keys, call);
      case AFTER_GENERATE -> holdAt(token.blockingAnswer(Call.GENERATE), keys, call);
      case BEFORE_ANSWER -> {
        CountDownLatch enabled = new CountDownLatch(1);
        keys.createKey(
            call,
            KeySpec.HMAC_256,
            "held",
            List.of(),
            Optional.empty(),
            new Unanswered() {
              @Override
              public void succeed(Key value, Reauthorization check) {
                enabled.countDown();
              }
            });
        enabled.await();
        hold();
      }
    }
  }

  private static void holdAt(Gate gate, KeyService keys, dev.hmacd.usecase.Call call)
      throws InterruptedException {
    keys.createKey(call, KeySpec.HMAC_256, "held", List.of(), Optional.empty(), new Unanswered());
    gate.awaitEntered();
    hold();
  }

  private static void hold() throws InterruptedException {
    System.out.println("AT THE SEAM");
    new CountDownLatch(1).await();
  }

  private static Access access() {
    return new Access(
        List.of(
            new Rule(
                List.of(PrincipalPattern.parse("cn:test")),
                EnumSet.allOf(Action.class),
                List.of(new Rule.KeyPattern.All()))));
  }

  private static class Unanswered implements Reply<Key> {
    @Override
    public void succeed(Key value, Reauthorization check) {
      throw new AssertionError("unexpected answer");
    }

    @Override
    public void fail(Failure failure, Reauthorization check) {
      throw new AssertionError(failure.toString());
    }
  }
}
