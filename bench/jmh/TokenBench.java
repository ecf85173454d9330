package dev.hmacd.bench;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.limit.Owner;
import dev.hmacd.token.Completion;
import dev.hmacd.token.FaultListener;
import dev.hmacd.token.LaneObserver;
import dev.hmacd.token.Lanes;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.SignRequest;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSelector;
import dev.hmacd.token.TokenSession;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/// Measures the token layer alone: MACs in a session, and MACs through lanes with [#IN_FLIGHT] MACs
/// in flight. The system properties `hmacd.module`, `hmacd.label` and `hmacd.pin` select the token.
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(2)
public class TokenBench {
  private static final KeyObject KEY = new KeyObject("jmh", "6a6d68");
  private static final int IN_FLIGHT = 64;

  /// A token with a key.
  @State(Scope.Benchmark)
  public static class Keyed {
    @Param({"true", "false"})
    boolean sessionCopies;

    @Param({"64", "4096"})
    int messageBytes;

    Pkcs11Token token;
    byte[] message;

    @Setup
    public void make() throws TokenException {
      token =
          Pkcs11Token.find(
              Path.of(System.getProperty("hmacd.module")),
              new TokenSelector.ByLabel(System.getProperty("hmacd.label")),
              new PinFile(Path.of(System.getProperty("hmacd.pin"))),
              new Pkcs11Token.Use(sessionCopies, false));
      message = new byte[messageBytes];
      try (TokenSession session = token.open()) {
        session.destroy(KEY); // The key of an interrupted run.
        session.generate(KEY, 32);
      }
    }

    @TearDown
    public void destroy() throws TokenException {
      try (TokenSession session = token.open()) {
        session.destroy(KEY);
      }
    }
  }

  /// A session for each thread.
  @State(Scope.Thread)
  public static class Opened {
    TokenSession session;
    long handle;

    @Setup
    public void open(Keyed keyed) throws TokenException {
      session = keyed.token.open();
      handle = session.load(KEY);
    }

    @TearDown
    public void close() {
      session.close();
    }
  }

  /// The lanes of a daemon.
  @State(Scope.Benchmark)
  public static class Running {
    @Param({"1", "2"})
    int count;

    Lanes lanes;

    @Setup
    public void start(Keyed keyed) throws TokenException {
      Duration limit = Duration.ofMinutes(1);
      lanes =
          new Lanes(
              keyed.token,
              new Lanes.Settings(count, 2 * IN_FLIGHT, limit, 0, limit),
              LaneObserver.NONE,
              FaultListener.NONE);
      lanes.open();
      lanes.start();
    }

    @TearDown(Level.Trial)
    public void close() {
      lanes.close();
    }
  }

  @Benchmark
  public byte[] session(Keyed keyed, Opened opened) throws TokenException {
    return opened.session.sign(opened.handle, MacAlgorithm.HMAC_SHA_256, keyed.message);
  }

  @Benchmark
  @Threads(2)
  public byte[] twoSessions(Keyed keyed, Opened opened) throws TokenException {
    return opened.session.sign(opened.handle, MacAlgorithm.HMAC_SHA_256, keyed.message);
  }

  @Benchmark
  @OperationsPerInvocation(IN_FLIGHT)
  public void lanes(Keyed keyed, Running running) throws InterruptedException {
    var left = new CountDownLatch(IN_FLIGHT);
    var completion =
        new Completion<byte[]>() {
          @Override
          public void done(byte[] mac) {
            left.countDown();
          }

          @Override
          public void failed(TokenException cause) {
            throw new IllegalStateException(cause);
          }

          @Override
          public Owner owner() {
            return Owner.of("uid", "uid:1000");
          }
        };
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
    for (int i = 0; i < IN_FLIGHT; i++) {
      // Without a check value: a lane compares it once for each handle, not for each MAC.
      running.lanes.sign(
          new SignRequest(KEY, null, MacAlgorithm.HMAC_SHA_256, keyed.message, deadline), completion);
    }
    if (!left.await(1, TimeUnit.MINUTES)) {
      throw new IllegalStateException("MACs were not answered");
    }
  }
}
